"""Following: raw events become viewings, and what attempts have is noted, some seconds after the events were counted.

One step takes the rows of a partition after those it followed last, as far as they are committed, and keeps viewings
and how far it came in one transaction: killed anywhere it loses nothing and counts nothing twice. Who holds the
partition's row in `followed` follows it. An erasure waits for that row, too, so that no batch brings anybody back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service import metrics
from service.courses.assigning.noting import note
from service.courses.queries import query
from service.courses.watching.parallel import HOUR_S, Hour, Playing, hours_of, wall_of
from service.courses.watching.viewed import progress_of
from service.courses.watching.viewing import PARALLEL_PLAYBACK, Key, Row, Viewings
from service.courses.watching.viewing_rows import (
    named,
    read_hours,
    read_viewings,
    write_hours,
    write_viewings,
)
from service.db.digests import digest

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from service.courses.database import Database
    from service.courses.watching.viewing import Added
    from service.db.connections import Connection

ROWS_MAX = 1000
"""Rows in one transaction: some ten milliseconds, in which the flusher's process does little else."""

KEPT_HOURS = 14 * 24
"""How late, at most, a device may tell what it played and still be held against the user's other ones."""

FORGOTTEN_MAX = 5000
"""Rows deleted in one statement: some ten milliseconds."""

CATCH_UP_STEPS_MAX = 10
"""Of who waits for an answer meanwhile: a tenth of a second. Who is further behind waits for the worker."""

_ORDINAL_MAX = 2**15 - 1
"""Past every place in an entry."""


class Place(NamedTuple):
    """How far a partition is followed: up to this row, included."""

    entry_ms: int
    entry_seq: int
    ordinal: int


class Following:
    """`tolerance_ms`: by how much a session may be ahead of the clock, and how long two may seem to play at once within
    an hour, since no clock is exact."""

    def __init__(self, database: Database, tolerance_ms: int) -> None:
        self._database = database
        self._tolerance_ms = tolerance_ms

    async def follow(self, partition: int) -> bool:
        """One step. Gives whether more is waiting."""
        async with self._database.transaction() as connection:
            after = await _place(connection, partition)
            committed = await connection.fetchrow(query("select_committed"), partition)
            if after is None or committed is None:
                return False
            await self._keep_late(connection, partition)
            upto = Place(committed["entry_ms"], committed["entry_seq"], _ORDINAL_MAX)
            if upto <= after:
                return False
            is_more = False
            if await connection.fetch(query("select_any_lesson")):
                end = await connection.fetchrow(
                    query("find_followed_end"), partition, *after, *upto[:2], ROWS_MAX - 1
                )
                is_more, upto = end is not None, Place(*end) if end else upto
                await self._keep(connection, await _rows(connection, partition, after, upto))
            await connection.execute(query("move_followed"), partition, *upto)
            return is_more

    async def forget_hours(self, now_us: int) -> bool:
        """Some of those that are older than is kept. Gives whether there may be more."""
        before = now_us // (HOUR_S * 1_000_000) - KEPT_HOURS
        gone = await self._database.rows("delete_playing_hours", before, FORGOTTEN_MAX)
        return len(gone) == FORGOTTEN_MAX

    async def _keep_late(self, connection: Connection, partition: int) -> None:
        """What had been parked (`workers.parking`) when its place was passed."""
        for ms, seq in await connection.fetch(query("take_late_entries"), partition):
            rows = await _rows(connection, partition, Place(ms, seq, -1), Place(ms, seq, _ORDINAL_MAX))
            await self._keep(connection, rows)

    async def catch_up(self, partition: int) -> None:
        """With all that is committed by now, for who decides by it; unless somebody else does so just now."""
        for _ in range(CATCH_UP_STEPS_MAX):
            if not await self.follow(partition):
                return

    async def _keep(self, connection: Connection, rows: Sequence[Row]) -> None:
        if not rows:
            return
        keys = {Key(row.user, row.slug, row.session, row.scope) for row in rows}
        viewings = Viewings(await read_viewings(connection, keys), self._tolerance_ms)
        await self._judge(connection, [viewings.add(row) for row in rows])
        await write_viewings(connection, viewings)
        await _note(connection, viewings.changed)
        metrics.FOLLOWED.inc(len(rows))

    async def _judge(self, connection: Connection, added: Sequence[Added]) -> None:
        """What was played beside another session of the same user."""
        walls = [(one.row.user, wall) for one in added if (wall := wall_of(one.row, one.played))]
        hours = {Hour(user, hour) for user, wall in walls for hour, _ in hours_of(*wall)}
        playing = Playing(await read_hours(connection, hours), -(-self._tolerance_ms // 1000))
        for row, viewing, played, implausible_ms in added:
            parallel_ms = playing.add(row, played, digest(row.slug, row.session))
            if parallel_ms:
                viewing.flag(PARALLEL_PLAYBACK, parallel_ms, played)
                viewing.implausible_ms += max(0, parallel_ms - implausible_ms)
        await write_hours(connection, playing)


async def _place(connection: Connection, partition: int) -> Place | None:
    """Locked until the transaction ends; None where somebody else follows just now."""
    await connection.execute(query("insert_followed"), partition)
    row = await connection.fetchrow(query("lock_followed"), partition)
    return Place(*row) if row else None


async def _rows(connection: Connection, partition: int, after: Place, upto: Place) -> list[Row]:
    found = await connection.fetch(query("select_followed_events"), partition, *after, *upto)
    return [Row(*row) for row in found]


async def _note(connection: Connection, changed: Collection[Key]) -> None:
    """What the attempts concerned have by now; also of those that were closed since."""
    names = sorted({named(key)[:3] for key in changed})
    found = await connection.fetch(query("select_concerned_lessons"), *map(list, zip(*names, strict=True)))
    concerned = {tuple(row) for row in found}
    progress = await progress_of(connection, {attempt for attempt, _, _ in concerned})
    kept = [one for key, one in progress.items() if key in concerned and one.seen]
    if kept:
        await note(connection, kept, with_closed=True)
