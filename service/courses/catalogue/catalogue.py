"""Courses and their lessons, as they are put, read and archived."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from service.courses.catalogue.revising import revise
from service.courses.model import LessonHistory, Revision
from service.courses.queries import query
from service.courses.rows import course_of, lesson_of, terms_of, values_of
from service.errors import Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from service.courses.database import Database
    from service.courses.model import Course, Lesson, LessonDraft, Terms
    from service.db.connections import Connection


class Catalogue:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, course: str, terms: Terms, drafts: Sequence[LessonDraft], now_us: int) -> Course:
        """The course is as this says from now on, with these lessons in this order. Again, it changes nothing.

        Lessons that are left out stay with what was watched of them. Raises Conflict for a lesson that another course
        has or had, and for a revision that cannot be.
        """
        async with self._database.transaction() as connection:
            values = values_of(terms)
            await connection.execute(query("insert_course"), course, *values, now_us)
            stored = await connection.fetchrow(query("lock_course"), course)
            assert stored is not None
            are_lessons_new = await _put_lessons(connection, course, drafts, now_us)
            if are_lessons_new or stored["archived_at"] is not None or terms_of(stored) != terms:
                await connection.execute(query("update_course"), course, *values, now_us)
            return await read_course(connection, course)

    async def get(self, course: str) -> Course:
        """Archived ones, too. Raises NotFound."""
        async with self._database.transaction() as connection:
            return await read_course(connection, course)

    async def named(self, courses: Sequence[str]) -> dict[str, Course]:
        """Those of these that there are, archived ones, too."""
        async with self._database.transaction() as connection:
            found = await connection.fetch(query("select_courses_named"), list(courses))
            lessons = await connection.fetch(query("select_lessons"), list(courses))
        return _courses(found, lessons)

    async def lessons_named(self, lessons: Sequence[str]) -> dict[str, tuple[str, Lesson]]:
        """Those of these that there are, with their courses, also those that left them."""
        rows = await self._database.rows("select_known_lessons", list(lessons))
        return {row["lesson"]: (row["course"], lesson_of(row)) for row in rows}

    async def archive(self, course: str, now_us: int) -> Course:
        """Not assigned and not renewed any more; what is assigned goes on. Raises NotFound."""
        async with self._database.transaction() as connection:
            await connection.execute(query("archive_course"), course, now_us)
            return await read_course(connection, course)

    async def page(self, limit: int, after: str = "", *, with_archived: bool = False) -> list[Course]:
        """By name, from after this one on."""
        async with self._database.transaction() as connection:
            found = await connection.fetch(query("select_courses"), after, with_archived, limit)
            names = [row["course"] for row in found]
            lessons = await connection.fetch(query("select_lessons"), names)
        return list(_courses(found, lessons).values())

    async def lesson(self, lesson: str) -> LessonHistory:
        """Also one that left its course. Raises NotFound."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(query("select_lesson"), lesson)
            if row is None:
                raise NotFound(f"there is no lesson {lesson!r}")
            revisions = await connection.fetch(query("select_revisions"), lesson)
        history = tuple(
            Revision(one["revision"], one["slug"], one["duration_ms"], one["made_at"]) for one in revisions
        )
        return LessonHistory(row["course"], lesson_of(row), history, row["removed_at"])


def _courses(rows: Sequence[asyncpg.Record], lessons: Sequence[asyncpg.Record]) -> dict[str, Course]:
    by_course = {course: list(some) for course, some in groupby(lessons, itemgetter("course"))}
    return {row["course"]: course_of(row, by_course.get(row["course"], ())) for row in rows}


async def read_course(connection: Connection, course: str) -> Course:
    """Raises NotFound."""
    row = await connection.fetchrow(query("select_course"), course)
    if row is None:
        raise NotFound(f"there is no course {course!r}")
    return course_of(row, await connection.fetch(query("select_lessons"), [course]))


async def _put_lessons(
    connection: Connection, course: str, drafts: Sequence[LessonDraft], now_us: int
) -> bool:
    """Inside a transaction that has locked the course. Gives whether anything changed."""
    names = [draft.lesson for draft in drafts]
    known = await connection.fetch(query("select_known_lessons"), names)
    _refuse_foreign(course, known)
    by_name = {row["lesson"]: lesson_of(row) for row in known}
    lessons = [revise(draft, by_name.get(draft.lesson)) for draft in drafts]
    before = [lesson_of(row) for row in await connection.fetch(query("select_lessons"), [course])]
    if lessons == before:
        return False
    await _write(connection, course, lessons, now_us)
    await connection.execute(query("remove_lessons"), course, names, now_us)
    if _videos(lessons) != _videos(before):
        await connection.execute(query("mark_attempts_of_course"), course)
    return True


def _videos(lessons: Sequence[Lesson]) -> set[tuple[str, int]]:
    return {(lesson.lesson, lesson.revision) for lesson in lessons}


async def _write(connection: Connection, course: str, lessons: list[Lesson], now_us: int) -> None:
    written = await connection.fetch(
        query("upsert_lessons"),
        course,
        [lesson.lesson for lesson in lessons],
        [lesson.slug for lesson in lessons],
        [lesson.title for lesson in lessons],
        [lesson.duration_ms for lesson in lessons],
        [lesson.threshold_permille for lesson in lessons],
        [lesson.revision for lesson in lessons],
    )
    mine = {row["lesson"] for row in written}
    for lesson in lessons:
        if lesson.lesson not in mine:  # another course took the name at the same moment
            raise _elsewhere(lesson.lesson)
    await connection.execute(
        query("upsert_revisions"),
        [lesson.lesson for lesson in lessons],
        [lesson.revision for lesson in lessons],
        [lesson.slug for lesson in lessons],
        [lesson.duration_ms for lesson in lessons],
        now_us,
    )


def _refuse_foreign(course: str, known: list[asyncpg.Record]) -> None:
    for row in known:
        if row["course"] != course:
            raise _elsewhere(row["lesson"])


def _elsewhere(lesson: str) -> Conflict:
    return Conflict(
        "lesson_elsewhere",
        f"lesson {lesson!r} is another course's, also where that is without it by now: the name of a lesson is of no"
        " other one",
    )
