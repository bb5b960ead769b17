"""Events on their way to a running playhead, over HTTP: posted, posted again, answered for."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
import orjson

from service import settings
from service.errors import PlayheadError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console

DEFAULT_URL = "http://127.0.0.1:8000"

NOT_NOW = "unavailable"
"""The reason of events that could not be counted while others of their batch were."""

BACKOFF_SECONDS, BACKOFF_SECONDS_MAX = 0.25, 10.0
ANSWER_SECONDS_MAX = 60

UNAVAILABLE = (429, 502, 503, 504)
"""Answers that say "later": of the service itself (503), and of proxies in front of it."""

HINTS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: " (PLAYHEAD_API_KEY or --key-file gives one)",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: " (a smaller --batch may help)",
}


class Undelivered(PlayheadError):
    """Events that the service did not answer for."""


class Answer(NamedTuple):
    """`rejected` holds index, reason and detail of each rejection."""

    accepted: int
    duplicates: int
    rejected: list[tuple[int, str, str]]


class Asked(NamedTuple):
    """What came of asking once. The `failure` is why there is no answer, or none yet for some of the events."""

    answer: Answer | None
    failure: str
    wait_seconds: int


class Delivery:
    """Posts events, and posts them again when the service is away or says "later". `resent` counts that.

    `said` are the warnings that were printed: each is once, also where several share them.
    """

    path = "/v1/events"

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        retries: int,
        stop: asyncio.Event,
        console: Console,
        *,
        said: set[str] | None = None,
    ) -> None:
        self.resent = 0
        self._http, self._url, self._retries = http, url.rstrip("/") + self.path, retries
        self.stop, self._console = stop, console
        self._said = set[str]() if said is None else said

    async def post(self, events: list[bytes], *, repeatable: bool) -> Answer:
        """What the service says to these events. Raises Undelivered where it says nothing of use.

        Events that it could not count just now are posted again, without those that it could.
        """
        said, left = Answer(0, 0, []), list(range(len(events)))
        for attempt in range(self._retries + 1):
            wait_seconds = min(BACKOFF_SECONDS * 2**attempt, BACKOFF_SECONDS_MAX)
            try:
                asked = await self._ask([events[index] for index in left])
                if asked.answer is not None:
                    said, left = _merged(said, asked.answer, left)
                    if not left:
                        return said
                failure, wait_seconds = asked.failure, max(wait_seconds, asked.wait_seconds)
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError) as lost:
                failure = f"no answer from {self._url}: {lost or type(lost).__name__}"
                if not repeatable:
                    self._say_once("events without an id are posted again: what had arrived counts twice")
            except (aiohttp.ClientError, ValueError) as wrong:
                raise Undelivered(f"{self._url} cannot be posted to: {wrong}") from wrong
            if attempt < self._retries:
                await self._wait(wait_seconds, failure)
        raise Undelivered(f"{failure} (tried {self._retries + 1} times)")

    async def close(self) -> None:
        """Of the connections the session takes care."""

    async def _ask(self, events: list[bytes]) -> Asked:
        """Raises what `aiohttp` raises, and Undelivered for an answer that is none of playhead's."""
        async with self._http.post(self._url, data=b"[" + b",".join(events) + b"]") as response:
            text = await response.read()
            answer = None if response.status in UNAVAILABLE else _answer(response.status, text, len(events))
            failure = (
                f"{self._url} answers {response.status} {response.reason}, for {len(events)} events not now"
            )
            return Asked(answer, failure, _retry_after_seconds(response))

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


def http_session(connections: int, key_file: Path | None) -> aiohttp.ClientSession:
    """Shows the API key of that file, or PLAYHEAD_API_KEY, if any: what stands on a command line anybody can read."""
    headers = {"Content-Type": "application/json"}
    if key := _api_key(key_file):
        headers["Authorization"] = f"Bearer {key}"
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections),
        timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX),
        headers=headers,
    )


def _api_key(key_file: Path | None) -> str | None:
    if key_file is None:
        key = settings.load().api_key
        return key.get_secret_value().strip() if key else None
    try:
        return key_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as failed:
        raise SettingsError(f"--key-file {key_file} cannot be read: {failed}") from None


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
        hint = HINTS.get(status, "")
        raise Undelivered(f"the service answered {status}: {told['title']}: {told.get('detail', '')}{hint}")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as unreadable:
        raise Undelivered(f"what answered {status} there is no playhead") from unreadable


def _merged(said: Answer, answer: Answer, asked: list[int]) -> tuple[Answer, list[int]]:
    """Both answers as one, and the indexes of the events that are to be posted again."""
    rejected = [
        (asked[index], reason, detail) for index, reason, detail in answer.rejected if reason != NOT_NOW
    ]
    left = [asked[index] for index, reason, _ in answer.rejected if reason == NOT_NOW]
    merged = Answer(
        said.accepted + answer.accepted, said.duplicates + answer.duplicates, said.rejected + rejected
    )
    return merged, left


def _retry_after_seconds(response: aiohttp.ClientResponse) -> int:
    """What the service asks for; 0 where it gives none, or a date as some proxies do."""
    told = response.headers.get("Retry-After", "")
    return min(int(told), ANSWER_SECONDS_MAX) if told.isdecimal() else 0
