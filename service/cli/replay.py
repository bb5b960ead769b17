"""`playhead replay`: posts a file of events or xAPI statements to a running playhead, and balances the books.

A line is read, translated where it is xAPI, posted with others as one JSON array, and booked exactly once: as
accepted, duplicate, rejected (here or by the service) or undelivered. `simulate` shares `Delivery`, `Tally`.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import zlib
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from gzip import GzipFile
from http import HTTPStatus
from io import BufferedReader, RawIOBase
from pathlib import Path
from random import Random
from typing import IO, TYPE_CHECKING, Annotated, Literal, NamedTuple

import aiohttp
import orjson
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from service import limits
from service.errors import PlayheadError
from service.events import xapi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

Dialect = Literal["auto", "events", "xapi"]
Order = Literal["file", "reverse", "shuffled"]

DEFAULT_URL = "http://127.0.0.1:8000"

LINE_BYTES_MAX = 1024 * 1024
"""A statement wraps its event in much more text than `limits.EVENT_BYTES_MAX`; what is longer is neither."""

BATCH_BYTES_MAX = limits.BODY_BYTES_MAX // 2
"""The service takes twice that; one more line never makes the difference."""

BACKOFF_SECONDS, BACKOFF_SECONDS_MAX = 0.25, 10.0
ANSWER_SECONDS_MAX = 60

UNAVAILABLE = (429, 502, 503, 504)
"""Answers that say "later": of the service itself (503), and of proxies in front of it."""

STDIN = Path("-")
STDIN_POLL_SECONDS = 0.2
GZIP_MAGIC = b"\x1f"
"""Its first byte is enough: no JSON begins with it, and a pipe may deliver one byte at first."""

_SOURCE_ERRORS = (OSError, EOFError, zlib.error)


async def replay(
    file: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    url: str = DEFAULT_URL,
    dialect: Annotated[Dialect, Parameter(name="--format")] = "auto",
    order: Order = "file",
    seed: int = 0,
    batch: Annotated[int, Parameter(validator=Number(gte=1, lte=limits.EVENTS_PER_BODY_MAX))] = 500,
    connections: Annotated[int, Parameter(validator=Number(gte=1, lte=256))] = 1,
    retries: Annotated[int, Parameter(validator=Number(gte=0, lte=1000))] = 8,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Post a file of watch events, or of xAPI video statements, to a running playhead.

    A file sent twice counts once, if its events carry ids: a replay that failed is simply started again.
    The exit code is 0 when every line was answered for, also where the answer was a rejection.

    Parameters
    ----------
    file
        NDJSON, one event or statement a line, plain or gzip; `-` reads standard input.
    url
        Where playhead listens.
    dialect
        What the lines are; `auto` takes a line with a verb or an actor for an xAPI statement.
    order
        `reverse` and `shuffled` read the whole file into memory first; `file` streams it.
    seed
        Of `--order shuffled`: the same seed gives the same order.
    batch
        Events in one request.
    connections
        Requests under way at once. With 1, events arrive in order; with more, batches may overtake.
    retries
        How often a batch is posted again when the service is away or says "later".
    as_json
        Print the summary as one JSON object.
    """
    console, tally, loop = Console(stderr=True), Tally(), asyncio.get_running_loop()
    started = loop.time()
    async with http_session(connections) as http:
        with stop_on_signal() as stop:
            delivery = Delivery(http, url, retries, stop, console)
            try:
                with open_input(file, stop) as raw, _progress(console) as progress:
                    lines = await asyncio.to_thread(_ordered, read_lines(raw, dialect), order, seed)
                    task = progress.add_task("", total=_size_bytes(file) if order == "file" else None)

                    def show() -> None:
                        read_bytes = raw.tell() if raw.seekable() else 0
                        progress.update(task, completed=read_bytes, description=f"{tally.read:,} lines")

                    await _send(batches(lines, batch), connections, tally, delivery, show)
            except _SOURCE_ERRORS as broken:
                tally.failure = f"{file} cannot be read: {getattr(broken, 'strerror', None) or broken}"
            if stop.is_set() and not tally.undelivered:
                tally.failure = "stopped before the end of the file"
    tally.report("read", delivery.resent, loop.time() - started, as_json)
    return tally.exit_code


async def _send(
    source: Iterator[list[Item]], connections: int, tally: Tally, delivery: Delivery, show: Callable[[], None]
) -> None:
    """Deliver every batch. The first failure ends it, after the answers to what is under way."""
    one_reader = asyncio.Lock()

    async def sender() -> None:
        while tally.failure is None and not delivery.stop.is_set():
            async with one_reader:
                items = await asyncio.to_thread(next, source, None)
            if items is None:
                return
            await tally.deliver(items, delivery)
            show()

    ended = await asyncio.gather(*(sender() for _ in range(connections)), return_exceptions=True)
    for error in filter(None, ended):
        raise error


class Line(NamedTuple):
    """A line that can be posted. `repeatable`: it carries what playhead knows a repetition by."""

    number: int
    event: bytes
    repeatable: bool


class Unsendable(NamedTuple):
    number: int
    reason: str
    detail: str


Item = Line | Unsendable


def open_input(file: Path, stop: asyncio.Event | None = None) -> BufferedReader:
    """The file as it lies there, zipped or not; standard input ends where `stop` is set."""
    return BufferedReader(_Stdin(stop)) if file == STDIN else file.open("rb")


def read_lines(raw: BufferedReader, dialect: Dialect = "auto") -> Iterator[Item]:
    """Every line that is not blank, numbered from 1, as what is to be posted or why it cannot be."""
    zipped = raw.peek(1).startswith(GZIP_MAGIC)
    stream: IO[bytes] | GzipFile = GzipFile(fileobj=raw) if zipped else raw
    for number, raw_line in enumerate(_bounded_lines(stream), start=1):
        text = raw_line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else raw_line.strip()
        if text:
            yield _item(number, text, dialect)


def batches(items: Iterable[Item], events_max: int) -> Iterator[list[Item]]:
    """Items in runs that fit one request each. What was read before the source broke is handed out first."""
    batch: list[Item] = []
    size_bytes = 0
    try:
        for item in items:
            batch.append(item)
            size_bytes += len(item.event) if isinstance(item, Line) else 0
            if len(batch) == events_max or size_bytes > BATCH_BYTES_MAX:
                yield batch
                batch, size_bytes = [], 0
    except _SOURCE_ERRORS:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


class Undelivered(PlayheadError): - named like the rest of the tree
    """Events that the service did not answer for."""


class Answer(NamedTuple):
    """`rejected` holds index, reason and detail of each rejection."""

    accepted: int
    duplicates: int
    rejected: list[tuple[int, str, str]]


class Delivery:
    """Posts events, and posts them again when the service is away or says "later". `resent` counts that."""

    def __init__(
        self, http: aiohttp.ClientSession, url: str, retries: int, stop: asyncio.Event, console: Console
    ) -> None:
        self.resent = 0
        self._http, self._url, self._retries = http, url.rstrip("/") + "/v1/events", retries
        self.stop, self._console = stop, console
        self._said: set[str] = set()

    async def post(self, events: list[bytes], *, repeatable: bool) -> Answer:
        """What the service says to these events. Raises Undelivered where it says nothing of use."""
        body = b"[" + b",".join(events) + b"]"
        for attempt in range(self._retries + 1):
            wait_seconds = min(BACKOFF_SECONDS * 2**attempt, BACKOFF_SECONDS_MAX)
            try:
                async with self._http.post(self._url, data=body) as response:
                    if response.status not in UNAVAILABLE:
                        return _answer(response.status, await response.read(), len(events))
                    failure = f"{self._url} answers {response.status} {response.reason}"
                    wait_seconds = max(wait_seconds, _retry_after_seconds(response))
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError) as lost:
                failure = f"no answer from {self._url}: {lost or type(lost).__name__}"
                if not repeatable:
                    self._say_once("events without an id are posted again: what had arrived counts twice")
            except (aiohttp.ClientError, ValueError) as wrong:
                raise Undelivered(f"{self._url} cannot be posted to: {wrong}") from wrong
            if attempt < self._retries:
                await self._wait(wait_seconds, failure)
        raise Undelivered(f"{failure} (tried {self._retries + 1} times)")

    async def _wait(self, seconds: float, failure: str) -> None:
        self._say_once(f"{failure}; trying again")
        self.resent += 1
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), seconds)
        if self.stop.is_set():
            raise Undelivered(f"{failure}; stopped while waiting to try again")

    def _say_once(self, warning: str) -> None:
        if warning not in self._said:
            self._said.add(warning)
            self._console.print(f"playhead: {warning}", markup=False, highlight=False, soft_wrap=True)


@dataclass(slots=True)
class Tally:
    """The books of one run: everything read ends up in exactly one of the other counts."""

    noun: str = "line"
    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    undelivered: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    failure: str | None = None

    @property
    def balances(self) -> bool:
        return self.read == self.accepted + self.duplicates + self.rejected.total() + self.undelivered

    @property
    def exit_code(self) -> int:
        return 0 if self.balances and not self.undelivered and self.failure is None else 1

    async def deliver(self, items: Sequence[Item], delivery: Delivery) -> None:
        """Post what can be posted of a batch, and book all of it. After a failure nothing more is posted."""
        lines = [item for item in items if isinstance(item, Line)]
        self.read += len(items)
        for item in items:
            if isinstance(item, Unsendable):
                self._reject(item.reason, item.number, item.detail)
        if not lines or self.failure:
            self.undelivered += len(lines)
            return
        try:
            answer = await delivery.post(
                [line.event for line in lines], repeatable=all(line.repeatable for line in lines)
            )
        except Undelivered as undelivered:
            self.undelivered += len(lines)
            self.failure = self.failure or str(undelivered)
            return
        self.accepted += answer.accepted
        self.duplicates += answer.duplicates
        for index, reason, detail in answer.rejected:
            self._reject(reason, lines[index].number, detail)

    def _reject(self, reason: str, number: int, detail: str) -> None:
        self.rejected[reason] += 1
        self.examples.setdefault(reason, f"{self.noun} {number}: {detail}")

    def report(self, verb: str, resent: int, elapsed_seconds: float, as_json: bool, **more: float) -> None:
        """Print the summary: for people, or as one JSON object. `verb` says what the first number counts."""
        per_second = round(self.read / elapsed_seconds) if elapsed_seconds else 0
        if as_json:
            summary = {
                verb: self.read,
                "accepted": self.accepted,
                "duplicates": self.duplicates,
                "rejected": self.rejected.total(),
                "rejected_by_reason": dict(self.rejected),
                "undelivered": self.undelivered,
                "balances": self.balances,
                "failure": self.failure,
                "posted_again": resent,
                "elapsed_seconds": round(elapsed_seconds, 3),
                "events_per_second": per_second,
                **more,
            }
            print(orjson.dumps(summary).decode())
            return
        for name, count in self._counts(verb):
            print(f"{name:<24}{count:>12,}")
        for example in self.examples.values():
            print(f"for example {example}")
        quantities = "".join(f", {name.replace('_', ' ')} {value:g}" for name, value in more.items())
        print(f"{elapsed_seconds:.1f} s, {per_second:,} events/s, {resent} requests posted again{quantities}")
        print(self._verdict(verb))

    def _counts(self, verb: str) -> Iterator[tuple[str, int]]:
        yield from ((verb, self.read), ("accepted", self.accepted), ("duplicates", self.duplicates))
        yield "rejected", self.rejected.total()
        yield from ((f"  {reason}", count) for reason, count in self.rejected.most_common())
        if self.undelivered:
            yield "undelivered", self.undelivered

    def _verdict(self, verb: str) -> str:
        if self.failure:
            again = "; run it again: events with ids never count twice" if self.undelivered else ""
            return f"Not complete: {self.failure}{again}"
        if not self.balances:
            return f"The books do not balance: {verb} is not accepted + duplicates + rejected"
        return f"The books balance: {verb} = accepted + duplicates + rejected"


def http_session(connections: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections),
        timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX),
        headers={"Content-Type": "application/json"},
    )


@contextmanager
def stop_on_signal() -> Iterator[asyncio.Event]:
    """An event that the first Ctrl-C or SIGTERM sets, to close the books; a second one ends at once."""
    loop, stop, signals = asyncio.get_running_loop(), asyncio.Event(), (signal.SIGINT, signal.SIGTERM)

    def stop_once() -> None:
        stop.set()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, stop_once)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _answer(status: int, text: bytes, events: int) -> Answer:
    """An answer read and checked: it must account for each event, or it is none of playhead's."""
    try:
        told = orjson.loads(text)
        if status in (200, 422) and "accepted" in told:
            rejected = [(r["index"], r["reason"], r["detail"]) for r in told["rejected"]]
            answer = Answer(told["accepted"], told["duplicates"], rejected)
            all_known = all(0 <= index < events for index, _, _ in rejected)
            if all_known and answer.accepted + answer.duplicates + len(rejected) == events:
                return answer
            raise Undelivered(f"the answer accounts for other than the {events} events posted: {told}")
        hint = " (a smaller --batch may help)" if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else ""
        raise Undelivered(f"the service answered {status}: {told['title']}: {told.get('detail', '')}{hint}")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as unreadable:
        raise Undelivered(f"what answered {status} there is no playhead") from unreadable


def _retry_after_seconds(response: aiohttp.ClientResponse) -> int:
    """What the service asks for; 0 where it gives none, or a date as some proxies do."""
    told = response.headers.get("Retry-After", "")
    return min(int(told), ANSWER_SECONDS_MAX) if told.isdecimal() else 0


def _item(number: int, text: bytes, dialect: Dialect) -> Item:
    if len(text) > LINE_BYTES_MAX:
        return Unsendable(number, "too_long", f"longer than {LINE_BYTES_MAX} bytes")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as wrong:
        return Unsendable(number, "not_json", f"not JSON: {wrong}")
    known = value if isinstance(value, dict) else {}
    if dialect == "xapi" or (dialect == "auto" and ("verb" in known or "actor" in known)):
        event = xapi.event_of(value)
        if isinstance(event, xapi.Refused):
            return Unsendable(number, event.reason, event.detail)
        return Line(number, orjson.dumps(event), "id" in event)
    return Line(number, text, known.get("id") is not None or known.get("seq") is not None)


def _bounded_lines(stream: IO[bytes] | GzipFile) -> Iterator[bytes]:
    """Lines of bounded length: of a longer one the beginning is kept, long enough to be seen as too long."""
    while line := stream.readline(LINE_BYTES_MAX + 1):
        rest = line
        while len(rest) > LINE_BYTES_MAX and not rest.endswith(b"\n"):
            rest = stream.readline(LINE_BYTES_MAX + 1)
        yield line


class _Stdin(RawIOBase):
    """Standard input, read so that Ctrl-C need not wait for the next byte of a silent pipe."""

    def __init__(self, stop: asyncio.Event | None) -> None:
        self._stop = stop

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # the buffer is always a memoryview
        while not (self._stop and self._stop.is_set()):
            if select.select([0], [], [], STDIN_POLL_SECONDS)[0]:
                return os.readv(0, [buffer])
        return 0


def _ordered(items: Iterator[Item], order: Order, seed: int) -> Iterable[Item]:
    if order == "file":
        return items
    whole = list(items)
    if order == "reverse":
        whole.reverse()
    else:
        Random(seed).shuffle(whole)  # noqa: S311 - an order to test with, no secret
    return whole


def _size_bytes(file: Path) -> int | None:
    """None for what has no end to be seen: standard input, a named pipe."""
    return file.stat().st_size if file.is_file() else None


def _progress(console: Console) -> Progress:
    """Drawn on a terminal only: what runs in a pipe or in CI has the summary."""
    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TextColumn("{task.description}"))
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
