"""Imports out of the old system: exports are staged, and then carried out, attempt after attempt.

1. `stage` reads all files into tables (`service.moving.staging`), where it is decided what becomes of each row.
2. `carry_out` opens the first attempts of everybody (`past_attempts`), counts the points that belong to them
   (`judging`, `points`, `counting`), closes them, opens the next ones, and so on: what is counted counts for the
   attempt that is open.
3. Killed anywhere, what was staged stays, and the next run begins with finishing it.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from service import clock
from service.counters import keys
from service.counters.servers import server_of
from service.db import locks
from service.db.records import START, EntryId
from service.errors import Conflict
from service.moving import staging
from service.moving.books import Books
from service.moving.counting import book_events, events_of
from service.moving.ids import SESSION_PREFIX as DUAL_PREFIX
from service.moving.judging import Goal, Judged, Rules, Stored, judge, skip_unknown
from service.moving.queries import query

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

    import asyncpg
    from redis.asyncio import Redis

    from service.courses.database import Database
    from service.db.connections import Connection
    from service.moving.counting import Counting, Say
    from service.moving.model import Unit
    from service.moving.past_attempts import PastAttempts
    from service.rules.constants import Constants

RECENT_US: Final = 60_000_000
"""What came by dual write so long before an import began is in the streams by then."""

FETCHED_ROWS: Final = 20_000
"""Points judged at once: a tenth of a second, and some thirty lessons."""

UNTOLD_AT_ONCE: Final = 1000
CAUGHT_UP_POLL_SECONDS: Final = 0.1
PATIENT_SECONDS: Final = 5.0
"""Who waits longer for the flusher is told so."""


class Staged(NamedTuple):
    """An import that is not through: its number, its books as they were when all was staged, and how to judge."""

    number: int
    books: Books
    rules: Rules


class Importing:
    """Over a connection of its own, since it reads for long while others write. One runs at a time: see `lock`."""

    def __init__(
        self,
        connection: Connection,
        database: Database,
        redis: Redis,
        partitions: int,
        *,
        past: PastAttempts,
        counting: Counting,
        unit: Unit,
        constants: Constants,
        say: Say,
        counted: Callable[[int], None],
    ) -> None:
        self._connection = connection
        self._database = database
        self._redis = redis
        self._partitions = partitions
        self._past = past
        self._counting = counting
        self._unit = unit
        self._constants = constants
        self._say = say
        self._counted = counted

    async def left(self) -> Staged | None:
        """What a run that ended early has staged."""
        row = await self._connection.fetchrow(
            "SELECT import, books, began_at, settings FROM move_imports WHERE finished_at IS NULL"
        )
        if row is None:
            return None
        rules = self.rules(row["began_at"])
        if row["settings"] is not None:
            rules = rules.with_settings(orjson.loads(row["settings"]))
        return Staged(row["import"], Books.from_dict(orjson.loads(row["books"])), rules)

    async def carry_out(self, staged: Staged) -> None:
        """Whatever of it was done before changes nothing."""
        started = clock.steady_seconds()
        books, rules = staged.books, staged.rules
        if await staging.points_of(self._connection):
            await self._wait_for_flusher()
        for stint in range(1, await staging.stints_of(self._connection) + 1):
            await self._counting.patiently(partial(self._past.begin, stint))
            async with aclosing(self._judged(stint, rules, books)) as points:
                async for judged in points:
                    await self._counting.count(judged, books)
            async for judged in self._untold(stint, rules, books):
                await self._counting.count(judged, books)
            await self._counting.patiently(partial(self._past.end, stint))
        books.seconds += clock.steady_seconds() - started
        await staging.finish(self._connection, staged.number, books)

    async def try_out(self, books: Books, rules: Rules) -> None:
        """What carrying it out would do. Inside the transaction that staged it."""
        for stint in range(1, await staging.stints_of(self._connection) + 1):
            async for judged in self._judged(stint, rules, books, is_trial=True):
                for one in judged:
                    book_events(events_of(one, rules.began_us), books)

    def rules(self, began_us: int) -> Rules:
        """By the settings of now."""
        return Rules(self._unit, self._constants, began_us - RECENT_US, began_us)

    async def _judged(
        self, stint: int, rules: Rules, books: Books, *, is_trial: bool = False
    ) -> AsyncGenerator[list[Judged], None]:
        """The points of this stint, some user lessons at a time, each with all of its points."""
        held: list[asyncpg.Record] = []
        async with aclosing(self._fetched(stint, is_ahead=not is_trial)) as pages:
            async for fetched in pages:
                rows = held + fetched
                last = rows[-1]["user_lesson"]
                held = [row for row in rows if row["user_lesson"] == last]
                some = rows[: len(rows) - len(held)]
                yield await self._judge(_grouped(some), stint, rules, books, is_trial=is_trial)
                self._counted(len(some))
        yield await self._judge(_grouped(held), stint, rules, books, is_trial=is_trial)
        self._counted(len(held))

    async def _fetched(self, stint: int, *, is_ahead: bool) -> AsyncGenerator[list[asyncpg.Record], None]:
        """`is_ahead`: what comes next is read while what came is counted."""
        async with self._connection.transaction():
            await self._connection.execute(f"SET LOCAL work_mem = '{staging.SORT_MEMORY}'")
            cursor = await self._connection.cursor(query("read_staged_points"), stint)
            if not is_ahead:
                while rows := await cursor.fetch(FETCHED_ROWS):
                    yield rows
                return
            reading = asyncio.ensure_future(cursor.fetch(FETCHED_ROWS))
            try:
                while rows := await reading:
                    reading = asyncio.ensure_future(cursor.fetch(FETCHED_ROWS))
                    yield rows
            finally:
                reading.cancel()
                with suppress(asyncio.CancelledError):
                    await reading

    async def _judge(
        self,
        groups: dict[str, list[Stored]],
        stint: int,
        rules: Rules,
        books: Books,
        *,
        is_trial: bool = False,
    ) -> list[Judged]:
        if not groups:
            return []
        goals = await self._goals(list(groups), is_trial=is_trial)
        dual = await self._dual(list(goals.values()), rules)
        judged = []
        for name, rows in groups.items():
            goal = goals.get(name)
            if goal is None:
                skip_unknown(rows, books)
            else:
                came = dual.get(name, frozenset[str]())
                judged.append(judge(goal, rows, dual=came, stint=stint, rules=rules, books=books))
        return judged

    async def _untold(self, stint: int, rules: Rules, books: Books) -> AsyncIterator[list[Judged]]:
        """Those without a point, of which only they themselves tell."""
        after = ""
        while names := await self._names("read_untold_targets", stint, after, UNTOLD_AT_ONCE):
            yield await self._judge({name: [] for name in names}, stint, rules, books)
            after = names[-1]

    async def _names(self, name: str, *arguments: object) -> list[str]:
        async with self._database.transaction() as connection:
            return [row["user_lesson"] for row in await connection.fetch(query(name), *arguments)]

    async def _goals(self, names: Sequence[str], *, is_trial: bool) -> dict[str, Goal]:
        if is_trial:  # nobody else sees what is staged
            rows = await self._connection.fetch(query("read_targets"), names, is_trial)
        else:
            async with self._database.transaction() as connection:
                rows = await connection.fetch(query("read_targets"), names, is_trial)
        return {row["user_lesson"]: Goal(*row) for row in rows}

    async def _dual(self, goals: Sequence[Goal], rules: Rules) -> dict[str, set[str]]:
        """The points of these lessons that came by dual write, before the import began."""
        users = sorted({goal.user for goal in goals})
        sessions = [DUAL_PREFIX + goal.user_lesson for goal in goals]
        found: dict[str, set[str]] = {}
        async with self._database.transaction() as connection:
            rows = await connection.fetch(query("select_dual_points"), users, sessions, rules.began_us)
        for row in rows:
            found.setdefault(row["session"].removeprefix(DUAL_PREFIX), set()).add(row["event_id"])
        return found

    async def _wait_for_flusher(self) -> None:
        """Until all that was counted by now is in Postgres, where it is asked for what came by dual write."""
        ends = [await self._end(partition) for partition in range(self._partitions)]
        started = clock.steady_seconds()
        while True:
            async with self._database.transaction() as connection:
                rows = await connection.fetch("SELECT partition, entry_ms, entry_seq FROM checkpoints")
            reached = {row["partition"]: EntryId(row["entry_ms"], row["entry_seq"]) for row in rows}
            if all(reached.get(partition, START) >= end for partition, end in enumerate(ends)):
                return
            if clock.steady_seconds() - started > PATIENT_SECONDS:
                self._say("waiting for the flusher to move what was counted into Postgres; does it run?")
            await asyncio.sleep(CAUGHT_UP_POLL_SECONDS)

    async def _end(self, partition: int) -> EntryId:
        """The last entry that was ever appended to its stream."""
        key = keys.log(partition)
        last = await server_of(self._redis, key).hget(key, "last")
        return EntryId.parse(last) if last else START


def _grouped(rows: Sequence[asyncpg.Record]) -> dict[str, list[Stored]]:
    return {name: list(map(Stored._make, group)) for name, group in groupby(rows, lambda row: row[0])}


async def lock(connection: Connection) -> None:
    """For as long as this connection lives. Raises Conflict where another import runs."""
    if not await connection.fetchval(locks.TRY.format(*locks.IMPORT)):
        raise Conflict("import_runs", "another import is running; wait until it has ended")
