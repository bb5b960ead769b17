"""Events that come one after another share a call, and nobody waits for long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service import metrics
from service.counters import writer
from service.counters.calls import Bounds
from service.counters.writer import GATHER_EVENTS, Writer
from service.events.event import Event
from service.rules.constants import Constants
from tests.opening import open_partitions

if TYPE_CHECKING:
    from collections.abc import Collection

    import pytest
    from redis.asyncio import Redis

PARTITIONS = 4
START_US = 1_790_000_000_000_000


async def _nobody(partition: int, users: Collection[str]) -> None:
    raise AssertionError(f"{users} of partition {partition} need not be brought in")


def _calls() -> float:
    return metrics.REGISTRY.get_sample_value("playhead_call_events_count") or 0


async def _count(redis: Redis, events: int) -> float:
    """How many calls are made for so many events, of which one comes at each turn of the loop."""
    await open_partitions(redis, *range(PARTITIONS))
    counted = Writer(redis, PARTITIONS, Constants(), Bounds(1000, 1000, 5.0), _nobody)
    running, before, counting = asyncio.create_task(counted.run()), _calls(), []
    for number in range(events):
        event = Event(f"viewer {number}", "dune", "heartbeat", 10_000, START_US, START_US)
        counting.append(asyncio.create_task(counted.apply_one(event)))
        await asyncio.sleep(0)
    answers = await asyncio.gather(*counting)
    counted.close()
    await running
    assert [(duplicate, pair.events) for duplicate, pair in answers] == [(False, 1)] * events
    return _calls() - before


async def test_events_that_keep_coming_share_a_call(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is at the moment."""
    monkeypatch.setattr(writer, "GATHER_SECONDS_MAX", 10.0)
    assert await _count(redis, GATHER_EVENTS // 2) == 1


async def test_an_event_alone_has_a_call_of_its_own(redis: Redis) -> None:
    assert await _count(redis, 1) == 1


async def test_a_call_that_is_worth_it_is_not_kept_waiting(redis: Redis) -> None:
    assert await _count(redis, 3 * GATHER_EVENTS) >= 2
