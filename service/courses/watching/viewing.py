"""From raw events to viewings: what one session saw of one movie in one scope, at which speeds, and how plausibly.

What an event counted is in its row already; here it only finds its place. So the viewings of a scope add up to what the
counters have of it: the same watch time, and the same cells.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from service.rules.model import FASTER_THAN_CLOCK
from service.rules.spans import NORMAL_SPEED, cells, effective_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from service.rules.session import Span

PARALLEL_PLAYBACK = "parallel_playback"
"""The reason of implausible time that shows only beside the user's other sessions: two of them played at once."""

_UNTIL_NOW = frozenset(("heartbeat", "pause", "end", "rate", "seek"))
"""Kinds that tell what was played since the event before."""


class Row(NamedTuple):
    """What following needs of a raw event. `segments` are flat: from, to, from, to."""

    user: str
    slug: str
    session: str
    kind: str
    at_ms: int
    from_ms: int | None
    segments: Sequence[int] | None
    speed: int | None
    timed: bool
    happened_us: int
    credited_ms: int
    implausible_ms: int
    scope: int


class Key(NamedTuple):
    """What names a viewing."""

    user: str
    slug: str
    session: str
    scope: int


@dataclass(slots=True)
class AtSpeed:
    """What was played at one speed."""

    watch_ms: int = 0
    effective_ms: int = 0
    seen: int = 0


@dataclass(slots=True)
class Flag:
    """What is implausible for one reason."""

    implausible_ms: int = 0
    seen: int = 0


@dataclass(slots=True)
class Viewing:
    """What one session saw in one scope. `last_us` and `speed` are also what the session's next event goes on from."""

    first_us: int
    last_us: int
    speed: int = NORMAL_SPEED
    events: int = 0
    watch_ms: int = 0
    effective_ms: int = 0
    implausible_ms: int = 0
    seen: int = 0
    speeds: dict[int, AtSpeed] = field(default_factory=dict)
    flags: dict[str, Flag] = field(default_factory=dict)
    judged_ms: int = 0
    excess_ms: int = 0
    since_us: int | None = None
    """Wall time that is held against the clock, how much of it the clock does not allow, and when it began."""

    @property
    def flagged(self) -> int:
        """The cells that are implausible for whatever reason."""
        flagged = 0
        for flag in self.flags.values():
            flagged |= flag.seen
        return flagged

    def count(self, row: Row, played: Played) -> None:
        self.events += 1
        self.first_us, self.last_us = min(self.first_us, row.happened_us), max(self.last_us, row.happened_us)
        if not (played.credited_ms or played.spans):
            return
        seen = cells_of_spans(played.spans)
        self.watch_ms += played.credited_ms
        self.effective_ms += played.effective_ms
        at_speed = self.speeds.setdefault(played.speed, AtSpeed())
        at_speed.watch_ms += played.credited_ms
        at_speed.effective_ms += played.effective_ms
        # A claim tells again what was played before, at whatever speed that was.
        at_speed.seen |= seen & ~self.seen if row.kind == "claim" else seen
        self.seen |= seen

    def judge(self, row: Row, played: Played, tolerance_ms: int) -> int:
        """By how many ms of content the row is ahead of the clock, by itself or with those before it.

        The counters judge an event by the one before it, and let the tolerance pass each time; a session of many short
        spans may pass it once. What was judged already is not judged again. A bare heartbeat without a time of its own
        may replay history.
        """
        if not played.credited_ms or (row.kind == "heartbeat" and not row.timed):
            return row.implausible_ms
        began_us = row.happened_us - played.effective_ms * 1000
        self.since_us = began_us if self.since_us is None else min(self.since_us, began_us)
        self.judged_ms += played.effective_ms
        allowed_ms = (self.last_us - self.since_us) // 1000 + tolerance_ms + self.excess_ms
        excess_ms = max(row.implausible_ms * NORMAL_SPEED // played.speed, self.judged_ms - allowed_ms)
        excess_ms = min(excess_ms, played.effective_ms)
        self.excess_ms += max(0, excess_ms)
        return max(row.implausible_ms, min(excess_ms * played.speed // NORMAL_SPEED, played.credited_ms))

    def flag(self, reason: str, implausible_ms: int, played: Played) -> None:
        """Of something that was played the last part is implausible: there it is that the clock did not allow more."""
        flag = self.flags.setdefault(reason, Flag())
        flag.implausible_ms += implausible_ms
        flag.seen |= cells_of_spans(last_part(played.spans, implausible_ms))


class Played(NamedTuple):
    """What an event tells that was played, at which speed in thousandths, and what that counted."""

    spans: Sequence[Span]
    speed: int
    credited_ms: int
    effective_ms: int


class Added(NamedTuple):
    """A row, its viewing, what it brought to it, and by how much it is ahead of the clock."""

    row: Row
    viewing: Viewing
    played: Played
    implausible_ms: int


class Viewings:
    """Those that some events change; `known` are those of the same sessions, in whichever scope, from before."""

    def __init__(self, known: Iterable[tuple[Key, Viewing]], tolerance_ms: int) -> None:
        self._tolerance_ms = tolerance_ms
        self.all: dict[Key, Viewing] = {}
        self.changed: set[Key] = set()
        self._last_us: dict[tuple[str, str, str], int] = {}
        self._speeds: dict[tuple[str, str, str], int] = {}
        for key, viewing in sorted(known, key=lambda one: one[0]):
            self._take(key, viewing)

    def add(self, row: Row) -> Added:
        """Rows come in the order in which they were applied."""
        key, session = Key(row.user, row.slug, row.session, row.scope), (row.user, row.slug, row.session)
        speed, last_us = self._speeds.get(session, NORMAL_SPEED), self._last_us.get(session)
        played = played_in(row, speed)
        viewing = self.all.get(key)
        if viewing is None:
            viewing = self.all[key] = Viewing(row.happened_us, row.happened_us, speed)
        viewing.count(row, played)
        implausible_ms = viewing.judge(row, played, self._tolerance_ms)
        if implausible_ms:
            viewing.implausible_ms += implausible_ms
            viewing.flag(FASTER_THAN_CLOCK, implausible_ms, played)
        if last_us is None or row.happened_us >= last_us:
            self._last_us[session] = row.happened_us
            self._speeds[session] = speed if row.speed is None else row.speed
        viewing.speed = self._speeds[session]
        self.changed.add(key)
        return Added(row, viewing, played, implausible_ms)

    def _take(self, key: Key, viewing: Viewing) -> None:
        self.all[key] = viewing
        session = key[:3]
        self._last_us[session] = max(viewing.last_us, self._last_us.get(session, viewing.last_us))
        self._speeds[session] = viewing.speed


def played_in(row: Row, session_speed: int) -> Played:
    """The spans of a raw event and their speed follow from it, and from the speed that its session had before."""
    speed = _speed(row, session_speed)
    return Played(spans_in(row), speed, row.credited_ms, effective_ms(row.credited_ms, speed))


def spans_in(row: Row) -> Sequence[Span]:
    """An event that moved from where its session stood was credited just that way; it ends where the event says."""
    if row.kind == "claim":
        ends = row.segments or ()
        return tuple(zip(ends[::2], ends[1::2], strict=True))
    if row.kind == "segment":
        assert row.from_ms is not None
        return ((row.from_ms, row.at_ms),) if row.at_ms > row.from_ms else ()
    if row.kind not in _UNTIL_NOW or not row.credited_ms:
        return ()
    until_ms = row.at_ms if row.kind == "heartbeat" or row.from_ms is None else row.from_ms
    return ((until_ms - row.credited_ms, until_ms),)


def _speed(row: Row, session_speed: int) -> int:
    if row.kind in ("segment", "claim"):
        return row.speed or NORMAL_SPEED
    return session_speed if row.kind == "rate" else row.speed or session_speed


def cells_of_spans(spans: Iterable[Span]) -> int:
    seen = 0
    for start_ms, end_ms in spans:
        seen |= cells(start_ms, end_ms)
    return seen


def last_part(spans: Sequence[Span], length_ms: int) -> list[Span]:
    """The last so many ms of these spans, or all where there are fewer."""
    part = []
    for start_ms, end_ms in reversed(spans):
        if length_ms <= 0:
            break
        part.append((max(start_ms, end_ms - length_ms), end_ms))
        length_ms -= max(0, end_ms - start_ms)
    return part
