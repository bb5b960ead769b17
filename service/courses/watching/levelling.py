"""Levelling: making the ranges of scopes of attempts follow what became of them.

Whoever opens, closes or reopens an attempt, or changes the videos of its course, marks it in the same transaction.
Levelling then cuts the pairs concerned, and writes from which scope on, or up to which, each lesson counts. It comes
before the answer to whoever made the change: so what is watched after that answer counts for the attempt, or does no
longer. Killed in between, anybody may do it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.courses.assigning.noting import note
from service.courses.assigning.opening import columns, lock
from service.courses.queries import query
from service.courses.watching.ranges import Layout, OpenRange, Video, beginnings, endings
from service.courses.watching.watched import lessons_of, progress_of, stored_of
from service.db.digests import digest
from service.errors import PostgresUnavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from service.courses.assigning.opening import Pair
    from service.courses.database import Database
    from service.db.connections import Connection
    from service.stored.scopes import Scopes

TRIES = 5
"""How often others may change the same attempts between the cut and the writing."""

AT_ONCE = 500
"""Attempts levelled in one transaction: some ten milliseconds, in which nobody else may change them."""

OF_COURSE_MAX = 5000
"""Attempts that follow a change of their course before it is answered: some seconds. The worker does the rest."""

Name = tuple[str, str]
"""User and slug of a pair of the counters."""


class Levelling:
    """Raises Unavailable where it could not be done; doing it again, or whatever asked for it, finishes it."""

    def __init__(self, database: Database, scopes: Scopes) -> None:
        self._database = database
        self._scopes = scopes

    async def level_assignments(self, pairs: Collection[Pair]) -> None:
        """Whatever attempts of these assignments, by course and user, have to follow."""
        rows = await self._database.rows("select_unlevelled_attempts_of", *columns(pairs))
        await self._level_all([row["attempt"] for row in rows])

    async def level_course(self, course: str) -> None:
        rows = await self._database.rows("select_unlevelled_attempts_of_course", course, OF_COURSE_MAX)
        await self._level_all([row["attempt"] for row in rows])

    async def level_rest(self) -> int:
        """Some of all that have to follow; gives how many those were."""
        rows = await self._database.rows("select_unlevelled_attempts", AT_ONCE)
        await self.level([row["attempt"] for row in rows])
        return len(rows)

    async def _level_all(self, attempts: Sequence[int]) -> None:
        for first in range(0, len(attempts), AT_ONCE):
            await self.level(attempts[first : first + AT_ONCE])

    async def level(self, attempts: Collection[int]) -> None:
        """Doing it twice, or two at once, gives the same as once."""
        for _ in range(TRIES):
            if not attempts:
                return
            async with self._database.transaction() as connection:
                layouts = await _layouts(connection, attempts)
            numbers = await self._cut(layouts)
            async with self._database.transaction() as connection:
                attempts = await self._follow(connection, {one.attempt: one for one in layouts}, numbers)
        raise PostgresUnavailable("others change the same attempts all the time; try again")

    async def _cut(self, layouts: Iterable[Layout]) -> dict[Name, int]:
        pairs = sorted({(one.user, slug) for one in layouts for slug in one.slugs})
        return dict(zip(pairs, await self._scopes.cut(pairs), strict=True)) if pairs else {}

    async def _follow(
        self, connection: Connection, planned: Mapping[int, Layout], numbers: Mapping[Name, int]
    ) -> list[int]:
        """Gives the attempts that changed since they were looked at: a cut from before does not count for them."""
        await _lock(connection, planned.values())
        layouts = await _layouts(connection, planned)
        same = [one for one in layouts if one.turn == planned[one.attempt].turn]
        await _write(connection, same, numbers)
        await self._note_closed(connection, [one.attempt for one in same if not one.is_open])
        await connection.execute(query("mark_levelled"), [one.attempt for one in same])
        return [one.attempt for one in layouts if one.turn != planned[one.attempt].turn]

    async def _note_closed(self, connection: Connection, attempts: Collection[int]) -> None:
        """What they have is final from now on, however far following has come."""
        if not attempts:
            return
        lessons = await lessons_of(self._scopes, await stored_of(connection, attempts))
        progress = [one for lesson in lessons if (one := progress_of(lesson))]
        await note(connection, progress, with_closed=True)


async def _lock(connection: Connection, layouts: Collection[Layout]) -> None:
    """Courses before assignments, as those do who put a course: they are waited for, and have marked all by then."""
    await connection.execute(query("lock_courses_shared"), sorted({one.course for one in layouts}))
    await lock(connection, {(one.course, one.user) for one in layouts})


async def _layouts(connection: Connection, attempts: Collection[int]) -> list[Layout]:
    """Of those that are there and have to follow."""
    found = await connection.fetch(query("select_attempt_layouts"), list(attempts))
    rows = [row for row in found if not row["is_levelled"]]
    wanted: dict[str, set[Video]] = {row["course"]: set() for row in rows}
    for lesson in await connection.fetch(query("select_lessons"), list(wanted)):
        wanted[lesson["course"]].add(Video(lesson["lesson"], lesson["revision"], lesson["slug"]))
    parts: dict[int, dict[Video, int]] = {row["attempt"]: {} for row in rows}
    going_on: dict[int, list[OpenRange]] = {row["attempt"]: [] for row in rows}
    for one in await connection.fetch(query("select_ranges"), list(parts)):
        video, part = Video(one["lesson"], one["revision"], one["slug"]), one["part"]
        mine = parts[one["attempt"]]
        mine[video] = max(part, mine.get(video, 0))
        if one["scope_last"] is None:
            going_on[one["attempt"]].append(OpenRange(video, part, one["scope_first"]))
    return [
        Layout(
            row["attempt"],
            row["course"],
            row["user_id"],
            row["turn"],
            row["is_open"],
            frozenset(wanted[row["course"]]) if row["is_open"] else frozenset(),
            tuple(going_on[row["attempt"]]),
            parts[row["attempt"]],
        )
        for row in rows
    ]


async def _write(connection: Connection, layouts: Iterable[Layout], numbers: Mapping[Name, int]) -> None:
    """What ends comes first: of a lesson one range goes on at most."""
    ended, begun = [], []
    for one in layouts:
        cut = {slug: numbers[one.user, slug] for slug in one.slugs}
        ended += endings(one, cut)
        begun += beginnings(one, cut)
    over = [one for one in ended if one.last is not None]
    empty = [one[:4] for one in ended if one.last is None]
    named = [(*one[:6], digest(one.slug), one.first) for one in begun]
    for name, values in (
        ("end_attempt_scopes", over),
        ("delete_attempt_scopes", empty),
        ("insert_attempt_scopes", named),
    ):
        if values:
            await connection.execute(query(name), *map(list, zip(*values, strict=True)))
