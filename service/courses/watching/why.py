"""Why an attempt stands where it stands: second by second, with the sessions that it comes from.

Coverage and totals are read from the live counters. Which session was implausible, and what was played at which speed,
is what was followed by now: some seconds behind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from service.counters.coverage import seen_of
from service.courses.assigning.noting import records_of
from service.courses.queries import query
from service.courses.rows import attempt_of
from service.courses.watching.viewing import AtSpeed
from service.courses.watching.watched import lessons_of, stored_of
from service.errors import NotFound

if TYPE_CHECKING:
    from service.courses.database import Database
    from service.courses.model import Attempt, LessonRecord
    from service.courses.watching.watched import Stored, WatchedLesson
    from service.db.connections import Connection
    from service.stored.scopes import Scopes

TOLD_MAX = 5000
"""Sessions, seeks and shares that are told of one attempt, of each kind: nobody reads more."""


class Implausible(NamedTuple):
    """What of one session is implausible for one reason."""

    session: str
    reason: str
    implausible_ms: int
    seen: int
    first_us: int
    last_us: int


class Skipped(NamedTuple):
    """A seek past the limit. `verdict` is what was decided, `reason` what the player said."""

    session: str
    from_ms: int
    to_ms: int
    limit_ms: int
    verdict: str
    has_happened: bool
    is_skip: bool
    reason: str | None
    at_us: int


class Share(NamedTuple):
    """What one session gave to a credit."""

    credit: int
    session: str
    first_us: int
    last_us: int
    seen: int


@dataclass(slots=True)
class LessonWhy:
    """Of one video of a lesson. `record` is what was noted, where anything was."""

    watched: WatchedLesson
    record: LessonRecord | None = None
    speeds: dict[int, AtSpeed] = field(default_factory=dict)
    implausible: list[Implausible] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)


Lessons = dict[tuple[str, int], LessonWhy]
"""By lesson and revision, in the order of the course."""


class Why:
    """Raises NotFound; Unavailable."""

    def __init__(self, database: Database, scopes: Scopes) -> None:
        self._database = database
        self._scopes = scopes

    async def state(self, attempt: int) -> tuple[Attempt, list[LessonWhy]]:
        """What it has of each lesson now, without the reasons."""
        async with self._database.transaction() as connection:
            found, records, stored = await _read(connection, attempt)
        return found, list((await self._lessons(records, stored)).values())

    async def explain(self, attempt: int) -> tuple[Attempt, list[LessonWhy]]:
        """With the reasons."""
        async with self._database.transaction() as connection:
            found, records, stored = await _read(connection, attempt)
        lessons = await self._lessons(records, stored)
        async with self._database.transaction() as connection:
            await _add_speeds(connection, attempt, lessons)
            await _add_implausible(connection, attempt, lessons)
            await _add_skipped(connection, attempt, lessons)
            await _add_shares(connection, attempt, lessons)
        return found, list(lessons.values())

    async def _lessons(self, records: list[LessonRecord], stored: list[Stored]) -> Lessons:
        lessons = {
            (watched.lesson, watched.revision): LessonWhy(watched)
            for watched in await lessons_of(self._scopes, stored)
        }
        for record in records:
            if one := lessons.get((record.lesson, record.revision)):
                one.record = record
        return lessons


async def _read(connection: Connection, attempt: int) -> tuple[Attempt, list[LessonRecord], list[Stored]]:
    row = await connection.fetchrow(query("select_attempt"), attempt)
    if row is None:
        raise NotFound(f"there is no attempt {attempt}")
    return attempt_of(row), await records_of(connection, [attempt]), await stored_of(connection, [attempt])


async def _add_speeds(connection: Connection, attempt: int, lessons: Lessons) -> None:
    for row in await connection.fetch(query("select_speeds_of_attempt"), attempt, TOLD_MAX):
        if one := lessons.get((row["lesson"], row["revision"])):
            at_speed = one.speeds.setdefault(row["speed"], AtSpeed())
            at_speed.watch_ms += row["watch_ms"]
            at_speed.effective_ms += row["effective_ms"]
            at_speed.seen |= seen_of(row["seen"])


async def _add_implausible(connection: Connection, attempt: int, lessons: Lessons) -> None:
    for row in await connection.fetch(query("select_flags_of_attempt"), attempt, TOLD_MAX):
        if one := lessons.get((row["lesson"], row["revision"])):
            one.implausible.append(
                Implausible(
                    row["session"],
                    row["reason"],
                    row["implausible_ms"],
                    seen_of(row["seen"]),
                    row["first_at"],
                    row["last_at"],
                )
            )


async def _add_skipped(connection: Connection, attempt: int, lessons: Lessons) -> None:
    for lesson, revision, *told in await connection.fetch(
        query("select_seeks_of_attempt"), attempt, TOLD_MAX
    ):
        if one := lessons.get((lesson, revision)):
            one.skipped.append(Skipped(*told))


async def _add_shares(connection: Connection, attempt: int, lessons: Lessons) -> None:
    for row in await connection.fetch(query("select_shares_of_attempt"), attempt, TOLD_MAX):
        if one := lessons.get((row["lesson"], row["revision"])):
            one.shares.append(
                Share(row["credit"], row["session"], row["first_at"], row["last_at"], seen_of(row["seen"]))
            )
