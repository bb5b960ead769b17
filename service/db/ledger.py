"""The one writer of what a flush brings: rows, snapshots and checkpoints, all of it or nothing."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Self

import asyncpg

from service.db import days
from service.db.connections import BATCH_SECONDS, COMMAND_SECONDS, SEARCH_SECONDS, open_pool
from service.db.copying import copy_rows
from service.db.leasing import Leasing
from service.db.parking import Parking, park, redact
from service.db.queries import query
from service.db.records import Checkpoint, EntryId
from service.db.rows import add_rows
from service.errors import FlushConflict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import date

    from service.db.connections import Connection
    from service.db.records import CheckpointMove, Flush, Snapshots

_UPSERT_ROWS_MAX: Final = 1000
"""Snapshots in one statement: with the longest coverage, 21,600 bytes, that makes 22 MB."""

_PARTS: Final = ("users", "pairs", "scopes", "sessions", "movie_shares")
"""Of Snapshots, in the order in which they are written."""

_CLOSE_SECONDS: Final = 5
"""How long a connection may take to say goodbye before it is cut."""


class Ledger:
    """Reconnects by itself; a call during which the connection is lost raises (see `service.db.failures`).

    Whether a commit that raised so took effect, `checkpoints` tells; if so, repeating it is a FlushConflict.
    """

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool
        self.leasing = Leasing(pool)
        self.parking = Parking(pool)

    @classmethod
    async def connect(
        cls, database_url: str, *, name: str = "playhead", command_timeout_seconds: float = COMMAND_SECONDS
    ) -> Self:
        """`name` is what Postgres shows its sessions under; a flusher's own, so that they can be ended for it."""
        return cls(await open_pool(database_url, command_timeout_seconds, name))

    async def close(self) -> None:
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    async def commit(self, flush: Flush) -> None:
        """Commits the flush in one transaction.

        Raises FlushConflict, with nothing written, when a checkpoint is not where the flush says it was, or under
        another epoch. A snapshot is written only over an older one.
        """
        try:
            await self._commit(flush, makes_days=False)
        except asyncpg.CheckViolationError as refused:
            if refused.constraint_name:
                raise
            await self._commit(flush, makes_days=True)  # a row had no partition to go into

    async def _commit(self, flush: Flush, *, makes_days: bool) -> None:
        """Days are there long before (`workers.days`): nobody looks for them at first, which saves four round trips."""
        async with self._pool.acquire() as connection, connection.transaction(isolation="read_committed"):
            await connection.execute(query("promise_durability"))
            await _move_checkpoints(connection, flush)
            if flush.rows:
                await add_rows(connection, flush.rows)
            if flush.copied.rows:
                await copy_rows(connection, flush.copied, makes_days=makes_days)
            await redact(connection, flush.redacted)
            if flush.parked:
                await park(connection, flush.parked)
            if flush.snapshots:
                await _write_snapshots(connection, flush.snapshots)
            if flush.erasures:  # by a statement of its own: the next one then sees all that was followed
                await connection.execute(
                    query("lock_followed_partitions"),
                    [erasure.partition for erasure in flush.erasures],
                    timeout=SEARCH_SECONDS,
                )
            for erasure in flush.erasures:
                await connection.execute(
                    query("erase_user"),
                    erasure.user_id,
                    erasure.partition,
                    *erasure.entry,
                    timeout=SEARCH_SECONDS,
                )

    async def checkpoints(self, partitions: Collection[int]) -> dict[int, Checkpoint]:
        """Where these partitions stand; one that was never seen stands at 0-0 from now on."""
        async with self._pool.acquire() as connection:
            await connection.execute(query("insert_checkpoints"), list(partitions))
            records = await connection.fetch(query("select_checkpoints"), list(partitions))
        return {record["partition"]: _checkpoint(record) for record in records}

    async def fence(self, partition: int, stands: Checkpoint) -> Checkpoint:
        """Makes sure that no commit prepared before this one succeeds; gives where the partition stands now.

        Raises FlushConflict when it stands elsewhere already.
        """
        moved = await self._pool.fetchrow(query("fence_checkpoint"), partition, *stands.entry, stands.epoch)
        if moved is None:
            raise FlushConflict(
                f"partition {partition} no longer stands at {stands.entry} in epoch {stands.epoch}",
                frozenset([partition]),
            )
        return _checkpoint(moved)

    async def changed_since_snapshot(self, partition: int) -> dict[tuple[str, str], set[str]]:
        """The pairs (user, slug) with rows after the partition's snapshot checkpoint, and of each the sessions."""
        changed: dict[tuple[str, str], set[str]] = {}
        found = await self._pool.fetch(query("find_changed_sessions"), partition, timeout=SEARCH_SECONDS)
        for record in found:
            changed.setdefault((record["user_id"], record["slug"]), set()).add(record["session"])
        return changed

    async def thinned_since_snapshot(self, partition: int) -> list[str]:
        """The movies that erasures after the partition's snapshot checkpoint may have taken something from."""
        return [record["slug"] for record in await self._pool.fetch(query("find_thinned_movies"), partition)]

    async def fix_setting(self, name: str, value: str) -> str:
        """The value that holds: the one stored first, by whomever."""
        stored: str = await self._pool.fetchval(query("fix_setting"), name, value)
        return stored

    async def fixed_setting(self, name: str) -> str | None:
        """The same, None where none was stored yet."""
        stored: str | None = await self._pool.fetchval(query("select_fixed_setting"), name)
        return stored

    async def ensure_days(self, first_day: date, last_day: date) -> list[date]:
        """Makes day partitions ahead, so that no commit has to; see `service.db.days`."""
        async with self._pool.acquire() as connection:
            return await days.ensure_days(connection, first_day, last_day)

    async def drop_days_before(self, day: date) -> list[str]:
        """See `service.db.days`."""
        async with self._pool.acquire() as connection:
            return await days.drop_days_before(connection, day)


def _checkpoint(record: asyncpg.Record) -> Checkpoint:
    return Checkpoint(
        EntryId(record["entry_ms"], record["entry_seq"]),
        EntryId(record["snapshot_ms"], record["snapshot_seq"]),
        record["appended"],
        record["epoch"],
        record["holder"],
        record["erased"],
    )


async def _move_checkpoints(connection: Connection, flush: Flush) -> None:
    """Locks before it compares, in order of partition: no two flushes wait for each other."""
    moves = {move.partition: move for move in flush.checkpoints}
    upto = flush.snapshots.upto if flush.snapshots else {}
    locked = await connection.fetch(query("lock_checkpoints"), [*{*moves, *upto, *flush.epochs}])
    _refuse_conflicts(flush, moves, {record["partition"]: record for record in locked})
    if moves:
        await connection.execute(
            query("move_checkpoints"),
            list(moves),
            [move.after.ms for move in moves.values()],
            [move.after.seq for move in moves.values()],
            [move.events for move in moves.values()],
            [move.erasures for move in moves.values()],
        )


def _refuse_conflicts(
    flush: Flush, moves: Mapping[int, CheckpointMove], stored: Mapping[int, asyncpg.Record]
) -> None:
    conflicts = {}
    for partition in {*moves, *flush.epochs}:
        record, epoch = stored.get(partition), flush.epochs.get(partition, 0)
        stands = EntryId(record["entry_ms"], record["entry_seq"]) if record else None
        if partition in moves and stands != moves[partition].before:
            conflicts[partition] = (
                f"partition {partition} stands at {stands}, not at {moves[partition].before}"
            )
        elif record and record["epoch"] != epoch:
            conflicts[partition] = f"partition {partition} is in epoch {record['epoch']}, not in {epoch}"
    if conflicts:
        raise FlushConflict("; ".join(conflicts.values()), frozenset(conflicts))


async def _write_snapshots(connection: Connection, snapshots: Snapshots) -> None:
    for part in _PARTS:
        for batch in _batches(getattr(snapshots, part)):
            await connection.execute(query(f"upsert_{part}"), batch, timeout=BATCH_SECONDS)
    ends = snapshots.upto
    if ends:
        await connection.execute(
            query("move_snapshots"),
            list(ends),
            [end.ms for end in ends.values()],
            [end.seq for end in ends.values()],
        )


def _batches(snapshots: Sequence[Any]) -> Iterator[list[Any]]:
    waiting = iter(snapshots)
    while batch := list(islice(waiting, _UPSERT_ROWS_MAX)):
        yield batch
