"""Batches at a steady rate for a minute, and how far Postgres is behind at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtests.bench.audience import audience
from loadtests.bench.books import imbalances
from loadtests.bench.figures import Result
from loadtests.bench.processor import cpu_by_role, difference
from loadtests.bench.scenarios.batches import BATCH_EVENTS, CONNECTIONS
from loadtests.bench.systems.playhead import Playhead
from loadtests.bench.turns import Generator, Player, Turn, book, job_of, take_turns

if TYPE_CHECKING:
    from loadtests.bench.laboratory import Laboratory

RATE_AIM = 70_000
SECONDS = 60.0
BEHIND_SECONDS_AIM = 2.0
BEST_SHARE = 0.7
"""Of what playhead takes at best, where that is too little for the aim: above what it can take nothing can be held."""


def hold(laboratory: Laboratory) -> Result:
    """70,000 events a second for 60 s, open loop: latencies from when each was due, Postgres' lag at the end."""
    result = Result()
    with laboratory.running(Playhead) as systems:
        playhead = systems["playhead"]
        assert isinstance(playhead, Playhead)
        player = Player(playhead, audience(), BATCH_EVENTS)
        take_turns([player], laboratory.folder, connections=CONNECTIONS, seconds=laboratory.seconds, turns=1)
        rate = min(RATE_AIM, BEST_SHARE * player.events_per_second) / BATCH_EVENTS
        player.turns.clear()
        laboratory.say(f"{rate * BATCH_EVENTS:,.0f} events a second for {SECONDS:.0f} s")
        path = laboratory.folder / "requests"
        job = job_of(player, path, CONNECTIONS, SECONDS, round(rate * SECONDS), rate=rate)
        with Generator(job) as generator:
            before = cpu_by_role([*playhead.roots(), generator.pid])
            outcome = generator.run()
            behind_seconds = float(playhead.read("/readyz")["backlog_age_seconds"])
            settle_seconds = playhead.settle()
            after = cpu_by_role([*playhead.roots(), generator.pid])
        spent = difference(before, after)
        player.turns.append(Turn(outcome, book(player, outcome), spent, settle_seconds))
        result.show(f"1,000 events a request, held for {SECONDS:.0f} s, open loop", player)
        name = f"batches held for {SECONDS:.0f} s"
        result.add(f"{name}: events a second", player.events_per_second, "/s", aim=RATE_AIM * 0.99)
        result.add(f"{name}: p99", player.latencies_ms()["p99"], "ms")
        result.add(f"{name}: Postgres behind", behind_seconds, "s", aim=BEHIND_SECONDS_AIM, is_upper=True)
        result.add(f"{name}: until all is in Postgres", settle_seconds, "s")
        result.imbalances = imbalances(player)
    return result
