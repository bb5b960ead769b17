"""One playback of one movie by one user: what it says was played, and which of its events it has seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.limits import SEQ_WINDOW
from service.rules.spans import NORMAL_SPEED, length_ms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.events.event import Event
    from service.rules.constants import Constants

Span = tuple[int, int]

_STEPS = frozenset(("pause", "end", "rate", "seek"))
"""Kinds that end a stretch of playing, and so tell what was played since the last event."""

_STARTS = frozenset(("heartbeat", "play"))
_STOPS = frozenset(("pause", "end", "claim", "load"))
"""Kinds after which a session plays on, or not; after the others it does what it did."""

_WINDOW = (1 << SEQ_WINDOW) - 1


@dataclass(slots=True)
class Session:
    """The state of a session.

    `position_ms` is None until an event tells it; `time_us` is the time of the last event, `since_us` that of the last
    one that accounted for what was played (every kind but `mark`): both None before the first. `credited_ms` is all
    watch time that the session was ever credited with. `seqs` tells which `seq` were seen within the window: bit n that
    `seq_max - n` was.
    """

    position_ms: int | None = None
    time_us: int | None = None
    since_us: int | None = None
    playing: bool = False
    speed: int = NORMAL_SPEED
    credited_ms: int = 0
    seq_max: int | None = None
    seqs: int = 0

    def has_seen(self, seq: int) -> bool:
        """Whether this `seq` came before, or is older than the window in which they are told apart."""
        if self.seq_max is None or seq > self.seq_max:
            return False
        age = self.seq_max - seq
        return age >= SEQ_WINDOW or bool(self.seqs >> age & 1)

    def remember(self, seq: int) -> None:
        """Of a `seq` that was not seen."""
        if self.seq_max is None or seq > self.seq_max:
            step = SEQ_WINDOW if self.seq_max is None else min(seq - self.seq_max, SEQ_WINDOW)
            self.seqs = (self.seqs << step | 1) & _WINDOW
            self.seq_max = seq
        else:
            self.seqs |= 1 << self.seq_max - seq

    def is_late(self, event: Event) -> bool:
        """An event older than the session's last one moves no session state and pairs with nothing."""
        return self.time_us is not None and event.time_us < self.time_us

    def played(self, event: Event, late: bool, constants: Constants) -> tuple[Sequence[Span], int]:
        """The spans that an event says were played, and the speed at which they were, in thousandths.

        For `claim` they are all the spans claimed, whatever was credited before.
        """
        kind = event.kind
        if kind == "segment":
            assert event.from_ms is not None
            return ((event.from_ms, event.at_ms),), event.speed or NORMAL_SPEED
        if kind == "claim":
            return event.segments, event.speed or NORMAL_SPEED
        speed = self.speed if kind == "rate" else event.speed or self.speed
        if late:
            return (), speed
        if kind == "heartbeat":
            return (self._heartbeat(event.at_ms, constants),), speed
        if kind in _STEPS and self.playing and self.position_ms is not None:
            until_ms = event.at_ms if event.from_ms is None else event.from_ms
            return ((self.position_ms, until_ms),), speed
        return (), speed

    def _heartbeat(self, at_ms: int, constants: Constants) -> Span:
        if self.position_ms is not None and 0 <= at_ms - self.position_ms <= constants.heartbeat_gap_ms:
            return self.position_ms, at_ms
        return max(0, at_ms - constants.heartbeat_interval_ms), at_ms

    def credit(self, event: Event, spans: Sequence[Span]) -> int:
        """Watch time in ms that these spans are worth; a claim's, by how much its total exceeds what was credited."""
        total_ms = 0
        for start_ms, end_ms in spans:
            total_ms += length_ms(start_ms, end_ms)
        credit_ms = max(0, total_ms - self.credited_ms) if event.kind == "claim" else total_ms
        self.credited_ms += credit_ms
        return credit_ms

    def move(self, event: Event) -> None:
        """Follow an event that is not late."""
        self.time_us = event.time_us
        if event.speed is not None:
            self.speed = event.speed
        kind = event.kind
        if kind == "mark":
            return
        self.since_us = event.time_us
        self.position_ms = None if kind == "load" else event.at_ms
        if kind in _STARTS:
            self.playing = True
        elif kind in _STOPS:
            self.playing = False
