"""Reads of live counters, which share round trips.

Most need one. Where that does not hold the answer (a user who is not there, pages of pairs) a script tells the whole of
one moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from service.counters import current, keys
from service.counters.fetching import Fetching
from service.counters.gathering import Gathering
from service.counters.partitions import partition_of
from service.counters.records import MovieRecord, PairRecord, UserRecord
from service.errors import NotFound

if TYPE_CHECKING:
    from redis.asyncio import Redis


class RecentPair(NamedTuple):
    slug: str
    record: PairRecord


class Stored(Protocol):
    """Reads of users who left Redis; None where nothing is known."""

    async def user(self, name: str) -> UserRecord | None: ...
    async def pair(self, name: str, slug: str) -> tuple[PairRecord, bytes] | None: ...
    async def recent_pairs(
        self, name: str, limit: int, after: tuple[int, str] | None
    ) -> list[RecentPair]: ...


class Reader:
    """Raises RedisUnavailable, and PostgresUnavailable of a user who is there only."""

    def __init__(self, redis: Redis, partitions: int, stored: Stored) -> None:
        self._partitions = partitions
        self._stored = stored
        self._gathering = Gathering(redis)
        self._fetching = Fetching(redis)

    async def movie(self, slug: str) -> MovieRecord:
        """A movie's totals: the sum of its shares in all partitions. Raises NotFound when there is none."""
        spelled = [keys.movie(partition, slug) for partition in range(self._partitions)]
        total = MovieRecord.sum_of(filter(None, await self._fetching.fetch_each(spelled)))
        if not total.viewers:  # never seen, or by nobody who was not erased
            raise NotFound(f"no event of movie {slug!r} was ever received")
        return total

    async def user(self, name: str) -> UserRecord:
        """A user's totals over all movies. Raises NotFound when there are none."""
        partition = self._partition(name)
        stride, record = await self._fetching.fetch(
            partition, [keys.stride(partition, name), keys.user(partition, name)]
        )
        found = current.totals_of(stride, record) if record else await self._absent_user(partition, name)
        if found is None or not found.events:
            raise NotFound(f"no event of user {name!r} was ever received")
        return found

    async def pair(self, name: str, slug: str) -> tuple[PairRecord, bytes]:
        """A pair and its coverage bitmap, from one moment. Raises NotFound when there is none."""
        partition = self._partition(name)
        stride, record, bitmap, left = await self._fetching.fetch_pair(partition, name, slug)
        if not record:
            found = await self._absent_pair(partition, name, slug)
        elif left:
            found = PairRecord.unpack(left), bitmap or b""
        else:
            found = current.pair_of(stride, record, slug, bitmap or b"")
        if found is None:
            raise NotFound(f"no event of user {name!r} on movie {slug!r} was ever received")
        return found

    async def _absent_user(self, partition: int, name: str) -> UserRecord | None:
        """One of whom there was nothing a moment ago."""
        record, may_be_stored = await self._gathering.read(partition, "read_user", [name])
        if may_be_stored:
            return await self._stored.user(name)
        return UserRecord.unpack(record) if record else None

    async def _absent_pair(self, partition: int, name: str, slug: str) -> tuple[PairRecord, bytes] | None:
        """One of a user of whom there was nothing a moment ago."""
        record, bitmap, may_be_stored = await self._gathering.read(partition, "read_pair", [name, slug])
        if may_be_stored:
            return await self._stored.pair(name, slug)
        return (PairRecord.unpack(record), bitmap or b"") if record else None

    async def recent_pairs(self, name: str, limit: int, after: tuple[int, str] | None) -> list[RecentPair]:
        """Up to `limit` pairs of a user, latest first, from after this time in us and slug on.

        Pairs of which only `load` is known have no latest moment and come last. Raises NotFound when there is none.
        """
        partition = self._partition(name)
        time_us, slug = after or ("", "")
        record, may_be_stored, *found = await self._gathering.read(
            partition, "read_recent", [name, limit, time_us, slug]
        )
        if may_be_stored:
            pairs = await self._stored.recent_pairs(name, limit, after)
            is_known = bool(pairs) or (after is not None and await self._stored.user(name) is not None)
        else:
            pairs = [
                RecentPair(found[at].decode(), PairRecord.unpack(found[at + 1]))
                for at in range(0, len(found), 2)
            ]
            is_known = record is not None and UserRecord.unpack(record).events > 0
        if not is_known:
            raise NotFound(f"no event of user {name!r} was ever received")
        return pairs

    def _partition(self, name: str) -> int:
        return partition_of(name, self._partitions)
