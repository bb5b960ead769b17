"""`playhead simulate`: a believable audience watches, and a running playhead counts it.

One task takes moments from `service.cli.audience` as they fall due and hands each to its viewer's connection:
a viewer's events arrive in order. Each connection posts what waits for it and books the answers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom
from statistics import quantiles
from typing import TYPE_CHECKING, Annotated

import orjson
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.live import Live
from rich.table import Table

from service import limits
from service.cli.audience import WAIT_SECONDS_MEAN, audience
from service.cli.delivery import DEFAULT_URL, Delivery, http_session, stop_on_signal
from service.cli.lines import Line
from service.cli.streaming import StreamedDelivery
from service.cli.tally import Tally
from service.clock import now_us

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.cli.audience import Moment

LATENCIES_KEPT = 20_000
"""Requests whose latency is remembered: the percentiles of a longer run are those of its latest ones."""

WAITING_MAX = 1000
"""Events that may wait for one connection: a slow service slows the audience, it does not fill memory."""

SHOWN_EVERY_SECONDS = 0.25
ENDLESS_HISTORY_SECONDS = 7 * 86400

Waiting = asyncio.Queue[Line | None]


@dataclass(slots=True)
class Books:
    """The tally of what was sent, and how long the answers took."""

    tally: Tally = field(default_factory=lambda: Tally("event"))
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES_KEPT))

    def percentiles_ms(self) -> tuple[float, float]:
        """The 50th and the 99th; 0 while there are too few to tell."""
        if len(self.latencies_ms) < 2:
            return 0.0, 0.0
        hundredths = quantiles(self.latencies_ms, n=100, method="inclusive")
        return round(hundredths[49], 2), round(hundredths[98], 2)


async def simulate(
    *,
    viewers: Annotated[int, Parameter(validator=Number(gte=1, lte=1_000_000))] = 200,
    movies: Annotated[int, Parameter(validator=Number(gte=1, lte=100_000))] = 50,
    events_per_second: Annotated[float, Parameter(validator=Number(gt=0))] = 500,
    seconds: Annotated[float, Parameter(validator=Number(gte=0))] = 60,
    time_scale: Annotated[float | None, Parameter(validator=Number(gt=0))] = None,
    seed: int | None = None,
    url: str = DEFAULT_URL,
    key_file: Path | None = None,
    batch: Annotated[int, Parameter(validator=Number(gte=1, lte=limits.EVENTS_PER_BODY_MAX))] = 1,
    connections: Annotated[int, Parameter(validator=Number(gte=1, lte=256))] = 8,
    stream: Annotated[bool, Parameter(negative="")] = False,
    retries: Annotated[int, Parameter(validator=Number(gte=0, lte=1000))] = 8,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Let an audience watch: people start movies, pause, seek, rewatch, change speed, leave and come back.

    Without `--time-scale`, the audience's time runs as fast as `--events-per-second` needs, in the past, up
    to about now. Ctrl-C ends it and closes the books. The exit code is 0 when every event was answered for.

    Parameters
    ----------
    viewers
        People, each with a player that sends a heartbeat every 10 s of its time.
    movies
        To choose from; a few are hot, most are not (Zipf).
    events_per_second
        The pace; with `--time-scale`, the most.
    seconds
        How long to send; 0 is until Ctrl-C.
    time_scale
        Seconds of the audience's time in one second: 1 is live, 60 makes a minute of a second.
    seed
        The same seed makes the same audience, so a second run with it sends duplicates; new by default.
    url
        Where playhead listens.
    key_file
        Holds the API key to show, where one is needed; PLAYHEAD_API_KEY by default.
    batch
        The most events in one request, or on their way over one WebSocket; players send 1.
    connections
        Requests under way at once, or WebSockets; a viewer's events always take the same one, in order.
    stream
        Send over WebSockets, one event a message.
    retries
        How often events are posted again when the service is away or says "later".
    as_json
        Print the summary as one JSON object.
    """
    seed = SystemRandom().randrange(2**32) if seed is None else seed
    console, books, loop = Console(stderr=True), Books(), asyncio.get_running_loop()
    console.print(f"playhead: {viewers} viewers, {movies} movies, seed {seed}", highlight=False)
    began_us = now_us() - round(_history_seconds(viewers, events_per_second, seconds, time_scale) * 1_000_000)
    waiting = [Waiting(WAITING_MAX) for _ in range(connections)]
    started = loop.time()
    async with http_session(connections, key_file) as http:
        with stop_on_signal() as stop:
            kind, said = StreamedDelivery if stream else Delivery, set[str]()
            deliveries = [kind(http, url, retries, stop, console, said=said) for _ in waiting]
            pace = Pace(started, events_per_second, time_scale, started + seconds if seconds else None)
            live = asyncio.create_task(_show(console, books, started))
            await asyncio.gather(
                _feed(audience(viewers, movies, seed), began_us, pace, waiting, books=books, stop=stop),
                *(
                    _post(queue, batch, delivery, books)
                    for queue, delivery in zip(waiting, deliveries, strict=True)
                ),
            )
            await asyncio.gather(*(delivery.close() for delivery in deliveries))
            live.cancel()
            with suppress(asyncio.CancelledError):
                await live
    p50_ms, p99_ms = books.percentiles_ms()
    elapsed_seconds = loop.time() - started
    resent = sum(delivery.resent for delivery in deliveries)
    books.tally.report("sent", resent, elapsed_seconds, as_json, p50_ms=p50_ms, p99_ms=p99_ms)
    return books.tally.exit_code


@dataclass(frozen=True, slots=True)
class Pace:
    """When the n-th event is due, on the loop's clock: neither before its moment nor above the rate."""

    started: float
    events_per_second: float
    time_scale: float | None
    ends: float | None

    def due(self, index: int, moment: Moment) -> float:
        by_rate = index / self.events_per_second
        by_moment = moment.at_ms / 1000 / self.time_scale if self.time_scale else 0.0
        return self.started + max(by_rate, by_moment)


def _history_seconds(
    viewers: int, events_per_second: float, seconds: float, time_scale: float | None
) -> float:
    """How long ago the audience begins, so that what it does ends about now and never lies in the future.

    Time in the future would count as now, and what was played then would seem faster than the clock.
    """
    if time_scale is not None and time_scale <= 1:
        return 0
    if not seconds:
        return ENDLESS_HISTORY_SECONDS
    events_take_seconds = 1.1 * WAIT_SECONDS_MEAN * events_per_second * seconds / viewers + 60
    return events_take_seconds if time_scale is None else seconds * time_scale


async def _feed(
    moments: Iterator[Moment],
    began_us: int,
    pace: Pace,
    waiting: list[Waiting],
    *,
    books: Books,
    stop: asyncio.Event,
) -> None:
    """Hand out moments as they fall due, until time is up; then tell the connections that no more comes."""
    loop = asyncio.get_running_loop()
    for index, moment in enumerate(moments):
        due = pace.due(index, moment)
        ends = due if pace.ends is None else min(due, pace.ends)
        if ends > loop.time():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), ends - loop.time())
        over = pace.ends is not None and (due >= pace.ends or loop.time() >= pace.ends)
        if over or stop.is_set() or books.tally.failure:
            break
        ts = began_us / 1_000_000 + moment.at_ms / 1000
        line = Line(index, orjson.dumps(moment.event | {"ts": round(ts, 3)}), repeatable=True)
        await waiting[moment.viewer % len(waiting)].put(line)
    for queue in waiting:
        await queue.put(None)


async def _post(queue: Waiting, batch: int, delivery: Delivery, books: Books) -> None:
    """Post what waits, in order, until no more comes."""
    loop = asyncio.get_running_loop()
    while (line := await queue.get()) is not None:
        lines, more = [line], True
        while more and len(lines) < batch and not queue.empty():
            following = queue.get_nowait()
            more = following is not None
            if following:
                lines.append(following)
        posted = loop.time()
        await books.tally.deliver(lines, delivery)
        if not books.tally.failure:
            books.latencies_ms.append((loop.time() - posted) * 1000)
        if not more:
            return


async def _show(console: Console, books: Books, started: float) -> None:
    """The numbers as they are, on a terminal only."""
    if not console.is_terminal:
        return
    loop = asyncio.get_running_loop()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(_table(books, loop.time() - started), refresh=True)
            await asyncio.sleep(SHOWN_EVERY_SECONDS)


def _table(books: Books, elapsed_seconds: float) -> Table:
    tally, (p50_ms, p99_ms) = books.tally, books.percentiles_ms()
    numbers = {
        "seconds": f"{elapsed_seconds:.0f}",
        "sent": f"{tally.read:,}",
        "events/s": f"{tally.read / elapsed_seconds:,.0f}" if elapsed_seconds else "0",
        "accepted": f"{tally.accepted:,}",
        "duplicates": f"{tally.duplicates:,}",
        "rejected": f"{tally.rejected.total():,}",
        "p50 ms": f"{p50_ms:g}",
        "p99 ms": f"{p99_ms:g}",
    }
    table = Table(*numbers)
    table.add_row(*numbers.values())
    return table
