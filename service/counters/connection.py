"""Clients of Redis, and what the Redis at their other end promises."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from service.counters import scripts
from service.counters.addresses import is_cluster_url
from service.counters.cluster import Cluster, in_cluster
from service.counters.links import Links, links_of
from service.counters.partitions import refuse_other_number
from service.counters.servers import nodes_of, servers_of
from service.errors import CannotStart, RedisUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

CONNECTIONS_MAX = 64
"""Of one process, to each server. The writer needs one; the others are for reads that come at the same moment."""

CONNECT_SECONDS = 2.0

VERSION_MIN = (7, 0)
"""The first with functions and with bit ranges in BITCOUNT."""

PARTITIONS_KEY = "playhead:partitions"
"""How many ways the users in this Redis are spread. Outside of all partitions, and read on its own."""

RECORDS_KEY = "playhead:records"
RECORDS = 2
"""Which records (`lua/include/records.lua`) this Redis holds: those of another playhead would be read as nonsense. The
first ones had no number."""

T = TypeVar("T")


def connect(url: str, timeout_seconds: float) -> Redis:
    """A client that never repeats a call by itself: whoever calls knows what is safe to repeat."""
    options: dict[str, Any] = {
        "retry": Retry(NoBackoff(), 0),
        "socket_connect_timeout": min(CONNECT_SECONDS, timeout_seconds),
        "socket_timeout": timeout_seconds,
        "max_connections": CONNECTIONS_MAX,
        "health_check_interval": 0,
    }
    return Cluster(url, **options) if is_cluster_url(url) else Redis.from_pool(Links.from_url(url, **options))


async def verify(redis: Redis, partitions: int) -> None:
    """Make sure that this Redis can be used: its version, its functions, its number of partitions.

    Of a cluster all nodes that can be reached. Raises CannotStart when it never can, RedisUnavailable when it can't be
    reached now.
    """
    try:
        for server in (await _each(nodes_of(redis), _info)).values():
            _refuse_unfit(server, is_clustered=in_cluster(redis))
        await _each(servers_of(redis), _prepare)
        if not await redis.exists(PARTITIONS_KEY):  # set last: whoever finds it finds both
            await redis.setnx(RECORDS_KEY, RECORDS)
            await redis.setnx(PARTITIONS_KEY, partitions)
        stored, records = int(await redis.get(PARTITIONS_KEY) or 0), int(await redis.get(RECORDS_KEY) or 1)
    except ResponseError as refused:
        raise CannotStart(f"Redis cannot be used: {refused}") from refused
    except (RedisError, OSError) as failed:
        raise RedisUnavailable(f"Redis cannot be reached: {failed or type(failed).__name__}") from failed
    if records != RECORDS:
        raise CannotStart(
            f"the counters in this Redis are another playhead's (records {records}, this one has {RECORDS}):"
            " let that one flush them, then empty this Redis; all of it is brought back from Postgres"
        )
    refuse_other_number(partitions, stored, "Redis")


async def verify_stored_partitions(redis: Redis, partitions: int) -> None:
    """Make sure that what this Redis holds is spread as the settings say, changing nothing. Raises as `verify` does."""
    stored = await scripts.guarded(redis.get(PARTITIONS_KEY))
    if stored is not None:
        refuse_other_number(partitions, int(stored), "Redis")


async def broken_promises(redis: Redis) -> list[str]:
    """By how much this Redis promises less than an acknowledgement does (design 5), in sentences; best is none.

    Of a cluster every node counts, since replicas take over. Raises RedisUnavailable.
    """
    said = []
    for address, config in (await scripts.guarded(_each(nodes_of(redis), _config))).items():
        said += [f"{address}: {sentence}" if address else sentence for sentence in _broken_by(config)]
    return said


async def missing_replicas(redis: Redis, replicas_min: int) -> list[str]:
    """Which masters have fewer replicas than must have an event before it is acknowledged, in sentences.

    Raises RedisUnavailable.
    """
    if not replicas_min:
        return []
    connected = await scripts.guarded(_each(servers_of(redis), _replicas))
    return [
        f"{address or 'Redis'} has {count} connected replicas, fewer than PLAYHEAD_REPLICAS_MIN ({replicas_min})"
        for address, count in connected.items()
        if count < replicas_min
    ]


def _refuse_unfit(server: Mapping[str, Any], *, is_clustered: bool) -> None:
    version = tuple(int(part) for part in server["redis_version"].split(".")[:2])
    if version < VERSION_MIN:
        raise CannotStart(
            f"Redis {server['redis_version']} is too old, playhead needs 7.0 or later, or Valkey"
        )
    if server["cluster_enabled"] and not is_clustered:
        raise CannotStart(
            "this Redis is a node of a cluster: name it as redis+cluster://host:port in PLAYHEAD_REDIS_URL"
        )


def _broken_by(config: Mapping[str | None, str | None] | None) -> list[str]:
    if config is None:
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


async def _info(server: Redis) -> dict[str, Any]:
    return {**await server.info("server"), **await server.info("cluster")}


async def _prepare(server: Redis) -> None:
    """With a connection for exchanges open, so that the first event has all of its time for itself."""
    await scripts.load(server)
    await links_of(server).exchange([("PING",)])


async def _config(server: Redis) -> Mapping[str | None, str | None] | None:
    try:
        return await server.config_get("appendonly", "appendfsync", "maxmemory-policy")
    except ResponseError:
        return None


async def _replicas(server: Redis) -> int:
    told = await server.info("replication")
    replicas = (told[f"slave{number}"] for number in range(told["connected_slaves"]))
    return sum(replica["state"] == "online" for replica in replicas)


async def _each(asked: Awaitable[Mapping[str, Redis]], ask: Callable[[Redis], Awaitable[T]]) -> dict[str, T]:
    """The answers by address, without those of servers that are away; raises what failed when none answers."""
    servers = await asked
    answers = await asyncio.gather(*map(ask, servers.values()), return_exceptions=True)
    found: dict[str, T] = {}
    failed: BaseException | None = None
    for address, answer in zip(servers, answers, strict=True):
        if not isinstance(answer, BaseException):
            found[address] = answer
        elif isinstance(answer, RedisConnectionError | RedisTimeoutError | OSError):
            failed = answer
        else:
            raise answer
    if failed and not found:
        raise failed
    return found
