"""What a batch is told when a part of it could be counted and a part could not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.counters.partitions import partition_of
from service.settings import Settings
from tests.api.client import event

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from tests.api.conftest import Serve

FULL, ROOMY = 0, 1


def users_of(partition: int, count: int) -> list[str]:
    named = (f"user {number}" for number in range(1000))
    return [name for name in named if partition_of(name, 2) == partition][:count]


async def test_what_was_not_counted_is_named_and_the_rest_counts(serve: Serve) -> None:
    """A client that sends just those again counts everything once, without ids."""
    api = await serve(Settings(backlog_events_max=20, partitions=2, shutdown_seconds=1))
    filling = await api.post([event(user=user) for user in users_of(FULL, 8)])
    assert filling.status == 200
    full, roomy = users_of(FULL, 13)[8:], users_of(ROOMY, 5)
    batch = [event(user=user) for pair in zip(full, roomy, strict=True) for user in pair]
    answer = await api.post([*batch, {"user": "nobody"}])
    assert answer.status == 200
    assert answer.json["accepted"] == 5
    rejected = answer.json["rejected"]
    assert [(one["index"], one["reason"]) for one in rejected] == [
        *((index, "unavailable") for index in range(0, 10, 2)),
        (10, "missing_field"),
    ]
    assert "PLAYHEAD_BACKLOG_EVENTS_MAX" in rejected[0]["detail"]
    for user in roomy:
        assert (await api.user(user)).json["events"] == 1
    for user in full:
        assert (await api.user(user)).status == 404


async def test_when_nothing_was_counted_it_is_a_503(serve: Serve) -> None:
    api = await serve(Settings(backlog_events_max=20, partitions=2, shutdown_seconds=1))
    await api.post([event(user=user) for user in users_of(FULL, 8)])
    answer = await api.post([event(user=user) for user in users_of(FULL, 5)])
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0


async def test_readyz_says_so_when_one_partition_is_full(serve: Serve) -> None:
    api = await serve(Settings(backlog_events_max=20, partitions=2, shutdown_seconds=1))
    await api.post([event(user=user) for user in users_of(FULL, 10)])
    answer = await api.get("/readyz")
    assert (answer.status, answer.json["reason"]) == (503, "backlog_full")


async def test_closed_partitions_are_said_and_refuse(serve: Serve, redis: Redis) -> None:
    """Until the flusher has brought Redis level with Postgres."""
    api = await serve(Settings(shutdown_seconds=1))
    await redis.flushall()
    answer = await api.get("/readyz")
    assert (answer.status, answer.json["reason"], answer.json["ready"]) == (503, "not_recovered", False)
    refused = await api.post(event())
    assert refused.status == 503
    assert "level with Postgres" in refused.json["detail"]
