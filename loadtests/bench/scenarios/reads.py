"""Reads of a movie, a user and a pair: alone, and while events come in."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, cast

from loadtests.bench.audience import audience
from loadtests.bench.books import imbalances
from loadtests.bench.figures import Result
from loadtests.bench.laboratory import VIEWERS, snapshot_interval_seconds
from loadtests.bench.scenarios.batches import BATCH_EVENTS
from loadtests.bench.systems.nothing import ANSWER, Nothing
from loadtests.bench.systems.playhead import Playhead
from loadtests.bench.systems.system import get
from loadtests.bench.systems.webdis import ReadingWebdis
from loadtests.bench.turns import (
    Generator,
    Player,
    book,
    job_of,
    load,
    paired,
    speed,
    take_turn,
    take_turns,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from loadtests.bench.audience import Moment
    from loadtests.bench.generator import Outcome
    from loadtests.bench.laboratory import Laboratory
    from loadtests.bench.systems.system import System

CONNECTIONS = 64
INGEST_SHARE, INGESTED = 0.8, 14_000
"""Of the best with single events, and about how many a second that is."""

SNAPSHOT_SECONDS = snapshot_interval_seconds(VIEWERS, INGESTED)
BEST_SECONDS = 2 * SNAPSHOT_SECONDS
"""So the best has paid for snapshots: 80 % of what comes without any is more than can be kept with them."""

READS_PER_SECOND, READING_CONNECTIONS = 100.0, 4
"""Of each kind. All kinds are read at once, so that whatever happens meanwhile happens to all of them."""

READING_SECONDS_TIMES = 3
"""As many times the turns of other scenarios: several rounds of snapshots."""

AROUND_SECONDS = 3.0
"""Events come in before the reads, and after them."""

P99_MS_AIM = 10.0

PATHS: dict[str, tuple[Callable[[Moment], str], str]] = {
    "movie": (lambda moment: f"/v1/movies/{moment.slug}", '{"slug":'),
    "user": (lambda moment: f"/v1/users/{moment.user}", '{"user":'),
    "pair": (lambda moment: f"/v1/users/{moment.user}/movies/{moment.slug}", '{"user":'),
}
"""What is read, how it is spelled, and how its answer begins."""


def reads(laboratory: Laboratory) -> Result:
    """Reads beside the handler that does nothing, and their p99 while events come in at 80 % of the best."""
    result = Result()
    kind = partial(Playhead, snapshot_interval_seconds=SNAPSHOT_SECONDS)
    with (
        laboratory.running(kind, Nothing) as systems,
        laboratory.running(partial(ReadingWebdis, redis_url=_redis_url(systems))) as floors,
    ):
        writer = Player(systems["playhead"], audience(VIEWERS), BATCH_EVENTS)
        load(writer, laboratory.folder, VIEWERS // BATCH_EVENTS)
        for what in PATHS:
            laboratory.say(f"reads of a {what}")
            playhead, nothing = _reader(systems["playhead"], what), _reader(systems["nothing"], what)
            take_turns(
                [playhead, nothing],
                laboratory.folder,
                connections=CONNECTIONS,
                seconds=laboratory.seconds,
                turns=laboratory.turns,
            )
            result.show(f"reads of a {what}", playhead, nothing)
            result.add(f"reads of a {what}, to doing nothing", paired(playhead, nothing, speed), "x", aim=0.6)
            writer.failures += playhead.failures + nothing.failures
        _read_under_load(laboratory, result, writer, systems["nothing"], floors.get(ReadingWebdis.name))
        result.imbalances = imbalances(writer)
    return result


def _redis_url(systems: dict[str, System]) -> str:
    return cast("Playhead", systems["playhead"]).redis_url


def _reader(system: System, what: str) -> Player:
    """What is read are those who watch in the first round of the audience: they have been counted."""
    path, begins = PATHS[what]
    expected = begins if system.name == "playhead" else ANSWER.decode()
    return Player(
        system,
        _again_and_again(),
        spell=lambda moments: get(path(moments[0])),
        expected=expected,
        is_reading=True,
    )


def _again_and_again() -> Iterator[Moment]:
    while True:
        yield from islice(audience(VIEWERS), VIEWERS)


def _read_under_load(
    laboratory: Laboratory, result: Result, writer: Player, nothing: System, webdis: System | None
) -> None:
    """Generators at once: single events at a steady rate, and few reads of each kind, whose latency is looked at.

    Beside them are those of who does less: what waiting for a processor costs, and what waiting for that Valkey does.
    """
    single = Player(writer.system, writer.story)
    best = take_turn(single, laboratory.folder, CONNECTIONS, BEST_SECONDS, round(BEST_SECONDS * 50_000))
    rate = INGEST_SHARE * best.events_per_second
    readers = {what: _reader(writer.system, what) for what in PATHS}
    readers[nothing.name] = _reader(nothing, "pair")
    if webdis:
        readers[webdis.name] = Player(webdis, _again_and_again(), is_reading=True)
    laboratory.say(f"reads while {rate:,.0f} events a second come in")
    seconds = READING_SECONDS_TIMES * laboratory.turns * laboratory.seconds
    ingest, latencies_ms = _read_beside(laboratory, single, rate, readers, seconds)
    for what in PATHS:
        name, latency_ms = f"reads of a {what} while events come in: p99", latencies_ms[what]["p99"]
        result.add(name, latency_ms, "ms", aim=P99_MS_AIM, is_upper=True)
        if webdis:
            ratio = latency_ms / latencies_ms[webdis.name]["p99"]
            result.add(f"{name}, to webdis reading one key", ratio, "x")
    for system in (nothing, webdis):
        if system:
            title = f"{system.name}, asked while events come in: p99"
            result.add(title, latencies_ms[system.name]["p99"], "ms")
    result.add("events that come in beside reads: a second", rate, "/s")
    result.add("events that come in beside reads: p50", ingest.latencies_ms["p50"], "ms")
    book(single, ingest)
    writer.acknowledged += single.acknowledged
    writer.failures += single.failures + [said for reader in readers.values() for said in reader.failures]


def _read_beside(
    laboratory: Laboratory, single: Player, rate: float, readers: Mapping[str, Player], seconds: float
) -> tuple[Outcome, dict[str, dict[str, float]]]:
    """What became of the events, and each reader's latencies."""
    folder, ingesting_seconds = laboratory.folder, seconds + 2 * AROUND_SECONDS
    count = round(rate * ingesting_seconds)
    job = job_of(single, folder / "ingest", CONNECTIONS, ingesting_seconds, count, rate=rate)
    reads = round(READS_PER_SECOND * seconds)
    jobs = [
        job_of(reader, folder / f"reads {what}", READING_CONNECTIONS, seconds, reads, rate=READS_PER_SECOND)
        for what, reader in readers.items()
    ]
    with ExitStack() as stack:
        ingest = stack.enter_context(Generator(job))
        reading = [stack.enter_context(Generator(job)) for job in jobs]
        ingest.start()
        time.sleep(AROUND_SECONDS)
        for generator in reading:
            generator.start()
        latencies_ms = {}
        for (what, reader), generator in zip(readers.items(), reading, strict=True):
            outcome = generator.finish()
            book(reader, outcome)
            latencies_ms[what] = outcome.latencies_ms
        return ingest.finish(), latencies_ms
