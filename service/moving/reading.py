"""Courses and lessons in the shapes of the old system, live. However many are asked for, it is the same few statements
and one read of the counters.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from service.courses.assigning.noting import records_of
from service.moving import ids
from service.moving.judging import is_known
from service.moving.queries import query
from service.moving.showing import current, user_course, user_lessons
from service.moving.standing import lessons_now

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import asyncpg

    from service.courses.database import Database
    from service.courses.model import LessonRecord
    from service.courses.watching.watched import Watched
    from service.db.connections import Connection
    from service.moving.model import UserCourse, UserLesson

FIRST_US, LAST_US = 0, 4_102_444_800_000_000
"""Before and after all that there is: 1970 and 2100."""

_LAST_NAME = "\U0010ffff"

Keys = list["Key | None"]


class Place(NamedTuple):
    """Where a list goes on: after this one. `shown` is its id if it shows a closed attempt, else empty."""

    listed_us: int
    user: str
    shown: str


class Within(NamedTuple):
    """Of whom alone a list is: this user, and the members of these teams."""

    user: str
    teams: tuple[str, ...]


class Key(NamedTuple):
    """What the user has of the course: its last attempt, or the closed one that the old system knew by this id."""

    course: str
    user: str
    user_course: str = ""
    attempt: int | None = None
    created_us: int | None = None

    @classmethod
    def of(cls, row: asyncpg.Record) -> Key:
        if row["attempt"] is None:
            return cls(row["course"], row["user_id"])
        return cls(row["course"], row["user_id"], row["user_course"], row["attempt"], row["created_at"])


class Named(NamedTuple):
    """What a point is counted for."""

    user: str
    lesson: str
    slug: str
    duration_ms: int


class Reading:
    """Raises Unavailable, of either kind, where the counters or Postgres do not answer."""

    def __init__(self, database: Database, watched: Watched) -> None:
        self._database = database
        self._watched = watched

    async def user_courses(self, names: Sequence[str]) -> list[UserCourse | None]:
        """By their ids, in the same order; None where there is none."""
        rows = await self._rows("select_named_user_courses", list(filter(ids.is_name, names)))
        known = {row["user_course"]: Key.of(row) for row in rows}
        return await self._of([known.get(name) or _key_in(name) for name in names])

    async def of_course(
        self,
        course: str,
        limit: int,
        *,
        after: Place | None = None,
        descending: bool = False,
        since_us: int = FIRST_US,
        until_us: int = LAST_US,
        user: str | None = None,
        within: Within | None = None,
    ) -> list[UserCourse]:
        """By when they were made, `since_us` and `until_us` included; of all users, of this one, or of these."""
        if not ids.is_name(course):
            return []
        if user is not None:
            rows = await self._rows("select_user_courses_of_pair", course, user)
            return await self._present(_page(rows, limit, after, since_us, until_us, descending=descending))
        if descending:
            name, bound_us = "select_user_courses_descending", since_us
            place = after or Place(until_us, _LAST_NAME, _LAST_NAME)
        else:
            name, bound_us = "select_user_courses_ascending", until_us
            place = after or Place(since_us, "", "")
        rows = await self._rows(name, course, *place, bound_us, limit, *(within or (None, None)))
        return await self._present([Key.of(row) for row in rows])

    async def of_user(self, user: str, limit: int, after: tuple[str, str] = ("", "")) -> list[UserCourse]:
        """By course; `after` is the course, and the id if that showed a closed attempt, of the last one before."""
        if not ids.is_name(user):
            return []
        rows = await self._rows("select_user_courses_of_user", user, *after, limit)
        return await self._present([Key.of(row) for row in rows])

    async def lessons_of(self, user_courses: Sequence[UserCourse]) -> list[list[UserLesson]]:
        """Of each, in the order of the course, as they stood when it was read."""
        found = await self._lessons_of(user_courses)
        return [
            [lesson for lesson in lessons if not of.is_last or lesson.lesson in there]
            for of, lessons in zip(user_courses, found, strict=True)
            for there in [current(of)]
        ]

    async def user_lessons(self, names: Sequence[str]) -> list[UserLesson | None]:
        """By their ids, in the same order; None where there is none. Also those that the course is without by now."""
        wanted = await self._lessons_named(names)
        keys = list(dict.fromkeys(key for key, _ in wanted.values()))
        found = dict(zip(keys, await self._of(keys), strict=True))
        present = [one for one in found.values() if one]
        lessons = dict(
            zip((one.user_course for one in present), await self._lessons_of(present), strict=True)
        )
        by_key = {
            (key, lesson.lesson): lesson
            for key, one in found.items()
            if one
            for lesson in lessons[one.user_course]
        }
        return [by_key.get(wanted[name]) if name in wanted else None for name in names]

    async def named(self, user_lesson: str) -> Named | None:
        """Whose it is, and the video that the lesson has now. None where there is none."""
        if not ids.is_name(user_lesson):
            return None
        lesson, user = ids.lesson_of(user_lesson) or (None, None)
        rows = await self._rows("select_named_lesson", user_lesson, lesson, user)
        return Named(*rows[0]) if rows else None

    async def is_imported(self, user_lesson: str, point: str) -> bool:
        """Whether an import counted this point."""
        rows = await self._rows("select_imported_points", user_lesson)
        return bool(rows) and is_known(point, rows[0]["known"])

    async def _lessons_of(self, user_courses: Sequence[UserCourse]) -> list[list[UserLesson]]:
        rows = await self._rows("select_ids_of_lessons", [one.user_course for one in user_courses])
        names = {(row["user_course"], row["lesson"]): row["user_lesson"] for row in rows}
        return [user_lessons(one, names) for one in user_courses]

    async def _lessons_named(self, names: Sequence[str]) -> dict[str, tuple[Key, str]]:
        rows = await self._rows("select_named_user_lessons", list(filter(ids.is_name, names)))
        wanted = {row["user_lesson"]: (Key.of(row), row["lesson"]) for row in rows}
        made = {name: given for name in names if name not in wanted and (given := ids.lesson_of(name))}
        if made:
            rows = await self._rows(
                "select_courses_of_lessons", list({lesson for lesson, _ in made.values()})
            )
            courses = {row["lesson"]: row["course"] for row in rows}
            wanted |= {
                name: (Key(courses[lesson], user), lesson)
                for name, (lesson, user) in made.items()
                if lesson in courses
            }
        return wanted

    async def _present(self, keys: Sequence[Key]) -> list[UserCourse]:
        """Without those that were taken away meanwhile."""
        return [one for one in await self._of(keys) if one]

    async def _of(self, keys: Sequence[Key | None]) -> list[UserCourse | None]:
        places = [place for place, key in enumerate(keys) if key]
        wanted = [key for key in keys if key]
        found: list[UserCourse | None] = [None] * len(keys)
        if not wanted:
            return found
        async with self._database.transaction() as connection:
            rows = await _fill(connection, wanted)
            attempts = {row["attempt"] for row in rows}
            records = await records_of(connection, attempts)
        watched = await self._watched.of_attempts(attempts)
        noted = defaultdict[int, list["LessonRecord"]](list)
        for record in records:
            noted[record.attempt].append(record)
        now = {attempt: lessons_now(watched[attempt], noted[attempt]) for attempt in attempts}
        for row in rows:
            place = row["place"] - 1
            found[places[place]] = user_course(wanted[place], row, now[row["attempt"]])
        return found

    async def _rows(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        async with self._database.connection() as connection:
            return await connection.fetch(query(name), *arguments)


def place_of(last: UserCourse) -> Place:
    """From where a list that ended with this one goes on."""
    return Place(last.listed_us, last.user, "" if last.is_last else last.user_course)


async def _fill(connection: Connection, keys: Collection[Key]) -> list[asyncpg.Record]:
    courses, users, attempts = [], [], []
    for key in keys:
        courses.append(key.course)
        users.append(key.user)
        attempts.append(key.attempt)
    return await connection.fetch(query("select_user_courses"), courses, users, attempts)


def _key_in(name: str) -> Key | None:
    given = ids.course_of(name)
    return Key(*given) if given else None


def _page(
    rows: Sequence[asyncpg.Record],
    limit: int,
    after: Place | None,
    since_us: int,
    until_us: int,
    *,
    descending: bool,
) -> list[Key]:
    """Of one user's few, what a statement would find."""
    places = {Place(row["created_at"], row["user_id"], row["user_course"]): Key.of(row) for row in rows}
    ordered = sorted(places, reverse=descending)
    following = [
        place
        for place in ordered
        if since_us <= place.listed_us <= until_us
        and (after is None or (place < after if descending else place > after))
    ]
    return [places[place] for place in following[:limit]]
