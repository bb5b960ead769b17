"""1,000 events a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtests.bench.audience import audience, strangers
from loadtests.bench.books import imbalances
from loadtests.bench.figures import Result
from loadtests.bench.systems.playhead import Playhead
from loadtests.bench.turns import Player, take_turns

if TYPE_CHECKING:
    from loadtests.bench.laboratory import Laboratory

BATCH_EVENTS = 1000
CONNECTIONS = 8
"""Enough that something always waits; more would only wait longer."""


def batches(laboratory: Laboratory) -> Result:
    """1,000 events a request, of as many viewers: events a second, CPU an event of all processes and of Valkey."""
    result = Result()
    with laboratory.running(Playhead) as systems:
        player = Player(systems["playhead"], audience(), BATCH_EVENTS)
        laboratory.say("1,000 events a request")
        _take_turns(laboratory, player)
        cpu_us = player.cpu_us_per_event()
        result.show("1,000 events a request", player)
        result.add("batches: events a second", player.events_per_second, "/s", aim=100_000)
        result.add("batches: CPU of all processes", cpu_us["all"], "us/event", aim=15.0, is_upper=True)
        result.add("batches: CPU of Valkey", cpu_us["valkey"], "us/event", aim=6.0, is_upper=True)
        worst = Player(systems["playhead"], strangers(), BATCH_EVENTS, acknowledged=player.acknowledged)
        laboratory.say("1,000 events a request, every pair new")
        _take_turns(laboratory, worst)
        result.show("1,000 events a request, every pair new", worst)
        result.add("batches, every pair new: events a second", worst.events_per_second, "/s")
        result.imbalances = imbalances(worst)
    return result


def _take_turns(laboratory: Laboratory, player: Player) -> None:
    take_turns(
        [player],
        laboratory.folder,
        connections=CONNECTIONS,
        seconds=laboratory.seconds,
        turns=laboratory.turns,
    )
