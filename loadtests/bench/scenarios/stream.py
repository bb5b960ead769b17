"""Events over WebSockets, one a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtests.bench.audience import as_json, audience
from loadtests.bench.books import imbalances
from loadtests.bench.figures import Result
from loadtests.bench.turns import Player, take_turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtests.bench.audience import Moment
    from loadtests.bench.laboratory import Laboratory

FRAMES = 100
"""Messages that a connection writes at once; up to ten times as many wait for their acknowledgement."""

CONNECTIONS = 16


def stream(laboratory: Laboratory) -> Result:
    """One event a message over a WebSocket, acknowledgements in order: events a second, CPU an event."""
    result = Result()
    with laboratory.running(laboratory.playhead) as systems:
        player = Player(systems["playhead"], audience(), FRAMES, spell=frames, is_stream=True)
        laboratory.say("one event a message over WebSockets")
        take_turns(
            [player],
            laboratory.folder,
            connections=CONNECTIONS,
            seconds=laboratory.seconds,
            turns=laboratory.turns,
        )
        title = f"one event a message, {CONNECTIONS} WebSockets"
        result.show(title, player)
        result.add(f"{title}: events a second", player.events_per_second, "/s", aim=60_000)
        result.add(f"{title}: CPU of all processes", player.cpu_us_per_event()["all"], "us/event")
        result.imbalances = imbalances(player)
    return result


def frames(moments: Sequence[Moment]) -> bytes:
    """One frame each, masked with zeros, as the protocol allows: the server unmasks them like any others."""
    return b"".join(_frame(as_json(moment)) for moment in moments)


def _frame(payload: bytes) -> bytes:
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2)
    return b"\x81" + length + bytes(4) + payload
