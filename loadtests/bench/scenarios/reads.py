"""Reads of a movie, a user and a pair: alone, and while events come in."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from loadtests.bench.audience import audience
from loadtests.bench.books import imbalances
from loadtests.bench.figures import Result
from loadtests.bench.laboratory import VIEWERS, snapshot_interval_seconds
from loadtests.bench.scenarios.batches import BATCH_EVENTS
from loadtests.bench.systems.nothing import ANSWER, Nothing
from loadtests.bench.systems.playhead import Playhead
from loadtests.bench.systems.system import get
from loadtests.bench.turns import Generator, Player, book, job_of, load, paired, speed, take_turn, take_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadtests.bench.audience import Moment
    from loadtests.bench.laboratory import Laboratory
    from loadtests.bench.systems.system import System

CONNECTIONS = 64
INGEST_SHARE, INGESTED = 0.8, 14_000
"""Of the best with single events, and about how many a second that is."""

READS_PER_SECOND, READING_CONNECTIONS = 200.0, 8
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
    interval_seconds = snapshot_interval_seconds(VIEWERS, INGESTED)
    kind = partial(Playhead, snapshot_interval_seconds=interval_seconds)
    with laboratory.running(kind, Nothing) as systems:
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
        _read_under_load(laboratory, result, writer)
        result.imbalances = imbalances(writer)
    return result


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


def _read_under_load(laboratory: Laboratory, result: Result, writer: Player) -> None:
    """Two generators at once: single events at a steady rate, and few reads whose latency is looked at.

    Of each kind as long as all turns together: in some of that time snapshots are taken, in some not.
    """
    single = Player(writer.system, writer.story)
    best = take_turn(single, laboratory.folder, CONNECTIONS, laboratory.seconds, 200_000)
    rate, reading_seconds = INGEST_SHARE * best.events_per_second, laboratory.turns * laboratory.seconds
    seconds = (len(PATHS) + 1) * reading_seconds + 3
    laboratory.say(f"reads while {rate:,.0f} events a second come in")
    job = job_of(single, laboratory.folder / "ingest", CONNECTIONS, seconds, round(rate * seconds), rate=rate)
    with Generator(job) as ingest:
        ingest.start()
        for what in PATHS:
            reader = _reader(writer.system, what)
            count = round(READS_PER_SECOND * reading_seconds)
            turn = take_turn(
                reader,
                laboratory.folder,
                READING_CONNECTIONS,
                reading_seconds,
                count,
                rate=READS_PER_SECOND,
                is_settling=False,
            )
            latency_ms = turn.outcome.latencies_ms["p99"]
            name = f"reads of a {what} while events come in: p99"
            result.add(name, latency_ms, "ms", aim=P99_MS_AIM, is_upper=True)
        outcome = ingest.finish()
    book(single, outcome)
    writer.acknowledged += single.acknowledged
    writer.failures += single.failures
