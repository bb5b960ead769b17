"""The attempts of a stint: opened before its points are counted, and given their dates, or an end, after that.

Each step is done for some assignments in one transaction and changes nothing when it is done again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from service.courses.assigning.opening import columns, last_attempts, lock
from service.courses.model import Opening
from service.courses.queries import query as query_of_courses
from service.limits import ASSIGN_RUN_MAX
from service.moving.queries import query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    import asyncpg

    from service.courses.assigning.opening import Pair
    from service.courses.database import Database
    from service.courses.model import Attempt
    from service.courses.watching.levelling import Levelling
    from service.db.connections import Connection

    Row = asyncpg.Record

_FIRST: Final = ("", "")


class PastAttempts:
    def __init__(self, database: Database, levelling: Levelling) -> None:
        self._database = database
        self._levelling = levelling

    async def begin(self, stint: int) -> None:
        """Open the attempts of this stint. From then on what is watched counts for them, and old ids are known."""
        async for rows in self._some(stint):
            async with self._database.transaction() as connection:
                await _open(connection, stint, [row for row in rows if row["attempt"] is None])
            pairs = [_pair(row) for row in rows]
            await self._levelling.level_assignments(pairs)
            async with self._database.transaction() as connection:
                await _name(connection, stint, rows)

    async def end(self, stint: int) -> None:
        """Give the attempts of this stint their dates; those whose place the next one takes are closed."""
        async for rows in self._some(stint):
            async with self._database.transaction() as connection:
                await lock(connection, [_pair(row) for row in rows])
                await _finish(connection, rows)
            await self._levelling.level_assignments([_pair(row) for row in rows])

    async def _some(self, stint: int) -> AsyncIterator[list[Row]]:
        after = _FIRST
        while rows := await self._page(stint, after):
            yield rows
            after = _pair(rows[-1])

    async def _page(self, stint: int, after: Pair) -> list[Row]:
        async with self._database.transaction() as connection:
            return await connection.fetch(query("read_stints"), stint, *after, ASSIGN_RUN_MAX)


def _pair(row: Row) -> Pair:
    return row["course"], row["user_id"]


async def _open(connection: Connection, stint: int, rows: Sequence[Row]) -> None:
    """Where somebody has assigned the course meanwhile, that attempt is theirs."""
    if not rows:
        return
    wanted = {_pair(row): row for row in rows}
    given = columns(wanted)
    await connection.execute(query("insert_past_assignments"), *given, [row["opened_us"] for row in rows])
    await lock(connection, wanted)
    last = await last_attempts(connection, wanted)
    taken = {pair: one.attempt for pair, one in last.items() if one.closed_us is None}
    opened = await _insert(connection, {pair: row for pair, row in wanted.items() if pair not in taken}, last)
    noted = [(*pair, attempt, False) for pair, attempt in taken.items()]
    noted += [(*pair, attempt, True) for pair, attempt in opened.items()]
    await connection.execute(query("note_stints"), stint, *map(list, zip(*noted, strict=True)))


async def _insert(
    connection: Connection, wanted: Mapping[Pair, Row], last: Mapping[Pair, Attempt]
) -> dict[Pair, int]:
    numbers = [last[pair].number + 1 if pair in last else 1 for pair in wanted]
    why = [str(Opening.ASSIGNMENT if number == 1 else Opening.RENEWAL) for number in numbers]
    rows = await connection.fetch(
        query("open_past_attempts"),
        *columns(wanted),
        numbers,
        [row["due_us"] for row in wanted.values()],
        why,
        [row["opened_us"] for row in wanted.values()],
    )
    return {_pair(row): row["attempt"] for row in rows}


async def _name(connection: Connection, stint: int, rows: Sequence[Row]) -> None:
    """What the old system called them, and what their lessons say of when they were watched.

    Only now, since what clients write by these names counts from then on.
    """
    await connection.execute(query("upsert_user_courses"), stint, *columns([_pair(row) for row in rows]))
    names = [row["user_course"] for row in rows if row["user_course"] is not None]
    await connection.execute(query("insert_user_lessons"), stint, names)
    attempts = await _attempts(connection, stint, rows)
    dates: list[tuple[Any, ...]] = []
    for row in await connection.fetch(query("read_lesson_dates"), stint, names):
        attempt = attempts[row["user_course"]]
        started_us = row["started_us"]
        key = (attempt, row["lesson"], row["revision"])
        dates.append((*key, 0, 0, 0, started_us, row["viewed_us"], row["completed_us"]))
    if dates:
        await connection.execute(
            query_of_courses("upsert_attempt_lessons"), *map(list, zip(*dates, strict=True))
        )


async def _attempts(connection: Connection, stint: int, rows: Sequence[Row]) -> dict[str, int]:
    """Of each user course that shows one: those of this very stint, which were opened since the rows were read."""
    found = await connection.fetch(
        query("read_attempts_of_stint"), stint, *columns([_pair(row) for row in rows])
    )
    return {row["user_course"]: row["attempt"] for row in found}


async def _finish(connection: Connection, rows: Sequence[Row]) -> None:
    await connection.execute(
        query("finish_past_attempts"),
        [row["attempt"] for row in rows],
        [row["started_us"] for row in rows],
        [row["viewed_us"] for row in rows],
        [row["completed_us"] for row in rows],
        [row["due_us"] for row in rows],
        [row["closes_us"] for row in rows],
        [row["is_opened"] for row in rows],
    )
    done = [(*_pair(row), row["last_completed_us"]) for row in rows if row["last_completed_us"] is not None]
    if done:
        await connection.execute(
            query_of_courses("complete_assignments"), *map(list, zip(*done, strict=True))
        )
