"""Reads of live counters, each in one round trip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from redis.exceptions import RedisError

from service.counters import keys, scripts
from service.counters.partitions import partition_of
from service.counters.records import MovieRecord, PairRecord, UserRecord
from service.errors import NotFound, RedisUnavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import Pipeline


class RecentPair(NamedTuple):
    slug: str
    record: PairRecord


class Reader:
    def __init__(self, redis: Redis, partitions: int) -> None:
        self._redis = redis
        self._partitions = partitions

    async def movie(self, slug: str) -> MovieRecord:
        """A movie's totals: the sum of its shares in all partitions. Raises NotFound when there is none."""
        pipeline = self._redis.pipeline(transaction=False)
        for partition in range(self._partitions):
            pipeline.get(keys.movie(partition, slug))
        shares = [MovieRecord.unpack(share) for share in await _execute(pipeline) if share is not None]
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
        (record,) = await _execute(pipeline)
        if record is None:
            raise NotFound(f"no event of user {name!r} was ever received")
        return UserRecord.unpack(record)

    async def pair(self, name: str, slug: str) -> tuple[PairRecord, bytes]:
        """A pair and its coverage bitmap, from one moment. Raises NotFound when there is none."""
        partition = self._partition(name)
        record, bitmap = await scripts.call_one(
            self._redis,
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
        totals, *found = await scripts.call_one(
            self._redis,
            "read_recent",
            [keys.user(partition, name), keys.recent(partition, name)],
            [limit, time_us, slug],
        )
        if totals is None:
            raise NotFound(f"no event of user {name!r} was ever received")
        return [
            RecentPair(found[at].decode(), PairRecord.unpack(found[at + 2])) for at in range(0, len(found), 3)
        ]

    def _partition(self, name: str) -> int:
        return partition_of(name, self._partitions)


async def _execute(pipeline: Pipeline) -> list[Any]:
    try:
        return await pipeline.execute()
    except (RedisError, OSError) as failed:
        raise RedisUnavailable(f"Redis did not answer: {failed or type(failed).__name__}") from failed
