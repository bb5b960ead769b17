"""Staging: exports are read whole into tables of their own, and it is decided where each row goes, in one transaction.

So files may come in any order and be larger than memory; and an import that is killed later goes on with the very same
rows, which become the very same events.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import orjson

from service import clock
from service.moving.books import Kind, Wrong
from service.moving.exports import Export
from service.moving.old_rows import CourseRow, LessonRow
from service.moving.queries import query
from service.moving.stints import Standing, plan_of
from service.moving.targets import Found, target_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from pathlib import Path

    import asyncpg

    from service.db.connections import Connection
    from service.moving.books import Books
    from service.moving.judging import Rules
    from service.moving.model import Unit
    from service.moving.old_rows import Names
    from service.moving.stints import Plan
    from service.moving.targets import Target

    Row = asyncpg.Record
    Advance = Callable[[Export], None]

TABLES: Final = {
    Kind.COURSES: "staged_courses",
    Kind.LESSONS: "staged_lessons",
    Kind.PROGRESS: "staged_points",
}
SORT_MEMORY: Final = "64MB"
"""Of Postgres, for each sort of rows by the million; what is more lies on its disk meanwhile."""

_FETCHED_ROWS: Final = 5000
_SHOWN_ROWS: Final = 4096
"""So often it is told how far reading has come."""

_COURSE_COLUMNS: Final = len(CourseRow._fields)
_LESSON_COLUMNS: Final = len(LessonRow._fields)
_EMPTY: Final = (
    "TRUNCATE staged_courses, staged_lessons, staged_points, staged_stints, staged_ways, staged_targets"
)
"""Whoever looks whether something is staged waits for that: it is done in a transaction that is short."""

_ANALYZE: Final = "ANALYZE staged_courses, staged_lessons, staged_points"


async def stage(
    connection: Connection,
    files: Sequence[tuple[Kind, Path]],
    names: Names,
    unit: Unit,
    *,
    books: Books,
    advance: Advance,
) -> None:
    """Inside a transaction, in which nothing is staged yet. Raises Unreadable."""
    books.files = [str(path) for _, path in files]
    await connection.execute(f"SET LOCAL work_mem = '{SORT_MEMORY}'")
    for number, (kind, path) in enumerate(files):
        export = Export(path, kind, number, names, books)
        await connection.copy_records_to_table(TABLES[kind], records=_shown(export, advance))
        advance(export)
    await connection.execute(_ANALYZE)
    await _plan_courses(connection, books)
    await connection.execute(query("add_known_ways"))
    await _place_lessons(connection, unit, books)
    await connection.execute(query("add_known_targets"))
    await connection.execute("ANALYZE staged_stints, staged_ways, staged_targets")


async def mark(connection: Connection, books: Books, rules: Rules) -> int:
    """All is staged. Gives the number of the import."""
    number: int = await connection.fetchval(
        "INSERT INTO move_imports (began_at, files, books, settings) VALUES ($1, $2, $3, $4) RETURNING import",
        rules.began_us,
        orjson.dumps(books.files).decode(),
        orjson.dumps(books.as_dict()).decode(),
        orjson.dumps(rules.settings).decode(),
    )
    return number


async def finish(connection: Connection, number: int, books: Books) -> None:
    """The import is through: nothing of it stays staged."""
    async with connection.transaction():
        await connection.execute(
            "UPDATE move_imports SET finished_at = $2, books = $3 WHERE import = $1",
            number,
            clock.now_us(),
            orjson.dumps(books.as_dict()).decode(),
        )
        await connection.execute(_EMPTY)


async def stints_of(connection: Connection) -> int:
    """How many stints there are; points have one at least."""
    last: int | None = await connection.fetchval("SELECT max(stint) FROM staged_stints")
    return max(1, last or 0)


async def points_of(connection: Connection) -> int:
    """How many are staged."""
    count: int = await connection.fetchval("SELECT count(*) FROM staged_points")
    return count


def _shown(export: Export, advance: Advance) -> Iterable[tuple[Any, ...]]:
    for place, row in enumerate(export.rows()):
        if place % _SHOWN_ROWS == 0:
            advance(export)
        yield row


async def _fetched(connection: Connection, name: str) -> AsyncIterator[list[Row]]:
    cursor = await connection.cursor(query(name))
    while rows := await cursor.fetch(_FETCHED_ROWS):
        yield rows


async def _plan_courses(connection: Connection, books: Books) -> None:
    """Which stints the user courses have. Those of one user and course may lie in two fetches."""
    held: list[Row] = []
    async for fetched in _fetched(connection, "read_staged_courses"):
        rows = held + fetched
        last = (rows[-1]["course"], rows[-1]["user_id"])
        held = [row for row in rows if (row["course"], row["user_id"]) == last]
        await _plan_some(connection, rows[: len(rows) - len(held)], books)
    await _plan_some(connection, held, books)


async def _plan_some(connection: Connection, rows: Sequence[Row], books: Books) -> None:
    stints: list[tuple[Any, ...]] = []
    ways: list[tuple[Any, ...]] = []
    for (course, user), group in groupby(rows, lambda row: (row["course"], row["user_id"])):
        taken = [row for row in group if _is_taken(row, books)]
        if not taken:
            continue
        plan = _planned(taken, books)
        stints += [
            (
                course,
                user,
                number,
                one.user_course,
                one.attempt,
                False,
                one.created_us,
                one.opened_us,
                one.due_us,
                one.started_us,
                one.viewed_us,
                one.completed_us,
                one.last_completed_us,
                one.closes_us,
            )
            for number, one in enumerate(plan.stints, start=1)
        ]
        ways += [
            (one.user_course, course, user, one.stint, one.until_us, one.stint_before) for one in plan.ways
        ]
    if stints:
        await connection.copy_records_to_table("staged_stints", records=stints)
    if ways:
        await connection.copy_records_to_table("staged_ways", records=ways)


def _is_taken(row: Row, books: Books) -> bool:
    place = (row["file"], row["line"])
    name, course, user = row["user_course"], row["course"], row["user_id"]
    if row["nth"] > 1:
        books.skip(Kind.COURSES, "duplicate_id", place, f"{name!r} is there again, changed later")
    elif not row["has_course"]:
        books.skip(Kind.COURSES, "unknown_course", place, f"playhead has no course {course!r}")
    elif row["is_known"] and not row["is_same"]:
        detail = f"{name!r} was imported as that of another course or user than {course!r} and {user!r}"
        books.skip(Kind.COURSES, "foreign_owner", place, detail)
    else:
        return True
    return False


def _planned(rows: Sequence[Row], books: Books) -> Plan:
    first = rows[0]
    standing = None
    if first["attempt"] is not None:
        standing = Standing(
            first["attempt"], first["number"], first["opened_at"], first["is_open"], first["last_user_course"]
        )
    given = [CourseRow(*tuple(row)[:_COURSE_COLUMNS]) for row in rows]
    plan = plan_of(given, standing, [row["user_course"] for row in rows if row["shown_attempt"] is not None])
    for row in plan.refused:
        detail = f"{row.course!r} of {row.user!r} has a later attempt in playhead already"
        books.skip(Kind.COURSES, "later_attempt", (row.file, row.line), detail)
    known = sum(row.user_course in plan.known for row in given)
    books.courses.merged += known
    books.courses.written += len(given) - known - len(plan.refused)
    for row in given:
        if row.is_completed and row.completed_us is None:
            books.mend(
                Kind.COURSES,
                "completed_without_date",
                (row.file, row.line),
                "completed, but not said when",
            )
    return plan


async def _place_lessons(connection: Connection, unit: Unit, books: Books) -> None:
    last: Target | None = None
    async for rows in _fetched(connection, "read_staged_lessons"):
        targets: list[Target] = []
        for values in map(tuple, rows):
            row, found = LessonRow(*values[:_LESSON_COLUMNS]), Found(*values[_LESSON_COLUMNS:])
            same = last and (last.user_course, last.lesson) == (row.user_course, row.lesson)
            try:
                last = target_of(row, found, last.user_lesson if last and same else None, unit, books)
            except Wrong as wrong:
                books.skip(Kind.LESSONS, wrong.reason, (row.file, row.line), wrong.detail)
                continue
            targets.append(last)
            if found.known_lesson is None:
                books.lessons.written += 1
            else:
                books.lessons.merged += 1
        await connection.copy_records_to_table("staged_targets", records=targets)
