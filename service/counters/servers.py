"""Which server has what, be it one Redis or a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.counters.cluster import in_cluster
from service.errors import RedisUnavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis

ONLY_HOME = "1"
"""The name of a Redis that is no cluster."""


async def servers_of(redis: Redis) -> dict[str, Redis]:
    """A client of each server that counts, by its address; of one Redis just that one, under no name."""
    return await redis.masters() if in_cluster(redis) else {"": redis}


async def nodes_of(redis: Redis) -> dict[str, Redis]:
    """The same with a cluster's replicas."""
    return await redis.nodes() if in_cluster(redis) else {"": redis}


def server_of(redis: Redis, key: str) -> Redis:
    """A client of the very server that has a key. It follows no moves: what is refused there is refused."""
    if not in_cluster(redis):
        return redis
    master = redis.master_of(key)
    if master is None:
        raise RedisUnavailable(f"no master of the cluster has {key}")
    return redis.client_at(master.address)


def home_of(redis: Redis, key: str) -> str:
    """The name of the server that has a key: another one once a replica has taken over, or the slot has moved."""
    if not in_cluster(redis):
        return ONLY_HOME
    master = redis.master_of(key)
    return master.id if master else ""
