"""Reads of live counters, each in one round trip, which those of users share."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from redis.exceptions import RedisError

from service.counters import keys
from service.counters.cluster import Cluster
from service.counters.gathering import Gathering
from service.counters.partitions import partition_of
from service.counters.records import MovieRecord, PairRecord, UserRecord
from service.errors import NotFound, RedisUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

READS_MAX = 32
"""Reads of movies of one process at the same moment, half of its connections; the others wait for their turn."""

TURN_SECONDS = 5.0
"""How long they wait: a Redis that keeps them longer is as good as away."""


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
        self._redis = redis
        self._partitions = partitions
        self._stored = stored
        self._gathering = Gathering(redis)
        self._turns = asyncio.Semaphore(READS_MAX)

    async def movie(self, slug: str) -> MovieRecord:
        """A movie's totals: the sum of its shares in all partitions. Raises NotFound when there is none."""
        spelled = [keys.movie(partition, slug) for partition in range(self._partitions)]
        found = await self._in_turn(partial(_get_all, self._redis, spelled))
        shares = [MovieRecord.unpack(share) for share in found if share is not None]
        total = MovieRecord()
        for share in shares:
            total = total.plus(share)
        if not total.viewers:  # never seen, or by nobody who was not erased
            raise NotFound(f"no event of movie {slug!r} was ever received")
        return total

    async def user(self, name: str) -> UserRecord:
        """A user's totals over all movies. Raises NotFound when there are none."""
        partition = self._partition(name)
        record, may_be_stored = await self._gathering.read(partition, "read_user", [name])
        found = UserRecord.unpack(record) if record else None
        if may_be_stored:
            found = await self._stored.user(name)
        if found is None or not found.events:
            raise NotFound(f"no event of user {name!r} was ever received")
        return found

    async def pair(self, name: str, slug: str) -> tuple[PairRecord, bytes]:
        """A pair and its coverage bitmap, from one moment. Raises NotFound when there is none."""
        partition = self._partition(name)
        record, bitmap, may_be_stored = await self._gathering.read(partition, "read_pair", [name, slug])
        found = (PairRecord.unpack(record), bitmap or b"") if record else None
        if may_be_stored:
            found = await self._stored.pair(name, slug)
        if found is None:
            raise NotFound(f"no event of user {name!r} on movie {slug!r} was ever received")
        return found

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

    async def _in_turn(self, read: Callable[[], Awaitable[Any]]) -> Any:
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            raise RedisUnavailable(f"Redis answers too slowly: {READS_MAX} reads are under way") from None
        try:
            return await read()
        finally:
            self._turns.release()

    def _partition(self, name: str) -> int:
        return partition_of(name, self._partitions)


async def _get_all(redis: Redis, spelled: list[str]) -> list[bytes | None]:
    """One command where all keys are at one server; in a cluster they are in different slots."""
    try:
        if not isinstance(redis, Cluster):
            return await redis.mget(spelled)  # type: ignore[return-value]
        pipeline = redis.pipeline(transaction=False)
        for key in spelled:
            pipeline.get(key)
        return await pipeline.execute()
    except (RedisError, OSError) as failed:
        raise RedisUnavailable(f"Redis did not answer: {failed or type(failed).__name__}") from failed
