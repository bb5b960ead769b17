"""What Postgres has, read back: snapshots and raw events. For recovery, the audit, and users who left Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from service.db.connections import open_pool
from service.db.digests import digest
from service.db.queries import query
from service.db.records import EntryId
from service.events.event import Event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence

    import asyncpg

CURSOR_ROWS = 5000
"""Rows fetched at once where a whole partition is read."""


class StoredEvent(NamedTuple):
    entry: EntryId
    event: Event


class StoredPair(NamedTuple):
    """A pair's snapshot, with its version; sessions are read apart. `verified_cells` of the record is left at 0."""

    user: str
    slug: str
    record: tuple[int, ...]
    coverage: bytes
    version: EntryId


class StoredSession(NamedTuple):
    user: str
    slug: str
    session: str
    record: tuple[object, ...]


class History:
    """Reads only. Reconnects by itself."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    @classmethod
    async def connect(cls, database_url: str, *, is_lazy: bool = False) -> Self:
        """Lazily: the first connection is made by the first call, so Postgres may be away now."""
        return cls(await open_pool(database_url, command_timeout_seconds=600, is_lazy=is_lazy))

    async def close(self) -> None:
        await self._pool.close()

    async def users(self, partition: int) -> AsyncIterator[list[str]]:
        """All users of a partition, some at a time, by name."""
        after = ""
        while found := await self._pool.fetch(query("select_users_after"), partition, after, CURSOR_ROWS):
            names = [record["user_id"] for record in found]
            yield names
            after = names[-1]

    async def users_of_last_events(self, partition: int, events: int) -> set[str]:
        """Whose are the last so many raw events of a partition."""
        found = await self._pool.fetch(query("select_users_of_last_events"), partition, events)
        return {record["user_id"] for record in found}

    async def known_entries(self, partition: int, entries: Sequence[EntryId]) -> set[EntryId]:
        """Which of these entries have rows."""
        found = await self._pool.fetch(
            query("select_known_entries"), partition, [at.ms for at in entries], [at.seq for at in entries]
        )
        return {EntryId(record["entry_ms"], record["entry_seq"]) for record in found}

    async def known_users(self, names: Sequence[str]) -> set[str]:
        """Of which of these users there is anything."""
        found = await self._pool.fetch(query("select_known_users"), list(names))
        return {record["user_id"] for record in found}

    async def movie_shares(self, partition: int, without: Collection[str]) -> dict[str, tuple[int, ...]]:
        """What all users of a partition but these gave to each movie, by their snapshots: the fields of its record."""
        found = await self._pool.fetch(query("sum_movie_shares"), partition, list(without))
        return {record["slug"]: tuple(record)[1:] for record in found}

    async def erasure(self, partition: int, entry: EntryId) -> tuple[int, int, int] | None:
        """How many raw events, pairs and sessions an erasure deleted; None while it is not done."""
        found = await self._pool.fetchrow(query("select_erasure"), partition, *entry)
        return tuple(found) if found else None

    async def pairs(self, users: Collection[str]) -> list[StoredPair]:
        return [_pair(row) for row in await self._pool.fetch(query("select_pairs"), list(users))]

    async def user(self, name: str) -> tuple[int, ...] | None:
        """A user's totals: the three clocks, events, movies."""
        row = await self._pool.fetchrow(query("select_user"), name)
        return tuple(row) if row else None

    async def pair(self, user: str, slug: str) -> StoredPair | None:
        row = await self._pool.fetchrow(query("select_pair"), user, digest(slug))
        return _pair(row) if row else None

    async def recent_pairs(self, user: str, limit: int, after: tuple[int, str] | None) -> list[StoredPair]:
        """A page of a user's pairs, latest first, from after this time in us and slug on."""
        time_us, slug = after or (None, None)
        rows = await self._pool.fetch(query("select_recent_pairs"), user, time_us, slug, limit)
        return [_pair(row) for row in rows]

    async def sessions(self, users: Collection[str]) -> list[StoredSession]:
        found = await self._pool.fetch(query("select_sessions"), list(users))
        return [
            StoredSession(
                row["user_id"],
                row["slug"],
                row["session"],
                (
                    row["position_ms"],
                    row["time_us"] or None,
                    row["since_us"],
                    row["playing"],
                    row["speed"],
                    row["credited_ms"],
                    row["seq_max"],
                    row["seq_base"],
                    row["seq_window"],
                ),
            )
            for row in found
        ]

    async def ids(self, users: Collection[str], since_us: int) -> list[tuple[str, str, int]]:
        """User, id and time of receipt of the events with an id received since then; of a repeated id all times."""
        found = await self._pool.fetch(query("select_ids"), list(users), since_us)
        return [(row["user_id"], row["event_id"], row["received_at"]) for row in found]

    async def events(
        self, partition: int, users: Collection[str], after: EntryId, upto: EntryId
    ) -> list[StoredEvent]:
        """The raw events of these users in (after, upto], in the order in which they were applied."""
        found = await self._pool.fetch(
            query("select_events"), partition, list(users), after.ms, after.seq, upto.ms, upto.seq
        )
        return [StoredEvent(EntryId(row["entry_ms"], row["entry_seq"]), _event(row)) for row in found]


def _pair(row: asyncpg.Record) -> StoredPair:
    return StoredPair(
        row["user_id"],
        row["slug"],
        (
            row["watch_ms"],
            row["effective_ms"],
            row["unique_cells"],
            row["events"],
            row["implausible_ms"],
            0,
            row["furthest_ms"],
            row["latest_ms"] or 0,
            row["latest_at"] or 0,
        ),
        row["coverage"],
        EntryId(row["version_ms"], row["version_seq"]),
    )


def _event(row: asyncpg.Record) -> Event:
    ends = row["segments"] or ()
    return Event(
        row["user_id"],
        row["slug"],
        row["kind"],
        row["at_ms"],
        row["happened_at"],
        row["received_at"],
        row["timed"],
        row["session"],
        row["seq"],
        row["event_id"],
        row["from_ms"],
        row["speed"],
        tuple(zip(ends[::2], ends[1::2], strict=True)),
        row["duration_ms"],
    )
