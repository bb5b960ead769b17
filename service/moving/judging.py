"""Which points of a user lesson are to be counted, and why others are not. No I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from service.limits import PAST_THE_END_MS
from service.moving import points
from service.moving.books import Kind
from service.moving.points import Point, marks_of, told_of
from service.moving.stints import NOWHERE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from service.moving.books import Books
    from service.moving.model import Unit
    from service.moving.points import Told
    from service.rules.constants import Constants

KNOWN_BYTES = 8
"""A point is known again by so much of its id's hash: of a million in one lesson no two will share it."""


Refused = tuple[str, str]
"""Why a point is skipped: a short word for programs, and a few for people."""


class Goal(NamedTuple):
    """Where the points of a user lesson go, and how far they have come; of one that is new all of that is None."""

    user_lesson: str
    course: str
    user: str
    slug: str
    duration_ms: int
    stint: int
    until_us: int | None
    stint_before: int
    position_ms: int | None
    furthest_ms: int | None
    told_us: int | None
    points: int | None
    last_us: int | None
    last_point: str | None
    last_position_ms: int | None
    known: bytes | None
    seq: int | None
    is_told: bool | None


class Stored(NamedTuple):
    """A point as it was staged."""

    user_lesson: str
    point: str
    created_us: int
    progress: float
    owner: str | None
    file: int
    line: int


@dataclass(slots=True)
class Judged:
    """What is to be counted of a user lesson, and how far it has come then: the columns of `imported_lessons`."""

    goal: Goal
    told: list[Told] = field(default_factory=list)
    points: int = 0
    last: tuple[int, str, int] | None = None
    known: bytes = b""
    is_told: bool = False

    @property
    def is_news(self) -> bool:
        return self.points > 0 or bool(self.told) or self.is_told is not bool(self.goal.is_told)


class Rules(NamedTuple):
    """What is the same for all points of an import. Points that were made after `recent_us` are left for the next."""

    unit: Unit
    constants: Constants
    recent_us: int
    began_us: int

    @property
    def settings(self) -> dict[str, str | int]:
        """What whoever finishes the import has to judge by, too: other events under the same `seq` would be lost."""
        interval_ms, gap_ms = self.constants.heartbeat_interval_ms, self.constants.heartbeat_gap_ms
        return {"unit": self.unit, "heartbeat_interval_ms": interval_ms, "heartbeat_gap_ms": gap_ms}

    def with_settings(self, settings: dict[str, Any]) -> Rules:
        constants = {name: value for name, value in settings.items() if name != "unit"}
        return self._replace(
            unit=type(self.unit)(settings["unit"]), constants=replace(self.constants, **constants)
        )


def skip_unknown(rows: Iterable[Stored], books: Books) -> None:
    """Those whose user lesson nobody knows."""
    for row in rows:
        detail = f"no user lesson {row.user_lesson!r} was imported"
        books.skip(Kind.PROGRESS, "no_such_lesson", (row.file, row.line), detail)


def judge(
    goal: Goal, rows: Iterable[Stored], *, dual: Collection[str], stint: int, rules: Rules, books: Books
) -> Judged:
    """`rows` in the order of their times; `dual` are the ids of those that came by dual write."""
    judged = Judged(goal, is_told=bool(goal.is_told))
    kept = _Kept(goal, rules, books)
    for row in rows:
        kept.take(row, dual)
    place = None
    if goal.last_us is not None and goal.last_position_ms is not None:
        place = points.Place(goal.last_position_ms, goal.last_us)
    judged.told = list(told_of(kept.points, place, rules.constants, kept.dual_ms))
    judged.points, judged.last, judged.known = kept.counted, kept.last, bytes(kept.digests)
    books.progress.written += (written := sum(told.kind != "seek" for told in judged.told))
    books.progress.merged += kept.counted - written
    if stint == goal.stint and not judged.is_told and goal.position_ms is not None:
        judged.told += _marks(goal, kept)
        judged.is_told = True
    return judged


def _marks(goal: Goal, kept: _Kept) -> Iterable[Told]:
    assert goal.position_ms is not None
    assert goal.furthest_ms is not None
    assert goal.told_us is not None
    last = points.Place(*kept.points[-1][:2]) if kept.points else None
    told_us = min(goal.told_us, kept.began_us)
    return marks_of(goal.position_ms, goal.furthest_ms, told_us, kept.points, last)


class _Kept:
    """The points of one user lesson that are to be counted, or only gone on from."""

    def __init__(self, goal: Goal, rules: Rules, books: Books) -> None:
        self.points: list[Point] = []
        self.counted = 0
        self.dual_ms: int | None = None
        self.last: tuple[int, str, int] | None = None
        self.digests = bytearray()
        self.recent_us, self.began_us = rules.recent_us, rules.began_us
        self._goal, self._unit, self._books = goal, rules.unit, books
        self._owners = {None, goal.user}
        self._seen: set[str] = set()
        self._place = (-1, -1)
        self._known = _digests(goal.known or b"")
        self._last = (goal.last_us, goal.last_point or "") if goal.last_us is not None else (-1, "")

    def take(self, row: Stored, dual: Collection[str]) -> None:
        at_ms = self._unit.position_ms(row.progress, self._goal.duration_ms)
        refused = self._malformed(row, at_ms) or self._counted(row, at_ms, dual)
        if refused:
            self._books.skip(Kind.PROGRESS, refused[0], (row.file, row.line), refused[1])
        else:
            self._keep(row, at_ms)

    def _malformed(self, row: Stored, at_ms: int) -> Refused | None:
        """Whatever playhead has of it."""
        point, goal = row.point, self._goal
        if point in self._seen:
            return "duplicate_id", f"{point!r} is there twice"
        self._seen.add(point)
        if row.owner not in self._owners and goal.user not in (row.owner or "").split("::"):
            return "foreign_owner", f"of {row.owner!r}, in a user lesson of {goal.user!r}"
        if at_ms < 0:
            return "negative_position", f"progress {row.progress:g}"
        if at_ms > goal.duration_ms + PAST_THE_END_MS:
            return "past_the_end", f"progress {row.progress:g}, of a lesson of {goal.duration_ms / 1000:g} s"
        return None

    def _counted(self, row: Stored, at_ms: int, dual: Collection[str]) -> Refused | None:
        """Counted before, or not to be counted now."""
        point, created_us = row.point, row.created_us
        is_older = (created_us, point) <= self._last
        if is_older and _digest(point) in self._known:
            return "already_imported", f"{point!r} was counted before"
        if point in dual:
            at_ms = min(at_ms, self._goal.duration_ms)
            if is_older:
                self.dual_ms = at_ms
            else:
                self.points.append(Point(at_ms, created_us, counts=False))
            return "dual_written", f"{point!r} was counted when it was written"
        if created_us > self.recent_us:
            return "too_recent", "younger than a minute when the import began"
        if self._is_closed(created_us):
            return "closed_attempt", "its attempt is closed in playhead, and counts no more"
        if is_older:
            return (
                "older_than_imported",
                f"{point!r} was not there when later points of this lesson were imported",
            )
        return None

    def _keep(self, row: Stored, at_ms: int) -> None:
        _, point, created_us, _, owner, file, line = row
        place, goal = (file, line), self._goal
        if owner is None:
            self._books.mend(Kind.PROGRESS, "owner_from_lesson", place, f"no owner, taken as {goal.user!r}")
        if at_ms > goal.duration_ms:
            detail = f"{at_ms / 1000:g} s of {goal.duration_ms / 1000:g} s"
            self._books.mend(Kind.PROGRESS, "cut_to_the_end", place, detail)
            at_ms = goal.duration_ms
        if place < self._place:
            detail = "later points of this lesson came before it"
            self._books.mend(Kind.PROGRESS, "put_in_order", place, detail)
        else:
            self._place = place
        self.points.append(Point(at_ms, created_us))
        self.counted += 1
        self.digests += _digest(point)
        self.last = (created_us, point, at_ms)

    def _is_closed(self, created_us: int) -> bool:
        goal = self._goal
        before = goal.until_us is not None and created_us <= goal.until_us
        return (goal.stint_before if before else goal.stint) == NOWHERE


def is_known(point: str, known: bytes) -> bool:
    """Whether it is one of those that an import counted."""
    return _digest(point) in _digests(known)


def _digests(known: bytes) -> set[bytes]:
    return {known[at : at + KNOWN_BYTES] for at in range(0, len(known), KNOWN_BYTES)}


def _digest(point: str) -> bytes:
    return blake2b(point.encode(), digest_size=KNOWN_BYTES).digest()
