"""Parked entries: those that could not be stored, kept as they were until they can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.db.queries import query
from service.db.records import START, EntryId
from service.db.rows import add_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from service.db.connections import Connection

_LAST: Final = EntryId(2**63 - 1, 2**63 - 1)


class ParkedEntry(NamedTuple):
    """`events` of it counted: Redis has them in its counters, and the checkpoint's `appended` includes them.

    `reason` is a short snake_case word. `parked_at_us` is that of Postgres, 0 before it is stored.
    """

    partition: int
    entry: EntryId
    run: bytes
    outcomes: bytes
    appended: int
    events: int
    reason: str
    detail: str
    parked_at_us: int = 0


async def park(connection: Connection, parked: Sequence[ParkedEntry]) -> None:
    """Inside the transaction that moves the checkpoint past them."""
    values = [(one.partition, *one.entry, *one[2:8]) for one in parked]
    await connection.execute(query("insert_parked_entries"), *zip(*values, strict=True))


async def redact(connection: Connection, redacted: Sequence[tuple[ParkedEntry, ParkedEntry | None]]) -> None:
    """Put what stays of some parked entries in their place; inside the transaction that erases the rest."""
    for one, left in redacted:
        was_parked = await connection.fetchval(query("delete_parked_entry"), one.partition, *one.entry)
        if was_parked is not None and left is not None:
            await park(connection, [left])


class Parking:
    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    async def count(self) -> int:
        counted: int = await self._pool.fetchval(query("count_parked_entries"))
        return counted

    async def entries(
        self, partition: int | None = None, after: EntryId = START, upto: EntryId = _LAST
    ) -> list[ParkedEntry]:
        """Those of one partition, or all, in (after, upto], oldest first."""
        found = await self._pool.fetch(query("select_parked_entries"), partition, *after, *upto)
        return [_entry(record) for record in found]

    async def unpark(self, parked: ParkedEntry, rows: Sequence[tuple[object, ...]]) -> bool:
        """Store an entry's rows after all, in one transaction. Gives False when it is not parked any more.

        Raises what Postgres refuses it with; it is then parked as before.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(query("promise_durability"))
            if (
                await connection.fetchval(query("delete_parked_entry"), parked.partition, *parked.entry)
                is None
            ):
                return False
            await add_rows(connection, rows)
            await connection.execute(query("lock_followed_partitions"), [parked.partition])
            await connection.execute(query("insert_late_entry"), parked.partition, *parked.entry)
            return True

    async def is_stored(self, partition: int, entry: EntryId, rows: Sequence[tuple[object, ...]]) -> bool:
        """Whether exactly these rows of an entry are there already."""
        found = await self._pool.fetch(query("select_rows"), partition, *entry)
        return [tuple(record) for record in found] == [tuple(row) for row in rows]


def _entry(record: asyncpg.Record) -> ParkedEntry:
    return ParkedEntry(
        record["partition"],
        EntryId(record["entry_ms"], record["entry_seq"]),
        record["run"],
        record["outcomes"],
        record["appended"],
        record["events"],
        record["reason"],
        record["detail"],
        record["parked_at"],
    )
