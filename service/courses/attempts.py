"""Attempts: what each has of its lessons, and the next one, by hand or by rule."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from service.courses.assigning import UNSAID, due_us_of
from service.courses.completion import LessonState, needed_cells, status_of
from service.courses.dates import renewable_before_us, renewal_dates
from service.courses.model import Opening, OpenLesson, SkipPolicy, Status
from service.courses.opening import close_attempts, last_attempts, lock, open_attempts
from service.courses.queries import query
from service.courses.rows import attempt_of, record_of, renewal_of
from service.courses.zones import zone_of
from service.errors import Conflict, NotFound, PostgresUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from zoneinfo import ZoneInfo

    import asyncpg

    from service.courses.assigning import Due
    from service.courses.database import Database
    from service.courses.model import Attempt, LessonRecord
    from service.db.connections import Connection


class Progress(NamedTuple):
    """What was counted of one revision of a lesson, for one attempt: all of it, not what is new."""

    lesson: str
    revision: int
    seen_cells: int
    started_us: int
    last_viewed_us: int


class Attempts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, attempt: int) -> tuple[Attempt, list[LessonRecord]]:
        """With what it has of its lessons. Raises NotFound."""
        async with self._database.transaction() as connection:
            found = await _read(connection, attempt)
            return found, await _records(connection, attempt)

    async def of(self, course: str, user: str, limit: int, below: int) -> list[Attempt]:
        """Of one assignment, the last one first, from below this number on."""
        rows = await self._database.rows("select_attempts", course, user, below, limit)
        return [attempt_of(row) for row in rows]

    async def open_lessons(self, user: str, slug: str) -> list[OpenLesson]:
        """The lessons with this movie that open attempts of the user wait for."""
        rows = await self._database.rows("select_open_lessons", user, slug)
        return [_open_lesson(row) for row in rows]

    async def renew(self, course: str, user: str, after: int, due: Due, now_us: int) -> Attempt:
        """Open the attempt that comes after number `after`, which is closed as it is. Again, it changes nothing.

        Raises NotFound; Conflict where the course is not assigned, or other attempts came since.
        """
        pair = (course, user)
        async with self._database.transaction() as connection:
            holds = await lock(connection, [pair])
            if pair not in holds:
                raise NotFound(f"course {course!r} was never assigned to user {user!r}")
            last = (await last_attempts(connection, [pair]))[pair]
            if last.number == after + 1:
                return last
            _refuse_renewal(last, after, is_assigned=holds[pair])
            said_us = due_us_of(due, await _zone(connection, course))
            due_us = None if said_us is UNSAID else said_us
            await close_attempts(connection, [last.attempt], now_us)
            await open_attempts(connection, {pair: (after + 1, due_us)}, Opening.RENEWAL, now_us)
            return (await last_attempts(connection, [pair]))[pair]

    async def renew_due(self, now_us: int, limit: int) -> int:
        """Open the attempts that rules want open by now, up to so many of each course; gives how many those were.

        Several processes may do so at once: an attempt is renewed by whoever closes it. A course that cannot be,
        since its time zone is none any more, keeps back no other; what it failed with is raised after them.
        """
        opened, failures = 0, []
        for course in await self._database.rows("select_renewed_courses"):
            try:
                opened += await self._renew_course(course, now_us, limit)
            except PostgresUnavailable:
                raise
            except Exception as failed:
                failures.append(failed)
        if failures:
            raise failures[0]
        return opened

    async def _renew_course(self, course: asyncpg.Record, now_us: int, limit: int) -> int:
        renewal, zone = renewal_of(course), zone_of(course["time_zone"])
        assert renewal is not None
        before_us = renewable_before_us(now_us, renewal, zone)
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                query("select_renewable_attempts"), course["course"], before_us, limit
            )
            await lock(connection, [(row["course"], row["user_id"]) for row in rows])
            closed = await close_attempts(connection, [row["attempt"] for row in rows], now_us)
            opened = {
                (row["course"], row["user_id"]): (
                    row["number"] + 1,
                    renewal_dates(row["completed_at"], renewal, zone).due_us,
                )
                for row in rows
                if row["attempt"] in closed
            }
            await open_attempts(connection, opened, Opening.RULE, now_us)
        return len(opened)

    async def note(self, attempt: int, progress: Sequence[Progress]) -> Attempt:
        """Keep what was counted for an open attempt, and whether that completes it. Again or late, it changes nothing.

        A lesson that was completed once stays so for this attempt, whatever becomes of its video; and so does the
        attempt, whatever lessons its course gets. Raises NotFound, also for a lesson or a revision that is not of the
        attempt's course; Conflict for an attempt that is closed.
        """
        async with self._database.transaction() as connection:
            found = await _read(connection, attempt)
            await lock(connection, [(found.course, found.user)])
            found = await _read(connection, attempt)
            if found.closed_us is not None:
                raise Conflict("attempt_closed", f"attempt {attempt} is closed, and stays as it is")
            await _note(connection, found, progress)
            return await _read(connection, attempt)


def _open_lesson(row: asyncpg.Record) -> OpenLesson:
    return OpenLesson(
        row["attempt"],
        row["course"],
        row["lesson"],
        row["revision"],
        row["duration_ms"],
        row["threshold_permille"],
        SkipPolicy(row["skip_policy"]),
    )


async def _read(connection: Connection, attempt: int) -> Attempt:
    row = await connection.fetchrow(query("select_attempt"), attempt)
    if row is None:
        raise NotFound(f"there is no attempt {attempt}")
    return attempt_of(row)


async def _records(connection: Connection, attempt: int) -> list[LessonRecord]:
    return [record_of(row) for row in await connection.fetch(query("select_attempt_lessons"), attempt)]


async def _zone(connection: Connection, course: str) -> ZoneInfo:
    row = await connection.fetchrow(query("select_course"), course)
    assert row is not None
    return zone_of(row["time_zone"])


def _refuse_renewal(last: Attempt, after: int, *, is_assigned: bool) -> None:
    if not is_assigned:
        raise Conflict(
            "not_assigned", f"course {last.course!r} is not assigned to user {last.user!r} any more"
        )
    if last.number != after:
        raise Conflict(
            "wrong_attempt",
            f"after: the last attempt of user {last.user!r} at course {last.course!r} is number {last.number}, got"
            f" {after}",
        )


async def _note(connection: Connection, attempt: Attempt, progress: Sequence[Progress]) -> None:
    if not progress:
        return
    noted = {(one.lesson, one.revision): one for one in sorted(progress, key=attrgetter("seen_cells"))}
    needed = await _needed_cells(connection, attempt.course, noted)
    completed_us = [
        one.last_viewed_us if one.seen_cells >= needed[key] else None for key, one in noted.items()
    ]
    await connection.execute(
        query("upsert_attempt_lessons"),
        attempt.attempt,
        [one.lesson for one in noted.values()],
        [one.revision for one in noted.values()],
        [one.seen_cells for one in noted.values()],
        [one.started_us for one in noted.values()],
        [one.last_viewed_us for one in noted.values()],
        completed_us,
    )
    await _judge(connection, attempt)


async def _needed_cells(
    connection: Connection, course: str, noted: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], int]:
    keys = list(noted)
    rows = await connection.fetch(
        query("select_judged_revisions"),
        course,
        [lesson for lesson, _ in keys],
        [number for _, number in keys],
    )
    needed = {
        (row["lesson"], row["revision"]): needed_cells(row["duration_ms"], row["threshold_permille"])
        for row in rows
    }
    for lesson, revision in keys:
        if (lesson, revision) not in needed:
            raise NotFound(f"course {course!r} has no lesson {lesson!r} with a revision {revision}")
    return needed


async def _judge(connection: Connection, attempt: Attempt) -> None:
    """Bring the attempt's dates, and its assignment's, level with what it has of its lessons."""
    records = await _records(connection, attempt.attempt)
    rows = await connection.fetch(query("select_lessons"), [attempt.course])
    begun = {record.lesson for record in records}
    completed = {record.lesson for record in records if record.completed_us is not None}
    status = status_of([LessonState(row["lesson"] in begun, row["lesson"] in completed) for row in rows])
    completed_us = None
    if status is Status.COMPLETED and attempt.completed_us is None:
        current = {row["lesson"] for row in rows}
        completed_us = max(_first_completion(records, lesson) for lesson in current)
        await connection.execute(query("complete_assignment"), attempt.course, attempt.user, completed_us)
    await connection.execute(
        query("update_attempt"),
        attempt.attempt,
        min(record.started_us for record in records),
        max(record.last_viewed_us for record in records),
        completed_us,
    )


def _first_completion(records: Iterable[LessonRecord], lesson: str) -> int:
    """Of the revisions of a lesson that were completed, when the first one was."""
    return min(
        record.completed_us
        for record in records
        if record.lesson == lesson and record.completed_us is not None
    )
