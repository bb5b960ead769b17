"""Playhead on a cluster that is well: every event at the master of its partition, every read from where it is."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from service.counters import keys, scripts
from service.counters.connection import broken_promises, connect, verify
from service.counters.heard import Heard, Hearing
from service.counters.servers import home_of
from service.errors import CannotStart, RedisUnavailable
from tests.cluster.crowd import PARTITIONS, Crowd, name_in, slot_of

if TYPE_CHECKING:
    from service.counters.cluster import Cluster
    from tests.cluster.nodes import Nodes

EVERYWHERE = [name_in(partition) for partition in range(PARTITIONS)]


async def test_counts_are_right_over_all_masters(crowd: Crowd, nodes: Nodes) -> None:
    await crowd.begin()
    crowd.send_on(*EVERYWHERE)
    await crowd.more_than(300)
    await crowd.pause()
    await crowd.check()
    for master in await nodes.masters():
        assert await master.client.keys("{p*}:user:*"), "some users are at every master"


async def test_who_was_heard_of_is_told_whichever_master_has_it(cluster: Cluster) -> None:
    heard = Heard(cluster, PARTITIONS)
    await asyncio.gather(*(heard.hear(user, "s", 7, is_progress=True) for user in EVERYWHERE))
    found = await heard.of_each((user, session) for session in ("s", "other") for user in EVERYWHERE)
    assert found == [Hearing(7, 7)] * PARTITIONS + [Hearing()] * PARTITIONS


async def test_a_node_named_alone_is_refused_with_what_to_say_instead(nodes: Nodes) -> None:
    redis = connect(f"redis://{nodes.all[0].address}", 5)
    async with redis:
        with pytest.raises(CannotStart, match=r"redis\+cluster://"):
            await verify(redis, PARTITIONS)


async def test_one_node_that_answers_is_enough_to_begin_with(nodes: Nodes) -> None:
    redis = connect(f"redis+cluster://127.0.0.1:1,{nodes.all[5].address}", 5)
    await verify(redis, PARTITIONS)
    await redis.aclose()
    nobody = connect("redis+cluster://127.0.0.1:1", 5)
    with pytest.raises(RedisUnavailable, match=r"127\.0\.0\.1:1"):
        await verify(nobody, PARTITIONS)
    await nobody.aclose()


async def test_every_node_is_asked_for_its_promises(cluster: Cluster, nodes: Nodes) -> None:
    assert await broken_promises(cluster) == []
    _, replica = await nodes.pair_of(0)
    await replica.client.config_set("appendfsync", "everysec")
    (sentence,) = await broken_promises(cluster)
    await replica.client.config_set("appendfsync", "always")
    assert sentence.startswith(f"{replica.address}: ")


async def test_a_master_that_has_lost_the_scripts_gets_them_again(crowd: Crowd, nodes: Nodes) -> None:
    await crowd.begin()
    for master in await nodes.masters():
        await master.command("FUNCTION", "FLUSH")
    for name in EVERYWHERE:
        await crowd.send(name)
    assert crowd.refusals == 0
    await crowd.check()


async def test_a_frozen_master_keeps_nobody_waiting_but_its_own(crowd: Crowd, nodes: Nodes) -> None:
    """Its replica is frozen too, so that nobody takes over."""
    await crowd.begin()
    await crowd.stop_flusher()
    for name in EVERYWHERE:
        await crowd.send(name)
    master, replica = await nodes.pair_of(slot_of(0))
    here = [
        partition for partition in range(PARTITIONS) if home_of(crowd.redis, keys.log(partition)) == master.id
    ]
    master.freeze()
    replica.freeze()
    waiting = [asyncio.create_task(crowd.send(name_in(partition))) for partition in here]
    longest_seconds = 0.0
    for _ in range(20):
        for partition in range(PARTITIONS):
            if partition not in here:
                started = time.monotonic()
                await crowd.send(name_in(partition))
                longest_seconds = max(longest_seconds, time.monotonic() - started)
    assert crowd.refusals == 0
    assert not any(task.done() for task in waiting)
    assert longest_seconds < 0.5
    replica.thaw()
    master.thaw()
    await asyncio.gather(*waiting)
    crowd.start_flusher()
    await crowd.check()


async def test_a_slot_that_moves_is_followed(crowd: Crowd, nodes: Nodes, cluster: Cluster) -> None:
    """Key by key, as clusters are resharded, under load; a client that does not know of it is sent on."""
    await crowd.begin()
    moving = 0
    crowd.send_on(*EVERYWHERE)
    await crowd.more_than(100)
    source, _ = await nodes.pair_of(slot_of(moving))
    target = next(master for master in await nodes.masters() if master is not source)
    await nodes.move(slot_of(moving), source, target)
    await crowd.more_than(100)
    await crowd.pause()
    await crowd.check()
    assert home_of(cluster, keys.log(moving)) == source.id
    assert await cluster.hget(keys.log(moving), "open") == target.id.encode()
    assert home_of(cluster, keys.log(moving)) == target.id


async def test_what_is_half_moved_is_asked_for_where_it_is(nodes: Nodes, cluster: Cluster) -> None:
    await cluster.set("{p0}:here", 1)
    source, _ = await nodes.pair_of(slot_of(0))
    target = next(master for master in await nodes.masters() if master is not source)
    await nodes.begin_move(slot_of(0), source, target)
    assert await cluster.set("{p0}:there", 2)
    pipeline = cluster.pipeline(transaction=False)
    for key in ("{p0}:here", "{p0}:there", "{p1}:else"):
        pipeline.get(key)
    assert await pipeline.execute() == [b"1", b"2", None]
    assert await target.client.dbsize() >= 1
    with pytest.raises(RedisUnavailable):
        await scripts.call_one(cluster, "read_pair", ["{p0}:here", "{p0}:there"], ["dune"])
    await nodes.finish_move(slot_of(0), source, target)
    assert await cluster.get("{p0}:here") == b"1"
