"""1,000 events a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from loadtests.bench.audience import audience, strangers
from loadtests.bench.books import imbalances
from loadtests.bench.figures import Result
from loadtests.bench.systems.hincrby import measure_increments
from loadtests.bench.systems.system import Unavailable
from loadtests.bench.turns import Player, take_turns

if TYPE_CHECKING:
    from loadtests.bench.laboratory import Laboratory
    from loadtests.bench.systems.playhead import Playhead

BATCH_EVENTS = 1000
CONNECTIONS = 8
"""Enough that something always waits; more would only wait longer."""

INCREMENTS = 1_000_000


def batches(laboratory: Laboratory) -> Result:
    """1,000 events a request, of as many viewers: events a second, CPU an event of all processes and of Valkey."""
    result = Result()
    with laboratory.running(laboratory.playhead) as systems:
        player = Player(systems["playhead"], audience(laboratory.viewers), BATCH_EVENTS)
        laboratory.say("1,000 events a request")
        take_turns_in_batches(laboratory, player)
        cpu_us = player.cpu_us_per_event()
        result.show("1,000 events a request", player)
        result.add("batches: events a second", player.events_per_second, "/s", aim=100_000)
        result.add("batches: CPU of all processes", cpu_us["all"], "us/event", aim=15.0, is_upper=True)
        result.add("batches: CPU of Valkey", cpu_us["valkey"], "us/event", aim=6.0, is_upper=True)
        add_snapshots(result, "batches", player)
        if not laboratory.is_quick:
            _measure_strangers(laboratory, result, player)
        result.imbalances = imbalances(player)
    if not laboratory.is_quick:
        _measure_increments(laboratory, result, cpu_us["valkey"])
    return result


def take_turns_in_batches(laboratory: Laboratory, *players: Player, connections: int = CONNECTIONS) -> None:
    take_turns(
        players,
        laboratory.folder,
        connections=connections,
        seconds=laboratory.seconds,
        turns=laboratory.turns,
    )


def add_snapshots(result: Result, title: str, playhead: Player) -> None:
    """Of all turns so far, also those that did not count."""
    stored = cast("Playhead", playhead.system).snapshots()
    result.add(f"{title}: snapshots of pairs, to events", stored / playhead.acknowledged, "x")


def _measure_strangers(laboratory: Laboratory, result: Result, player: Player) -> None:
    laboratory.say("1,000 events a request, every pair new")
    worst = Player(player.system, strangers(), BATCH_EVENTS)
    take_turns_in_batches(laboratory, worst)
    result.show("1,000 events a request, every pair new", worst)
    result.add("batches, every pair new: events a second", worst.events_per_second, "/s")
    player.acknowledged += worst.acknowledged
    player.failures += worst.failures


def _measure_increments(laboratory: Laboratory, result: Result, event_us: float) -> None:
    """The least that Valkey takes for anything: an event is told in it, too, which no machine's mood changes much."""
    laboratory.say("pipelined HINCRBY")
    try:
        increments = measure_increments(laboratory.folder, INCREMENTS)
    except Unavailable as missing:
        laboratory.absent.append(str(missing))
        return
    result.add("floor, pipelined HINCRBY: increments a second", increments.per_second, "/s")
    result.add("floor, pipelined HINCRBY: CPU of Valkey", increments.valkey_us, "us")
    result.add("batches: CPU of Valkey, to HINCRBY", event_us / increments.valkey_us, "x")
