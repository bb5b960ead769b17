"""What a Redis must be like for playhead to start with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.counters.connection import PARTITIONS_KEY, RECORDS, RECORDS_KEY, verify
from service.errors import CannotStart

if TYPE_CHECKING:
    from redis.asyncio import Redis


async def test_an_empty_redis_is_taken_and_known_again(redis: Redis) -> None:
    await verify(redis, 4)
    await verify(redis, 4)
    assert await redis.get(RECORDS_KEY) == str(RECORDS).encode()


async def test_records_of_another_playhead_are_refused(redis: Redis) -> None:
    await verify(redis, 4)
    await redis.set(RECORDS_KEY, RECORDS + 1)
    with pytest.raises(CannotStart, match=f"records {RECORDS + 1}, this one has {RECORDS}"):
        await verify(redis, 4)


async def test_records_without_a_number_are_the_first_ones(redis: Redis) -> None:
    await redis.set(PARTITIONS_KEY, 4)
    with pytest.raises(CannotStart, match=f"records 1, this one has {RECORDS}"):
        await verify(redis, 4)
    await redis.flushall()
    await verify(redis, 4)
