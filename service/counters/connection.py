"""Clients of Redis, and what the Redis at their other end promises."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from service.counters import scripts
from service.errors import CannotStart, RedisUnavailable

CONNECTIONS_MAX = 64
"""Of one process. The writer needs one; the others are for reads that come at the same moment."""

CONNECT_SECONDS = 2.0

VERSION_MIN = (7, 0)
"""The first with functions and with bit ranges in BITCOUNT."""

PARTITIONS_KEY = "playhead:partitions"
"""How many ways the users in this Redis are spread. Outside of all partitions, and read on its own."""


def connect(url: str, timeout_seconds: float) -> Redis:
    """A client that never repeats a call by itself: whoever calls knows what is safe to repeat."""
    return Redis.from_url(
        url,
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=min(CONNECT_SECONDS, timeout_seconds),
        socket_timeout=timeout_seconds,
        max_connections=CONNECTIONS_MAX,
        health_check_interval=0,
    )


async def verify(redis: Redis, partitions: int) -> None:
    """Make sure that this Redis can be used: its version, its functions, its number of partitions.

    Raises CannotStart when it never can, RedisUnavailable when it can't be reached now.
    """
    try:
        server = await redis.info("server")
        version = tuple(int(part) for part in server["redis_version"].split(".")[:2])
        if version < VERSION_MIN:
            raise CannotStart(
                f"Redis {server['redis_version']} is too old, playhead needs 7.0 or later, or Valkey"
            )
        await scripts.load(redis)
        await redis.setnx(PARTITIONS_KEY, partitions)
        stored = int(await redis.get(PARTITIONS_KEY) or 0)
    except ResponseError as refused:
        raise CannotStart(f"Redis cannot be used: {refused}") from refused
    except (RedisError, OSError) as failed:
        raise RedisUnavailable(f"Redis cannot be reached: {failed or type(failed).__name__}") from failed
    if stored != partitions:
        raise CannotStart(
            f"PLAYHEAD_PARTITIONS is {partitions}, but the data in this Redis is spread over {stored}:"
            f" set it to {stored}"
        )


async def broken_promises(redis: Redis) -> list[str]:
    """By how much this Redis promises less than an acknowledgement does (design 5), in sentences; best is none."""
    try:
        config = await redis.config_get("appendonly", "appendfsync", "maxmemory-policy")
    except ResponseError:
        return ["Redis does not tell its configuration, so its durability is not known"]
    said = []
    if config.get("appendonly") != "yes":
        said.append("Redis keeps no append-only file: a crash loses what was acknowledged (appendonly yes)")
    elif config.get("appendfsync") != "always":
        said.append(
            f"Redis acknowledges before its file is on disk: a crash of the machine can lose what was acknowledged"
            f" (appendfsync is {config.get('appendfsync')}, not always)"
        )
    policy = config.get("maxmemory-policy", "noeviction")
    if policy != "noeviction":
        said.append(
            f"Redis may drop counters when memory is scarce (maxmemory-policy is {policy}, not noeviction)"
        )
    return said
