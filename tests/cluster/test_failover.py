"""A master goes, its replica takes over, and no acknowledged event is missing or there twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from service.errors import NotRecovered
from tests.cluster.crowd import PARTITIONS, Crowd, name_in, slot_of
from tests.integration.waiting import until

if TYPE_CHECKING:
    from tests.cluster.nodes import Node, Nodes

EVERYWHERE = [name_in(partition, number) for partition in range(PARTITIONS) for number in range(2)]

RECOVERED_SECONDS = 10.0
"""The nodes agree after about a second that a master is gone; the machine may be busy."""


async def takes_over(node: Node) -> None:
    async def is_master() -> bool:
        return await node.role() == "master"

    await until(is_master, "the replica takes over")


async def test_a_killed_master_under_load_loses_nothing_that_replicas_had_to_have(
    crowd: Crowd, nodes: Nodes
) -> None:
    """And it comes back as a replica, which takes over in its turn."""

    async def is_refused() -> bool:
        return crowd.refusals > 0

    await crowd.begin(replicas_min=1)
    crowd.send_on(*EVERYWHERE)
    await crowd.more_than(200)
    master, replica = await nodes.pair_of(slot_of(0))
    master.kill()
    await takes_over(replica)
    await until(crowd.is_open, "all partitions are open again", RECOVERED_SECONDS)
    # Its new master has no replica now, so what is sent there is not acknowledged until the old one is back.
    await until(is_refused, "what is sent to a master without a replica is refused")
    master.start()
    await until(master.follows, "the old master follows the new one")
    await crowd.more_than(200)
    replica.kill()
    await takes_over(master)
    replica.start()
    await until(replica.follows, "the old replica follows again")
    await crowd.more_than(200)
    await crowd.pause()
    assert crowd.refusals > 0
    await crowd.check()


async def test_what_a_replica_lacks_and_postgres_has_is_put_back(crowd: Crowd, nodes: Nodes) -> None:
    """Until then its partitions are closed: an event that counted before must not count again."""
    await crowd.begin()
    crowd.send_on(*EVERYWHERE)
    await crowd.more_than(200)
    await crowd.pause()
    await crowd.check()
    master, replica = await nodes.pair_of(slot_of(0))
    replica.freeze()
    await master.command("CLIENT", "KILL", "TYPE", "replica")  # or it would find the rest in its socket
    crowd.send_on(*EVERYWHERE)
    await crowd.more_than(300)
    await crowd.pause()
    await crowd.check()
    await crowd.stop_flusher()
    appended = await master.appended(0)
    master.kill()
    replica.thaw()
    await takes_over(replica)
    assert await replica.appended(0) < appended
    with pytest.raises(NotRecovered):
        await crowd.writer.apply([crowd.last(name_in(0))])
    assert not await crowd.is_open()
    crowd.start_flusher()
    await until(crowd.is_open, "all partitions are open again", RECOVERED_SECONDS)
    assert (await crowd.writer.apply([crowd.last(name_in(0))])).duplicates == 1
    await crowd.check()
    crowd.send_on(*EVERYWHERE)
    await crowd.more_than(200)
    await crowd.pause()
    await crowd.check()


async def test_an_orderly_failover_under_load_loses_nothing(crowd: Crowd, nodes: Nodes) -> None:
    await crowd.begin()
    crowd.send_on(*EVERYWHERE)
    await crowd.more_than(100)
    for _ in range(2):
        _, replica = await nodes.pair_of(slot_of(0))
        await replica.command("CLUSTER", "FAILOVER")
        await takes_over(replica)
        await crowd.more_than(300)
        await nodes.settled()
    await crowd.pause()
    await crowd.check()


async def test_a_frozen_master_is_given_up_when_its_replica_takes_over(crowd: Crowd, nodes: Nodes) -> None:
    """Calls that wait for its answer are made again at the new one, long before they would time out."""
    await crowd.begin()
    crowd.send_on(*EVERYWHERE)
    await crowd.more_than(100)
    master, replica = await nodes.pair_of(slot_of(0))
    master.freeze()
    await takes_over(replica)
    await until(crowd.is_open, "all partitions are open again", RECOVERED_SECONDS)
    await crowd.more_than(300)
    master.thaw()
    await until(master.follows, "the old master follows the new one")
    await crowd.pause()
    await crowd.check()


async def test_a_call_that_was_applied_is_answered_by_the_new_master(crowd: Crowd, nodes: Nodes) -> None:
    """The answer came to the replica with what was applied: the call that is made again finds it, and counts nothing.

    The master applies the call and waits for the replica, which is frozen; then the master is frozen, too.
    """
    await crowd.begin(replicas_min=1, timeout_seconds=20)
    name = name_in(0)
    await crowd.send(name)
    master, replica = await nodes.pair_of(slot_of(0))

    async def has_applied() -> bool:
        return await master.appended(0) == 2

    async def repeats() -> bool:
        """It has no replica yet, so whoever calls it waits."""
        return bool((await replica.client.info("clients"))["blocked_clients"] == 1)

    replica.freeze()
    waiting = asyncio.create_task(crowd.writer.apply([crowd.take_nameless(name)]))
    await until(has_applied, "the master has applied it")
    master.freeze()
    replica.thaw()
    await takes_over(replica)
    await until(repeats, "the call is made again at the new master")
    master.thaw()
    assert (await waiting).duplicates == 0
    await crowd.check()
    assert (await crowd.reader.user(name)).events == 2
