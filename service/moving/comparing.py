"""Old and new held against each other: every difference between what clients read before and after the switch.

Writes go on meanwhile, and some of what is read here follows them by seconds. So what differs is looked at again after
a while, and only what still differs is told.
"""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from service.moving.model import UserCourse, UserLesson
from service.moving.old_side import DATES, PLACES, Key, Kind
from service.moving.reading import place_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

    from service.moving.model import Unit
    from service.moving.old_side import OldRow, OldSide
    from service.moving.reading import Place, Reading

    Shown = str | float | bool | None
    Pending = dict[Key, "Doubt"]

LOOKS_MAX: Final = 3
"""At what differs, after the first one: who plays while both sides are read differs by chance, but not so often."""

PENDING_MAX: Final = 5_000
"""User courses that wait to be looked at again: these are in memory."""

PAGE_ROWS: Final = 50
PLACE_MS: Final = 1000
"""Positions are compared to the second."""

EXISTS: Final = "exists"
"""The field of a difference that is about being there at all."""


class Difference(NamedTuple):
    """Times are in us since 1970, positions in the old unit; None is nothing."""

    kind: Kind
    id: str
    field: str
    old: Shown
    new: Shown


class Doubt(NamedTuple):
    """What differs now, and the row that it came with; None where only playhead has it."""

    row: OldRow | None
    differences: list[Difference]


@dataclass(slots=True)
class Counts:
    """Rows of either side, by kind; `looked_again` are those that differed at first."""

    compared: Counter[Kind] = field(default_factory=Counter)
    differing: Counter[Kind] = field(default_factory=Counter)
    differences: int = 0
    looked_again: int = 0


class Comparison:
    """`differences` may be asked for once; `counts` are complete when it ends."""

    def __init__(
        self,
        old: OldSide,
        reading: Reading,
        courses: Iterable[str],
        unit: Unit,
        *,
        tolerance_us: int,
        settle_seconds: float,
    ) -> None:
        self.counts = Counts()
        self.on_page: Callable[[], None] = lambda: None
        """Called when some more rows of the old system were compared."""
        self._old = old
        self._reading = reading
        self._courses = list(courses)
        self._unit = unit
        self._tolerance_us = tolerance_us
        self._settle_seconds = settle_seconds
        self._seen = _Seen()

    async def differences(self) -> AsyncIterator[Difference]:
        """All of them, a batch at a time: memory is bounded however many there are."""
        pending: Pending = {}
        async for rows in self._old.pages():
            self._count(rows)
            pending |= await self._look(rows)
            self.on_page()
            if len(pending) >= PENDING_MAX:
                for found in await self._settled(pending):
                    yield found
                pending = {}
        async for added in self._only_new():
            pending |= added
            if len(pending) >= PENDING_MAX:
                for found in await self._settled(pending):
                    yield found
                pending = {}
        for found in await self._settled(pending):
            yield found

    def _count(self, rows: Sequence[OldRow]) -> None:
        for row in rows:
            for one in (row, *(row.lessons or ())):
                self._seen.add(one.key)
                self.counts.compared[one.key.kind] += 1

    async def _settled(self, pending: Pending) -> list[Difference]:
        """What still differs after some looks."""
        self.counts.looked_again += len(pending)
        for _ in range(LOOKS_MAX):
            if not pending:
                return []
            await asyncio.sleep(self._settle_seconds)
            doubts = list(pending.items())
            pending = {}
            for first in range(0, len(doubts), PAGE_ROWS):
                pending |= await self._look_again(dict(doubts[first : first + PAGE_ROWS]))
        found = [one for doubt in pending.values() for one in doubt.differences]
        for kind, _ in {(one.kind, one.id) for one in found}:
            self.counts.differing[kind] += 1
        self.counts.differences += len(found)
        return found

    async def _look_again(self, doubts: Pending) -> Pending:
        known = [doubt.row for doubt in doubts.values() if doubt.row]
        rows = await self._old.again(known, [key for key, doubt in doubts.items() if not doubt.row])
        pending = await self._look(list(rows.values()))
        gone = [key for key in doubts if key not in rows]
        found = await self._new(gone)
        return pending | {key: _only_here(key) for key in gone if found.get(key) is not None}

    async def _look(self, rows: Sequence[OldRow]) -> Pending:
        """What differs now, by the row that it came with."""
        new = await self._new([row.key for row in rows])
        with_lessons = [row for row in rows if row.lessons is not None and new[row.key] is not None]
        courses = [one for row in with_lessons if isinstance(one := new[row.key], UserCourse)]
        lessons = dict(
            zip([row.key for row in with_lessons], await self._reading.lessons_of(courses), strict=True)
        )
        doubts = (Doubt(row, list(self._of(row, new[row.key], lessons.get(row.key)))) for row in rows)
        return {doubt.row.key: doubt for doubt in doubts if doubt.row and doubt.differences}

    async def _new(self, keys: Sequence[Key]) -> dict[Key, UserCourse | UserLesson | None]:
        courses = [key for key in keys if key.kind is Kind.COURSE]
        lessons = [key for key in keys if key.kind is Kind.LESSON]
        found: dict[Key, UserCourse | UserLesson | None] = {}
        if courses:
            shown = await self._reading.user_courses([key.id for key in courses])
            found |= zip(courses, shown, strict=True)
        if lessons:
            given = await self._reading.user_lessons([key.id for key in lessons])
            found |= zip(lessons, given, strict=True)
        return found

    def _of(
        self, row: OldRow, new: UserCourse | UserLesson | None, lessons: list[UserLesson] | None
    ) -> Iterator[Difference]:
        if new is None:
            yield _there(row.key, is_old=True)
            return
        yield from self._fields(row, new)
        if row.lessons is None or lessons is None:
            return
        known = {lesson.user_lesson: lesson for lesson in lessons}
        for one in row.lessons:
            yield from self._of(one, known.pop(one.key.id, None), None)
        for identity in known:
            yield _there(Key(Kind.LESSON, identity), is_old=False)

    def _fields(self, row: OldRow, new: UserCourse | UserLesson) -> Iterator[Difference]:
        shown = facts_of(new, self._unit)
        if self._is_same_date(shown.get("lastCompletedDate"), shown["dateCompleted"]):
            # Some old systems note it when a course is completed, others when it is reset: until then both are right.
            del shown["lastCompletedDate"]
        if row.facts["user"] is None:
            del shown["user"]  # a lesson's, which its course says
        for name, told in shown.items():
            was = row.facts[name]
            if name in PLACES and isinstance(new, UserLesson):
                is_same = self._is_same_place(was, told, new.duration_ms)
            elif name in DATES:
                is_same = was == told or self._is_same_date(was, told)
            else:
                is_same = was == told
            if not is_same:
                yield Difference(*row.key, name, was, told)

    def _is_same_date(self, one: Shown, other: Shown) -> bool:
        if not isinstance(one, int) or not isinstance(other, int):
            return False
        return abs(one - other) <= self._tolerance_us

    def _is_same_place(self, was: Shown, told: Shown, duration_ms: int) -> bool:
        """Nothing is the beginning, and a little past the end is the end."""
        places = []
        for progress in (was, told):
            if not isinstance(progress, float | int | None):
                return False
            places.append(min(duration_ms, self._unit.position_ms(progress or 0, duration_ms)))
        return abs(places[0] - places[1]) < PLACE_MS

    async def _only_new(self) -> AsyncIterator[Pending]:
        """What the old system did not have when it was asked."""
        for course in self._courses if self._old.apart else ():
            after: Place | None = None
            while page := await self._reading.of_course(course, PAGE_ROWS, after=after):
                keys = [Key(Kind.COURSE, one.user_course) for one in page]
                if Kind.LESSON in self._old.apart:
                    lessons = await self._reading.lessons_of(page)
                    keys += [Key(Kind.LESSON, one.user_lesson) for some in lessons for one in some]
                unseen = (key for key in keys if key.kind in self._old.apart and key not in self._seen)
                yield {key: _only_here(key) for key in unseen}
                after = place_of(page[-1])


def facts_of(new: UserCourse | UserLesson, unit: Unit) -> dict[str, str | float | None]:
    """What is shown of it, by the old names."""
    common: dict[str, str | float | None] = {
        "user": new.user,
        "status": new.status.value,
        "dateStarted": new.started_us,
        "dateCompleted": new.completed_us,
        "dateLastViewed": new.last_viewed_us,
    }
    if isinstance(new, UserLesson):
        return common | {
            "lessonId": new.lesson,
            "progress": unit.progress_at(new.progress_ms, new.duration_ms),
            "maxProgress": unit.progress_at(new.furthest_ms, new.duration_ms),
        }
    return common | {
        "courseId": new.course,
        "dueDate": new.due_us,
        "lastCompletedDate": new.last_completed_us,
        "createdAt": new.created_us,
    }


def _there(key: Key, *, is_old: bool) -> Difference:
    return Difference(*key, EXISTS, is_old, not is_old)


def _only_here(key: Key) -> Doubt:
    return Doubt(None, [_there(key, is_old=False)])


class _Seen:
    """Keys of rows, in eight bytes each; two of a billion may be taken for each other."""

    def __init__(self) -> None:
        self._digests = array("Q")
        self._is_sorted = True

    def add(self, key: Key) -> None:
        self._digests.append(_digest(key))
        self._is_sorted = False

    def __contains__(self, key: Key) -> bool:
        if not self._is_sorted:
            self._digests = array("Q", sorted(self._digests))
            self._is_sorted = True
        digest = _digest(key)
        place = bisect_left(self._digests, digest)
        return place < len(self._digests) and self._digests[place] == digest


def _digest(key: Key) -> int:
    return int.from_bytes(blake2b(f"{key.kind}\0{key.id}".encode(), digest_size=8).digest(), "big")
