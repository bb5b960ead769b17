"""`playhead replay`: posts a file of events or xAPI statements to a running playhead, and balances the books.

A line is read, translated where it is xAPI, posted with others as one JSON array, and booked exactly once: as
accepted, duplicate, rejected (here or by the service) or undelivered.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from service import limits
from service.cli.delivery import DEFAULT_URL, Delivery, http_session, stop_on_signal
from service.cli.lines import SOURCE_ERRORS, Dialect, Item, batches, open_input, read_lines
from service.cli.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Order = Literal["file", "reverse", "shuffled"]


async def replay(
    file: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    url: str = DEFAULT_URL,
    key_file: Path | None = None,
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
    key_file
        Holds the API key to show, where one is needed; PLAYHEAD_API_KEY by default.
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
    async with http_session(connections, key_file) as http:
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
            except SOURCE_ERRORS as broken:
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
