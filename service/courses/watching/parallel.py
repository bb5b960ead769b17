"""Parallel playback: by the clock on the wall, who plays two sessions at once watches at most one of them.

Kept is in which seconds each of a user's sessions played, hour by hour, as a bitmap: bit n is second n of the hour. So
it may come late and in any order; whichever session comes second to a second of the wall is the one that is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.rules.spans import NORMAL_SPEED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from service.courses.watching.viewing import Played, Row

HOUR_S = 3600
LENGTH_S_MAX = 86_400
"""Of what one event tells, no more than the last day is looked at: a claim may tell of any length."""

_SECOND_US = 1_000_000


class Hour(NamedTuple):
    """Of wall time, counted from 1970."""

    user: str
    hour: int


def wall_of(row: Row, played: Played) -> tuple[int, int] | None:
    """From which second of wall time to which it was played; None where nobody knows.

    A bare heartbeat without a time of its own may replay history, and so is not judged, as in `service.rules.model`.
    """
    if not played.credited_ms or (row.kind == "heartbeat" and not row.timed):
        return None
    end_s = _rounded(row.happened_us)
    first_s = max(_rounded(row.happened_us - played.effective_ms * 1000), end_s - LENGTH_S_MAX)
    return (first_s, end_s) if first_s < end_s else None


def hours_of(first_s: int, end_s: int) -> Iterator[tuple[int, int]]:
    """Each hour that is touched, and which of its seconds."""
    for hour in range(first_s // HOUR_S, (end_s - 1) // HOUR_S + 1):
        start, end = max(first_s - hour * HOUR_S, 0), min(end_s - hour * HOUR_S, HOUR_S)
        yield hour, (1 << end) - (1 << start)


def excess_s(playing: Mapping[bytes, int], session: bytes, seconds: int, tolerance_s: int) -> int:
    """How many of these seconds of an hour are more in parallel to other sessions than an hour may have."""
    mine, others = playing.get(session, 0), 0
    for other, bits in playing.items():
        if other != session:
            others |= bits
    before, after = (mine & others).bit_count(), ((mine | seconds) & others).bit_count()
    return max(0, after - tolerance_s) - max(0, before - tolerance_s)


class Playing:
    """When sessions played, of the users of some events; `known` is what was kept of the hours that they touch.

    A session is named by the digest of its movie and its own name.
    """

    def __init__(self, known: Mapping[Hour, dict[bytes, int]], tolerance_s: int) -> None:
        self.hours = dict(known)
        self.changed: set[tuple[Hour, bytes]] = set()
        self._tolerance_s = tolerance_s

    def add(self, row: Row, played: Played, session: bytes) -> int:
        """Gives how many ms of content are implausible since another session played at the same time."""
        wall = wall_of(row, played)
        if wall is None:
            return 0
        excess = 0
        for hour, seconds in hours_of(*wall):
            place = Hour(row.user, hour)
            playing = self.hours.setdefault(place, {})
            excess += excess_s(playing, session, seconds, self._tolerance_s)
            playing[session] = playing.get(session, 0) | seconds
            self.changed.add((place, session))
        return min(excess * played.speed * 1000 // NORMAL_SPEED, played.credited_ms)


def _rounded(time_us: int) -> int:
    return (time_us + _SECOND_US // 2) // _SECOND_US
