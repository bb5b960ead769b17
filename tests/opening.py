"""Partitions opened by hand, where a test has no flusher: that is who opens them, once it knows what Postgres has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.counters import keys
from service.counters.servers import home_of

if TYPE_CHECKING:
    from redis.asyncio import Redis


async def open_partitions(redis: Redis, *partitions: int) -> None:
    """Say that this Redis is level with Postgres, as the flusher does when it starts."""
    for partition in partitions:
        await redis.hset(keys.log(partition), "open", home_of(redis, keys.log(partition)))
