"""The specification of the counting core: every rule of design 2, plainly, on Python's own sets and dictionaries.

`lua/` does the same in Redis. Random sequences of events must leave both in the same state, bit for bit
(tests/lua/test_model.py), so whoever changes one changes the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from service.rules.constants import Constants
from service.rules.session import Session
from service.rules.spans import allowed_ms, cells, effective_ms

if TYPE_CHECKING:
    from service.events.event import Event

FASTER_THAN_CLOCK = "faster_than_clock"
"""The reason of implausible time that the core itself can see: more was played than the clock allowed."""


class Outcome(NamedTuple):
    """What became of an event. `credited_ms` and `implausible_ms` are 0 for a duplicate."""

    duplicate: bool
    credited_ms: int = 0
    implausible_ms: int = 0


@dataclass(slots=True)
class Totals:
    """The three clocks, and how many events made them. `unique_cells` counts seconds."""

    watch_ms: int = 0
    effective_ms: int = 0
    unique_cells: int = 0
    events: int = 0

    def add(self, watch_ms: int, effective: int, unique_cells: int) -> None:
        self.watch_ms += watch_ms
        self.effective_ms += effective
        self.unique_cells += unique_cells
        self.events += 1


@dataclass(slots=True)
class Pair:
    """A user and a movie. `latest_ms` and `latest_us` are None while only `load` has come."""

    totals: Totals = field(default_factory=Totals)
    latest_ms: int | None = None
    latest_us: int | None = None
    furthest_ms: int = 0
    implausible_ms: int = 0
    seen: set[int] = field(default_factory=set)
    sessions: dict[str, Session] = field(default_factory=dict)

    @property
    def verified_cells(self) -> int:
        """How far the pair is covered from second 0 without a hole."""
        cell = 0
        while cell in self.seen:
            cell += 1
        return cell

    def move(self, event: Event) -> None:
        """`latest` moves to what is not older; `furthest` to the highest position told. A `load` moves neither."""
        if event.kind == "load":
            return
        if self.latest_us is None or event.time_us >= self.latest_us:
            self.latest_us, self.latest_ms = event.time_us, event.at_ms
        told = [event.at_ms, event.from_ms or 0, *(end for _, end in event.segments)]
        self.furthest_ms = max(self.furthest_ms, *told)


@dataclass(slots=True)
class User:
    totals: Totals = field(default_factory=Totals)
    movies: int = 0
    ids: dict[str, int] = field(default_factory=dict)
    """When each id was received, in us."""


@dataclass(slots=True)
class Movie:
    totals: Totals = field(default_factory=Totals)
    viewers: int = 0


class Model:
    """All counters of one playhead, and `apply`, which counts one event."""

    def __init__(self, constants: Constants | None = None) -> None:
        self.constants = constants or Constants()
        self.users: dict[str, User] = {}
        self.movies: dict[str, Movie] = {}
        self.pairs: dict[tuple[str, str], Pair] = {}

    def apply(self, event: Event) -> Outcome:
        """Count one event, once. The order of calls is the order of receipt."""
        if self._is_duplicate(event):
            return Outcome(duplicate=True)
        user, movie, pair = self._counters(event)
        session = pair.sessions.setdefault(event.session, Session())
        self._remember(event, user, session)

        spans, speed = session.played(event, self.constants)
        credited_ms = session.credit(event, spans)
        implausible_ms = self._implausible_ms(event, session, credited_ms, speed)
        unique_cells = self._mark(pair, spans)
        effective = self._effective_ms(event, spans, credited_ms, speed)

        for totals in (user.totals, movie.totals, pair.totals):
            totals.add(credited_ms, effective, unique_cells)
        pair.implausible_ms += implausible_ms
        pair.move(event)
        if not session.is_late(event):
            session.move(event)
        return Outcome(False, credited_ms, implausible_ms)

    def _is_duplicate(self, event: Event) -> bool:
        if event.seq is not None:
            pair = self.pairs.get((event.user, event.slug))
            session = pair.sessions.get(event.session) if pair else None
            if session and session.has_seen(event.seq):
                return True
        if event.id is None or event.user not in self.users:
            return False
        received_us = self.users[event.user].ids.get(event.id)
        return (
            received_us is not None and event.received_us - received_us < self.constants.idempotency_window_us
        )

    def _counters(self, event: Event) -> tuple[User, Movie, Pair]:
        user = self.users.setdefault(event.user, User())
        movie = self.movies.setdefault(event.slug, Movie())
        key = (event.user, event.slug)
        if key not in self.pairs:
            self.pairs[key] = Pair()
            user.movies += 1
            movie.viewers += 1
        return user, movie, self.pairs[key]

    def _remember(self, event: Event, user: User, session: Session) -> None:
        if event.id is not None:
            user.ids[event.id] = event.received_us
        if event.seq is not None:
            session.remember(event.seq)

    def _implausible_ms(self, event: Event, session: Session, credited_ms: int, speed: int) -> int:
        """By how much the increment exceeds what the clock allows since the session's last event.

        Not tested: what has no earlier event to be measured from, what is late, and a bare heartbeat without `ts`.
        """
        untested = event.kind == "heartbeat" and not event.timed
        if untested or session.since_us is None or session.is_late(event) or event.time_us < session.since_us:
            return 0
        allowed = allowed_ms(event.time_us - session.since_us, speed, self.constants.implausible_tolerance_ms)
        return max(0, credited_ms - allowed)

    def _mark(self, pair: Pair, spans: list[tuple[int, int]]) -> int:
        before = len(pair.seen)
        for start_ms, end_ms in spans:
            pair.seen.update(cells(start_ms, end_ms))
        return len(pair.seen) - before

    def _effective_ms(self, event: Event, spans: list[tuple[int, int]], credited_ms: int, speed: int) -> int:
        """A claim is credited as one span, everything else has one span at most."""
        assert event.kind == "claim" or len(spans) <= 1
        return effective_ms(credited_ms, speed)
