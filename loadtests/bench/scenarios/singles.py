"""One event a request, each acknowledged after fsync."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtests.bench.audience import audience, strangers
from loadtests.bench.books import imbalances
from loadtests.bench.figures import Result
from loadtests.bench.scenarios.batches import add_snapshots
from loadtests.bench.systems.nothing import Nothing
from loadtests.bench.systems.webdis import StoredWebdis, Webdis
from loadtests.bench.turns import Player, p99, paired, speed, take_turns

if TYPE_CHECKING:
    from loadtests.bench.laboratory import Laboratory

CPU_US_AIM = 45.0


def singles(laboratory: Laboratory) -> Result:
    """One event a request: events a second and p99 beside webdis and the handler that does nothing; CPU an event."""
    result, laboratory = Result(), laboratory.for_singles()
    more = () if laboratory.is_quick else (laboratory.stored_webdis,)
    with laboratory.running(laboratory.playhead, Webdis, Nothing, *more) as systems:
        players = {name: Player(system, audience(laboratory.viewers)) for name, system in systems.items()}
        for number in (64,) if laboratory.is_quick else (64, 256):
            _measure(laboratory, result, players, number)
        add_snapshots(result, "singles", players["playhead"])
        if not laboratory.is_quick:
            _measure_strangers(laboratory, result, players)
        result.imbalances = [said for player in players.values() for said in imbalances(player)]
    return result


def _measure_strangers(laboratory: Laboratory, result: Result, players: dict[str, Player]) -> None:
    laboratory.say("one event a request, every pair new")
    worst = Player(players["playhead"].system, strangers())
    take_turns([worst], laboratory.folder, connections=64, seconds=laboratory.seconds, turns=laboratory.turns)
    result.show("one event a request, 64 connections, every pair new", worst)
    result.add("singles, every pair new: events a second", worst.events_per_second, "/s")
    players["playhead"].acknowledged += worst.acknowledged
    players["playhead"].failures += worst.failures


def _measure(laboratory: Laboratory, result: Result, players: dict[str, Player], connections: int) -> None:
    laboratory.say(f"one event a request, {connections} connections")
    for player in players.values():
        player.turns.clear()
    take_turns(
        list(players.values()),
        laboratory.folder,
        connections=connections,
        seconds=laboratory.seconds,
        turns=laboratory.turns,
    )
    result.show(f"one event a request, {connections} connections", *players.values())
    playhead, nothing, webdis = players["playhead"], players["nothing"], players.get("webdis")
    stored = players.get(StoredWebdis.name)
    title = f"singles, {connections} connections"
    result.add(f"{title}: events a second", playhead.events_per_second, "/s")
    result.add(f"{title}: events a second, to webdis", paired(playhead, webdis, speed), "x", aim=1.0)
    if not laboratory.is_quick:
        result.add(f"{title}: events a second, to stored webdis", paired(playhead, stored, speed), "x")
        result.add(f"{title}: p99, to stored webdis", paired(playhead, stored, p99), "x")
    result.add(f"{title}: events a second, to doing nothing", paired(playhead, nothing, speed), "x", aim=0.6)
    result.add(f"{title}: p99, to webdis", paired(playhead, webdis, p99), "x", aim=1.0, is_upper=True)
    cpu_us, nothing_us = playhead.cpu_us_per_event()["all"], nothing.cpu_us_per_event()["all"]
    result.add(f"{title}: CPU of all processes", cpu_us, "us/event", aim=CPU_US_AIM, is_upper=True)
    result.add(f"{title}: CPU of all processes, to doing nothing", cpu_us / nothing_us, "x")
