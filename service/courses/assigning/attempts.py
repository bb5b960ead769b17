"""Attempts: what each has of its lessons, and the next one, by hand or by rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.courses.assigning.assigning import UNSAID, due_us_of
from service.courses.assigning.noting import note, records_of
from service.courses.assigning.opening import close_attempts, last_attempts, lock, open_attempts
from service.courses.dates import renewable_before_us, renewal_dates
from service.courses.model import Opening
from service.courses.queries import query
from service.courses.rows import attempt_of, renewal_of
from service.courses.zones import zone_of
from service.errors import Conflict, NotFound, PostgresUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    import asyncpg

    from service.courses.assigning.assigning import Due
    from service.courses.assigning.noting import Progress, Unkept
    from service.courses.database import Database
    from service.courses.model import Attempt, LessonRecord
    from service.db.connections import Connection


class Attempts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, attempt: int) -> tuple[Attempt, list[LessonRecord]]:
        """With what it has of its lessons. Raises NotFound."""
        async with self._database.transaction() as connection:
            found = await _read(connection, attempt)
            return found, await records_of(connection, [attempt])

    async def of(self, course: str, user: str, limit: int, below: int) -> list[Attempt]:
        """Of one assignment, the last one first, from below this number on."""
        rows = await self._database.rows("select_attempts", course, user, below, limit)
        return [attempt_of(row) for row in rows]

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

    async def note(self, progress: Sequence[Progress]) -> list[Unkept | None]:
        """Keep what was counted for open attempts, and whether that completes them, all in one transaction.

        Gives why each was not kept; None where it was. Again or late, it changes nothing.
        """
        async with self._database.transaction() as connection:
            return await note(connection, progress)


async def _read(connection: Connection, attempt: int) -> Attempt:
    row = await connection.fetchrow(query("select_attempt"), attempt)
    if row is None:
        raise NotFound(f"there is no attempt {attempt}")
    return attempt_of(row)


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
