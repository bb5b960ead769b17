"""Credits: given for an attempt, read, and taken back again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from service.counters.coverage import seen_of
from service.courses.assigning.assignments import read_assignment
from service.courses.assigning.noting import Progress, note
from service.courses.assigning.opening import lock
from service.courses.catalogue.catalogue import read_course
from service.courses.credits.crediting import GivenCredit, GivenShare, find_credits, grant_of, keep_credits
from service.courses.credits.withdrawing import withdraw
from service.courses.model import CreditPolicy
from service.courses.queries import query
from service.courses.rows import attempt_of
from service.courses.watching.viewed import progress_of
from service.errors import Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import asyncpg

    from service.courses.credits.crediting import Grant
    from service.courses.database import Database
    from service.courses.model import Attempt, Course, Lesson
    from service.db.connections import Connection


class Credits:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def give(
        self,
        attempt: int,
        now_us: int,
        by: str | None = None,
        lessons: Collection[str] | None = None,
        *,
        is_trial: bool = False,
    ) -> list[GivenCredit]:
        """What is credited now: of all lessons, or of these. Again, there is nothing left to be credited.

        What came late (a device that was offline) is there when it is asked for again. A trial changes nothing.
        Raises NotFound, also for a lesson that the course is without; Conflict where the attempt is closed.
        """
        async with self._database.transaction() as connection:
            grant = await _grant(connection, attempt, now_us, by)
            found = await find_credits(connection, grant, _chosen(grant.course, lessons))
            if is_trial or not found:
                return found
            numbers = await keep_credits(connection, grant, found)
            await _note(connection, grant, found)
        return [replace(credit, credit=numbers[credit.lesson]) for credit in found]

    async def take_back(self, credit: int, now_us: int, by: str | None = None) -> GivenCredit:
        """It does not count any more, and a completion that stood on it is withdrawn. Again, it changes nothing.

        Raises NotFound.
        """
        async with self._database.transaction() as connection:
            found = await _read(connection, credit)
            await lock(connection, [(found.course, found.user)])
            found = await _read(connection, credit)
            if found.taken_back_us is None:
                await withdraw(connection, found, now_us, by)
                found = await _read(connection, credit)
        return found

    async def get(self, credit: int) -> GivenCredit:
        """With its shares. Raises NotFound."""
        async with self._database.transaction() as connection:
            return await _read(connection, credit)

    async def of_attempt(self, attempt: int, limit: int, below: int) -> list[GivenCredit]:
        """The last one first, from below this number on; without their shares."""
        rows = await self._database.rows("select_credits_of_attempt", attempt, below, limit)
        return [_credit_of(row) for row in rows]

    async def of_user(self, user: str, limit: int, below: int) -> list[GivenCredit]:
        """The last one first, from below this number on; without their shares."""
        rows = await self._database.rows("select_credits_of_user", user, below, limit)
        return [_credit_of(row) for row in rows]


async def _grant(connection: Connection, number: int, now_us: int, by: str | None) -> Grant:
    attempt = await _attempt(connection, number)
    await lock(connection, [(attempt.course, attempt.user)])
    assignment = await read_assignment(connection, attempt.course, attempt.user)
    attempt = await _attempt(connection, number)
    if attempt.closed_us is not None or attempt.attempt != assignment.attempt.attempt:
        raise Conflict("attempt_closed", f"attempt {number} is closed, and stays as it is")
    return grant_of(assignment, await read_course(connection, attempt.course), now_us, by)


async def _attempt(connection: Connection, number: int) -> Attempt:
    row = await connection.fetchrow(query("select_attempt"), number)
    if row is None:
        raise NotFound(f"there is no attempt {number}")
    return attempt_of(row)


def _chosen(course: Course, names: Collection[str] | None) -> list[Lesson]:
    if names is None:
        return list(course.lessons)
    known = {lesson.lesson: lesson for lesson in course.lessons}
    for name in names:
        if name not in known:
            raise NotFound(f"course {course.course!r} has no lesson {name!r}")
    return [known[name] for name in dict.fromkeys(names)]


async def _note(connection: Connection, grant: Grant, found: Sequence[GivenCredit]) -> None:
    """A lesson of which nothing was watched in the attempt is noted without a view."""
    attempt = grant.attempt.attempt
    watched = await progress_of(connection, [attempt])
    keys = [(attempt, credit.lesson, credit.revision) for credit in found]
    unwatched = (Progress(*key, 0, 0, 0, grant.now_us, None) for key in keys)
    await note(connection, [watched.get(one[:3], one) for one in unwatched])


async def _read(connection: Connection, credit: int) -> GivenCredit:
    row = await connection.fetchrow(query("select_credit"), credit)
    if row is None:
        raise NotFound(f"there is no credit {credit}")
    shares = await connection.fetch(query("select_credit_shares"), credit)
    return _credit_of(row, shares)


def _credit_of(row: asyncpg.Record, shares: Iterable[asyncpg.Record] = ()) -> GivenCredit:
    return GivenCredit(
        row["credit"],
        row["attempt"],
        row["course"],
        row["user_id"],
        row["lesson"],
        row["revision"],
        CreditPolicy(row["window_months"], row["cap_permille"], row["includes_flagged"]),
        row["since_at"],
        row["until_at"],
        row["created_at"],
        row["created_by"],
        seen_of(row["seen"]),
        tuple(_share_of(share) for share in shares),
        row["taken_back_at"],
        row["taken_back_by"],
        row["withdrawn_at"],
    )


def _share_of(row: asyncpg.Record) -> GivenShare:
    return GivenShare(
        row["slug"], row["session"], row["scope"], row["first_at"], row["last_at"], seen_of(row["seen"])
    )
