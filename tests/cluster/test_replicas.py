"""Events are acknowledged once enough replicas have them: on a cluster, and on one Redis with a replica."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from service.counters import keys
from service.counters.calls import Bounds
from service.counters.connection import connect, missing_replicas, verify
from service.counters.servers import home_of
from service.counters.writer import Writer
from service.errors import RedisUnavailable
from tests.cluster.crowd import CONSTANTS, PARTITIONS, Crowd, name_in, slot_of
from tests.cluster.nodes import Node
from tests.integration.waiting import until
from tests.opening import open_partitions

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from tests.cluster.nodes import Nodes

SHORT_SECONDS = 0.5


async def _nobody(_partition: int, names: Collection[str]) -> None:
    raise AssertionError(f"nobody has left, and {names} are to be brought in")


async def test_what_a_replica_does_not_have_is_not_acknowledged(crowd: Crowd, nodes: Nodes) -> None:
    """Nor is it when it comes again, as a duplicate, before the replica has it."""
    await crowd.begin(replicas_min=1, timeout_seconds=SHORT_SECONDS)
    name = name_in(0)
    await crowd.send(name)
    _, replica = await nodes.pair_of(slot_of(0))
    replica.freeze()
    event = crowd.take(name)
    for _ in range(2):
        with pytest.raises(RedisUnavailable, match="PLAYHEAD_REPLICAS_MIN"):
            await crowd.writer.apply([event])
    assert (await crowd.reader.user(name)).events == 2
    # Partitions of other masters go on.
    home = home_of(crowd.redis, keys.log(0))
    elsewhere = next(at for at in range(PARTITIONS) if home_of(crowd.redis, keys.log(at)) != home)
    await crowd.send(name_in(elsewhere))
    assert crowd.refusals == 0
    replica.thaw()
    await until(replica.follows, "the replica follows again")
    assert (await crowd.writer.apply([event])).duplicates == 1
    await crowd.check()


async def test_a_replica_that_comes_back_in_time_is_waited_for(crowd: Crowd, nodes: Nodes) -> None:
    await crowd.begin(replicas_min=1)
    await crowd.send(name_in(0))
    _, replica = await nodes.pair_of(slot_of(0))
    replica.freeze()
    sending = asyncio.create_task(crowd.send(name_in(0)))

    async def has_applied() -> bool:
        return (await crowd.reader.user(name_in(0))).events == 2

    await until(has_applied, "the master has applied it")
    assert not sending.done()
    replica.thaw()
    await sending
    assert crowd.refusals == 0


async def test_one_redis_with_a_replica(tmp_path: Path) -> None:
    master, replica = (Node(tmp_path / name, clustered=False) for name in ("master", "replica"))
    redis = connect(f"redis://{master.address}", 5)
    try:
        for node in (master, replica):
            node.start()
            await until(node.answers, "it answers")
        await verify(redis, 1)
        await open_partitions(redis, 0)
        writer = Writer(redis, 1, CONSTANTS, Bounds(10, 1000, SHORT_SECONDS, 1), _nobody)
        assert await missing_replicas(redis, 0) == []
        (sentence,) = await missing_replicas(redis, 1)
        assert "has 0 connected replicas" in sentence
        event = Crowd.event("ann", 1)
        with pytest.raises(RedisUnavailable, match="PLAYHEAD_REPLICAS_MIN"):
            await writer.apply([event])
        await replica.command("REPLICAOF", "127.0.0.1", master.port)
        await until(replica.follows, "the replica follows")
        assert (await writer.apply([event])).duplicates == 1
        assert (await writer.apply([Crowd.event("ann", 2)])).duplicates == 0
        assert await replica.appended(0) == 2
        assert await missing_replicas(redis, 1) == []
    finally:
        await redis.aclose()
        await master.end()
        await replica.end()
