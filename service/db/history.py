"""What Postgres has, read back: snapshots and raw events. For recovery, the audit, and users who left Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

from service.db.connections import open_pool
from service.db.digests import digest
from service.db.parking import Parking
from service.db.queries import query
from service.db.records import EntryId
from service.events.event import Event

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Sequence

    import asyncpg

CURSOR_ROWS = 5000
"""Rows fetched at once where a whole partition is read."""

_COMMAND_SECONDS = 600
"""For Postgres sorts all raw events of a partition before it answers a replay with the first."""

SORT_MEMORY = "64MB"
"""For the one sort of a replay: half a million events. More are sorted on disk."""

_FIELDS = len(Event._fields)


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


class StoredScope(NamedTuple):
    """What was played of a pair in one scope, in the fields of a record; `verified_cells` is left at 0."""

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
    version: EntryId


class StoredUser(NamedTuple):
    """The three clocks, events and movies of a user's snapshot."""

    totals: tuple[int, int, int, int]
    movies: int
    version: EntryId


class StoredShare(NamedTuple):
    """A partition's share of a movie, in the fields of its record; without a version where there is no snapshot yet."""

    slug: str
    record: tuple[int, ...]
    version: EntryId | None


class History:
    """Reads only. Reconnects by itself."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool
        self.parking = Parking(pool)

    @classmethod
    async def connect(cls, database_url: str, *, is_lazy: bool = False) -> Self:
        """Lazily: the first connection is made by the first call, so Postgres may be away now."""
        return cls(await open_pool(database_url, _COMMAND_SECONDS, is_lazy=is_lazy))

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

    async def scopes(self, users: Collection[str]) -> list[StoredScope]:
        """Those of pairs that were ever cut."""
        return [_scope(row) for row in await self._pool.fetch(query("select_scopes"), list(users))]

    async def scopes_of_pair(self, user: str, slug: str) -> list[StoredScope]:
        """In their order."""
        rows = await self._pool.fetch(query("select_scopes_of_pair"), user, digest(slug))
        return [_scope(row) for row in rows]

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
                EntryId(row["version_ms"], row["version_seq"]),
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
        return [
            StoredEvent(EntryId(row["entry_ms"], row["entry_seq"]), _event(row[:_FIELDS])) for row in found
        ]

    async def replay(self, partition: int, upto: EntryId) -> AsyncGenerator[list[Event], None]:
        """All raw events of a partition, some at a time: one user after the other, each as they were applied.

        Postgres sorts, on its disk if need be, so that nobody ever holds more than one user in memory.
        """
        async with self._pool.acquire() as connection, connection.transaction(readonly=True):
            await connection.execute(f"SET LOCAL work_mem = '{SORT_MEMORY}'")
            cursor = await connection.cursor(query("replay_events"), partition, *upto)
            while found := await cursor.fetch(CURSOR_ROWS):
                yield [_event(row) for row in found]

    async def random_user(self, place: float) -> tuple[str, int, int] | None:
        """Name, partition and events of the user at this place, from 0 to 1, of the table; None if nobody is there.

        Reads one page alone, so all users are about as likely, and it costs the same however many they are.
        """
        pages = await self._pool.fetchval(query("count_user_pages"))
        page = int(place * pages)
        found = await self._pool.fetch(query("select_page_of_users"), f"({page},0)", f"({page + 1},0)")
        return tuple(found[int((place * pages - page) * len(found))]) if found else None

    async def users_without_events(self, partition: int, upto: EntryId) -> list[str]:
        """Users with a snapshot, not later than this, of whom no raw event is kept."""
        found = await self._pool.fetch(query("find_users_without_events"), partition, *upto)
        return [record["user_id"] for record in found]

    async def totals(self, users: Collection[str]) -> dict[str, StoredUser]:
        """The users' snapshots; their pairs and sessions are read apart."""
        found = await self._pool.fetch(query("select_users"), list(users))
        return {
            name: StoredUser(tuple(row), movies, EntryId(ms, seq)) for name, *row, movies, ms, seq in found
        }

    async def shares(self, partition: int) -> list[StoredShare]:
        """The partition's share of every movie that it knows."""
        found = await self._pool.fetch(query("select_shares"), partition)
        return [
            StoredShare(slug, tuple(record), None if ms is None else EntryId(ms, seq))
            for slug, *record, ms, seq in found
        ]


def _pair(row: asyncpg.Record) -> StoredPair:
    return StoredPair(row["user_id"], row["slug"], _record(row), row["coverage"], _version(row))


def _scope(row: asyncpg.Record) -> StoredScope:
    return StoredScope(row["user_id"], row["slug"], _record(row), row["coverage"], _version(row))


def _version(row: asyncpg.Record) -> EntryId:
    return EntryId(row["version_ms"], row["version_seq"])


def _record(row: asyncpg.Record) -> tuple[int, ...]:
    """In the order of the fields of a pair's record."""
    return (
        row["watch_ms"],
        row["effective_ms"],
        row["unique_cells"],
        row["events"],
        row["implausible_ms"],
        0,
        row["furthest_ms"],
        row["latest_ms"] or 0,
        row["latest_at"] or 0,
        row["scope"],
    )


def _event(row: Iterable[Any]) -> Event:
    """Of the columns in the order of an event's fields."""
    *fields, ends, duration_ms = row
    return Event._make((*fields, tuple(zip(ends[::2], ends[1::2], strict=True)) if ends else (), duration_ms))
