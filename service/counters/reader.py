"""Reads of live counters, each in one round trip."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.exceptions import RedisError

from service.counters import keys, scripts
from service.counters.partitions import partition_of
from service.counters.records import MovieRecord, PairRecord, UserRecord
from service.errors import NotFound, RedisUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis
    from redis.asyncio.client import Pipeline

READS_MAX = 32
"""Of one process at the same moment, half of its connections; the others wait for their turn."""

TURN_SECONDS = 5.0
"""How long they wait: a Redis that keeps them longer is as good as away."""


class RecentPair(NamedTuple):
    slug: str
    record: PairRecord


class Reader:
    def __init__(self, redis: Redis, partitions: int) -> None:
        self._redis = redis
        self._partitions = partitions
        self._turns = asyncio.Semaphore(READS_MAX)

    async def movie(self, slug: str) -> MovieRecord:
        """A movie's totals: the sum of its shares in all partitions. Raises NotFound when there is none."""
        pipeline = self._redis.pipeline(transaction=False)
        for partition in range(self._partitions):
            pipeline.get(keys.movie(partition, slug))
        shares = [
            MovieRecord.unpack(share)
            for share in await self._in_turn(partial(_execute, pipeline))
            if share is not None
        ]
        if not shares:
            raise NotFound(f"no event of movie {slug!r} was ever received")
        total = MovieRecord()
        for share in shares:
            total = total.plus(share)
        return total

    async def user(self, name: str) -> UserRecord:
        """A user's totals over all movies. Raises NotFound when there are none."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hget(keys.user(self._partition(name), name), keys.TOTALS_FIELD)
        (record,) = await self._in_turn(partial(_execute, pipeline))
        if record is None:
            raise NotFound(f"no event of user {name!r} was ever received")
        return UserRecord.unpack(record)

    async def pair(self, name: str, slug: str) -> tuple[PairRecord, bytes]:
        """A pair and its coverage bitmap, from one moment. Raises NotFound when there is none."""
        partition = self._partition(name)
        record, bitmap = await self._call(
            "read_pair",
            [keys.user(partition, name), keys.coverage(partition, name, slug)],
            [slug],
        )
        if record is None:
            raise NotFound(f"no event of user {name!r} on movie {slug!r} was ever received")
        return PairRecord.unpack(record), bitmap or b""

    async def recent_pairs(self, name: str, limit: int, after: tuple[int, str] | None) -> list[RecentPair]:
        """Up to `limit` pairs of a user, latest first, after the one at that time in us and of that slug.

        Pairs of which only `load` is known have no latest moment and come last. Raises NotFound for a user never seen.
        """
        partition = self._partition(name)
        time_us, slug = after or ("", "")
        totals, *found = await self._call(
            "read_recent",
            [keys.user(partition, name), keys.recent(partition, name)],
            [limit, time_us, slug],
        )
        if totals is None:
            raise NotFound(f"no event of user {name!r} was ever received")
        return [
            RecentPair(found[at].decode(), PairRecord.unpack(found[at + 2])) for at in range(0, len(found), 3)
        ]

    async def _call(self, name: str, spelled: list[str], args: list[str | bytes | int]) -> Any:
        return await self._in_turn(partial(scripts.call_one, self._redis, name, spelled, args))

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


async def _execute(pipeline: Pipeline) -> list[Any]:
    try:
        return await pipeline.execute()
    except (RedisError, OSError) as failed:
        raise RedisUnavailable(f"Redis did not answer: {failed or type(failed).__name__}") from failed
