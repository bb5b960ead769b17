"""Against the service that most people would write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtests.bench.audience import audience
from loadtests.bench.books import imbalances
from loadtests.bench.figures import Result
from loadtests.bench.scenarios.batches import BATCH_EVENTS, take_turns_in_batches
from loadtests.bench.systems.upsert import TunedUpsert, Upsert
from loadtests.bench.turns import Player, paired, speed, take_turns

if TYPE_CHECKING:
    from loadtests.bench.laboratory import Laboratory

CONNECTIONS = 64


def upserts(laboratory: Laboratory) -> Result:
    """Beside a service that upserts a row an event into Postgres: events a second, single and in batches."""
    result, slow = Result(), laboratory.for_singles()
    with laboratory.running(slow.playhead, Upsert, TunedUpsert) as systems:
        laboratory.say("beside upserts, one event a request")
        singles = {name: Player(system, audience(slow.viewers)) for name, system in systems.items()}
        take_turns(
            list(singles.values()),
            laboratory.folder,
            connections=CONNECTIONS,
            seconds=slow.seconds,
            turns=slow.turns,
        )
        laboratory.say("beside upserts, 1,000 events a request")
        batched = {
            name: Player(system, singles[name].story, BATCH_EVENTS, acknowledged=singles[name].acknowledged)
            for name, system in systems.items()
        }
        take_turns_in_batches(laboratory, *batched.values())
        for title, players, aim in (("singles", singles, 20.0), ("batches", batched, 100.0)):
            result.show(f"beside upserts, {title}", *players.values())
            times = paired(players["playhead"], players["upsert"], speed)
            result.add(f"{title}: events a second, to upserts", times, "x", aim=aim)
            times = paired(players["playhead"], players["upsert, tuned"], speed)
            result.add(f"{title}: events a second, to tuned upserts", times, "x")
        result.imbalances = [said for player in batched.values() for said in imbalances(player)]
    return result
