"""The specification of the counting core: every rule of design 2, plainly, on Python's own numbers and dictionaries.

`lua/` does the same in Redis. Random sequences of events must leave both in the same state, bit for bit
(tests/lua/test_model.py), so whoever changes one changes the other.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from service.events.event import CUT
from service.rules.constants import Constants
from service.rules.session import Session
from service.rules.spans import allowed_ms, cells, effective_ms, whole_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.events.event import Event
    from service.rules.session import Span

FASTER_THAN_CLOCK = "faster_than_clock"
"""The reason of implausible time that the core itself can see: more was played than the clock allowed."""


class Outcome(NamedTuple):
    """What became of an event. `credited_ms` and `implausible_ms` are 0 for a duplicate.

    `scope` is the one in which it counted; of a cut, the one that it began.
    """

    duplicate: bool
    credited_ms: int = 0
    implausible_ms: int = 0
    scope: int = 0


DUPLICATE = Outcome(duplicate=True)


class Played(NamedTuple):
    """What an event is worth."""

    spans: Sequence[Span]
    credited_ms: int
    effective_ms: int
    implausible_ms: int


@dataclass(slots=True)
class Totals:
    """The three clocks, and how many events made them. `unique_cells` counts seconds."""

    watch_ms: int = 0
    effective_ms: int = 0
    unique_cells: int = 0
    events: int = 0

    def add(self, watch_ms: int, effective: int, unique_cells: int) -> None:
        """Of one more event."""
        self.events += 1
        self.watch_ms += watch_ms
        self.effective_ms += effective
        self.unique_cells += unique_cells

    def take(self, other: Totals) -> None:
        """Take out what another one brought in."""
        self.watch_ms -= other.watch_ms
        self.effective_ms -= other.effective_ms
        self.unique_cells -= other.unique_cells
        self.events -= other.events


@dataclass(slots=True)
class Counters:
    """What was played of a movie by a user. `latest_ms` and `latest_us` are None while only `load` has come.

    `seen` is coverage as a bitmap: bit n of the number is second n.
    """

    totals: Totals = field(default_factory=Totals)
    latest_ms: int | None = None
    latest_us: int | None = None
    furthest_ms: int = 0
    implausible_ms: int = 0
    seen: int = 0

    @property
    def verified_cells(self) -> int:
        """How far the movie is covered from second 0 without a hole."""
        return whole_cells(self.seen)

    def count(self, event: Event, played: Played) -> int:
        """Gives how many cells were not seen before."""
        unique_cells = self.mark(played.spans)
        self.totals.add(played.credited_ms, played.effective_ms, unique_cells)
        self.implausible_ms += played.implausible_ms
        self.move(event)
        return unique_cells

    def mark(self, spans: Sequence[Span]) -> int:
        """Gives how many cells of these spans were not seen before."""
        before = self.seen
        for start_ms, end_ms in spans:
            self.seen |= cells(start_ms, end_ms)
        return self.seen.bit_count() - before.bit_count() if self.seen != before else 0

    def move(self, event: Event) -> None:
        """`latest` moves to what is not older; `furthest` to the highest position told. A `load` moves neither."""
        if event.kind == "load":
            return
        if self.latest_us is None or event.time_us >= self.latest_us:
            self.latest_us, self.latest_ms = event.time_us, event.at_ms
        self.furthest_ms = max(self.furthest_ms, event.at_ms, event.from_ms or 0)
        for _, end_ms in event.segments:
            self.furthest_ms = max(self.furthest_ms, end_ms)


@dataclass(slots=True)
class Pair(Counters):
    """A user and a movie: all that was ever played of it, and apart from that what was played in each scope.

    Scopes are numbered from 0; what is played counts in the lifetime and in `scope`, the latest one. As long as there
    is no other, scope 0 is the lifetime itself. `scopes` has those in which anything was counted.
    """

    sessions: dict[str, Session] = field(default_factory=dict)
    scope: int = 0
    scopes: dict[int, Counters] = field(default_factory=dict)

    def count(self, event: Event, played: Played) -> int:
        if self.scope:
            self.scopes.setdefault(self.scope, Counters()).count(event, played)
        return Counters.count(self, event, played)

    def cut(self) -> bool:
        """Begin the next scope. One in which nothing was counted goes on instead: then nothing changes."""
        if self.scope and self.scope not in self.scopes:
            return False
        if not self.scope:
            self.scopes[0] = Counters(
                replace(self.totals),
                self.latest_ms,
                self.latest_us,
                self.furthest_ms,
                self.implausible_ms,
                self.seen,
            )
        self.scope += 1
        return True


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
        self.users: dict[str, User] = defaultdict(User)
        self.movies: dict[str, Movie] = defaultdict(Movie)
        self.pairs: dict[tuple[str, str], Pair] = {}

    def apply(self, event: Event) -> Outcome:
        """Count one event, once. The order of calls is the order of receipt."""
        if event.kind == CUT:
            return self._cut(event)
        if self._is_duplicate(event):
            return DUPLICATE
        user, movie, pair = self._counters(event)
        session = pair.sessions.get(event.session)
        if session is None:
            session = pair.sessions[event.session] = Session()
        if event.id is not None:
            user.ids[event.id] = event.received_us
        if event.seq is not None:
            session.remember(event.seq)

        late = session.is_late(event)
        spans, speed = session.played(event, late, self.constants)
        credited_ms = session.credit(event, spans)
        implausible_ms = 0 if late else self._implausible_ms(event, session, credited_ms, speed)
        # A claim is credited as one span, everything else has one span at most.
        effective = effective_ms(credited_ms, speed)

        unique_cells = pair.count(event, Played(spans, credited_ms, effective, implausible_ms))
        user.totals.add(credited_ms, effective, unique_cells)
        movie.totals.add(credited_ms, effective, unique_cells)
        if not late:
            session.move(event)
        return Outcome(False, credited_ms, implausible_ms, pair.scope)

    def _cut(self, event: Event) -> Outcome:
        pair = self.pairs.get((event.user, event.slug))
        return Outcome(False, scope=pair.scope) if pair and pair.cut() else DUPLICATE

    def erase(self, name: str) -> None:
        """Forget a user, and take out of the movies what the user gave to them."""
        for slug in [slug for user, slug in self.pairs if user == name]:
            pair, movie = self.pairs.pop((name, slug)), self.movies[slug]
            movie.viewers -= 1
            movie.totals.take(pair.totals)
            if not movie.viewers:
                del self.movies[slug]
        self.users.pop(name, None)

    def _is_duplicate(self, event: Event) -> bool:
        if event.seq is not None:
            pair = self.pairs.get((event.user, event.slug))
            session = pair and pair.sessions.get(event.session)
            if session and session.has_seen(event.seq):
                return True
        if event.id is None:
            return False
        received_us = self.users[event.user].ids.get(event.id)
        return (
            received_us is not None and event.received_us - received_us < self.constants.idempotency_window_us
        )

    def _counters(self, event: Event) -> tuple[User, Movie, Pair]:
        user, movie = self.users[event.user], self.movies[event.slug]
        pair = self.pairs.get((event.user, event.slug))
        if pair is None:
            pair = self.pairs[event.user, event.slug] = Pair()
            user.movies += 1
            movie.viewers += 1
        return user, movie, pair

    def _implausible_ms(self, event: Event, session: Session, credited_ms: int, speed: int) -> int:
        """By how much the increment exceeds what the clock allows since the session's last event.

        Not tested: what has no earlier event to be measured from, what is late, and a bare heartbeat without `ts`.
        """
        untested = event.kind == "heartbeat" and not event.timed
        if untested or session.since_us is None or event.time_us < session.since_us:
            return 0
        allowed = allowed_ms(event.time_us - session.since_us, speed, self.constants.implausible_tolerance_ms)
        return credited_ms - allowed if credited_ms > allowed else 0
