"""One playback of one movie by one user: what it says was played, and which of its events it has seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from service.limits import SEQ_WINDOW
from service.rules.spans import NORMAL_SPEED, length_ms

if TYPE_CHECKING:
    from service.events.event import Event
    from service.rules.constants import Constants

Span = tuple[int, int]


@dataclass(slots=True)
class Session:
    """The state of a session.

    `position_ms` is None until an event tells it; `time_us` is the time of the last event, `since_us` that of the last
    one that accounted for what was played (every kind but `mark`): both None before the first. `credited_ms` is all
    watch time that the session was ever credited with. `seqs` are the `seq` seen within the window below `seq_max`.
    """

    position_ms: int | None = None
    time_us: int | None = None
    since_us: int | None = None
    playing: bool = False
    speed: int = NORMAL_SPEED
    credited_ms: int = 0
    seq_max: int | None = None
    seqs: set[int] = field(default_factory=set)

    def has_seen(self, seq: int) -> bool:
        """Whether this `seq` came before, or is older than the window in which they are told apart."""
        return self.seq_max is not None and (seq <= self.seq_max - SEQ_WINDOW or seq in self.seqs)

    def remember(self, seq: int) -> None:
        self.seq_max = seq if self.seq_max is None else max(seq, self.seq_max)
        self.seqs.add(seq)
        self.seqs = {seen for seen in self.seqs if seen > self.seq_max - SEQ_WINDOW}

    def is_late(self, event: Event) -> bool:
        """An event older than the session's last one moves no session state and pairs with nothing."""
        return self.time_us is not None and event.time_us < self.time_us

    def played(self, event: Event, constants: Constants) -> tuple[list[Span], int]:
        """The spans that an event says were played, and the speed at which they were, in thousandths.

        For `claim` they are all the spans claimed, whatever was credited before.
        """
        own_speed = event.speed or NORMAL_SPEED
        if event.kind == "segment":
            assert event.from_ms is not None
            return [(event.from_ms, event.at_ms)], own_speed
        if event.kind == "claim":
            return list(event.segments), own_speed
        speed = self.speed if event.kind == "rate" else event.speed or self.speed
        match event.kind:
            case _ if self.is_late(event):
                return [], speed
            case "heartbeat":
                return [self._heartbeat(event.at_ms, constants)], speed
            case "pause" | "end" | "rate" | "seek" if self.playing and self.position_ms is not None:
                until_ms = event.at_ms if event.from_ms is None else event.from_ms
                return [(self.position_ms, until_ms)], speed
        return [], speed

    def _heartbeat(self, at_ms: int, constants: Constants) -> Span:
        if self.position_ms is not None and 0 <= at_ms - self.position_ms <= constants.heartbeat_gap_ms:
            return self.position_ms, at_ms
        return max(0, at_ms - constants.heartbeat_interval_ms), at_ms

    def credit(self, event: Event, spans: list[Span]) -> int:
        """Watch time in ms that these spans are worth; a claim's, by how much its total exceeds what was credited."""
        total_ms = sum(length_ms(start, end) for start, end in spans)
        credit_ms = max(0, total_ms - self.credited_ms) if event.kind == "claim" else total_ms
        self.credited_ms += credit_ms
        return credit_ms

    def move(self, event: Event) -> None:
        """Follow an event that is not late."""
        self.time_us = event.time_us
        if event.speed is not None:
            self.speed = event.speed
        if event.kind == "mark":
            return
        self.since_us = event.time_us
        self.position_ms = None if event.kind == "load" else event.at_ms
        match event.kind:
            case "heartbeat" | "play":
                self.playing = True
            case "pause" | "end" | "claim" | "load":
                self.playing = False
