"""Reads that wait at the same moment share one round trip, as events do (`service.counters.writer`).

While a call is under way, others gather; the next one takes them along. So an idle service answers a single read at
once, and a busy one pays for a call of many what it would pay for one of each.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from service.counters import keys, scripts
from service.counters.lanes import Lane, Lanes
from service.counters.servers import home_of

if TYPE_CHECKING:
    from redis.asyncio import Redis

READS_AT_ONCE = 64
"""In one call: some hundred microseconds of Redis' time, in which it takes no events."""


class Waiting(NamedTuple):
    call: scripts.Call
    answer: asyncio.Future[Any]


class Gathering:
    """The reads of one process. `read` may be called by any number at once."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._lanes: Lanes[Waiting] = Lanes(
            lambda partition: home_of(redis, keys.log(partition)), self._serve
        )

    async def read(self, partition: int, name: str, args: list[str | bytes | int]) -> Any:
        """What this function, which changes nothing, says of the partition. Raises RedisUnavailable."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._lanes.add(partition, Waiting((name, [keys.log(partition)], args), answer))
        return await answer

    async def _serve(self, lane: Lane[Waiting]) -> None:
        taken = _take(lane)
        try:
            replies = await scripts.call(self._redis, [one.call for one in taken]) if taken else []
        except Exception as failed:  # whoever waits must hear of it, and the next ones get their turn
            replies = [failed] * len(taken)
        for one, reply in zip(taken, replies, strict=True):
            if one.answer.done():
                continue
            if isinstance(reply, Exception):
                one.answer.set_exception(reply)
            else:
                one.answer.set_result(reply)


def _take(lane: Lane[Waiting]) -> list[Waiting]:
    """Some of those that wait, first come first served within a partition, without those who have gone away."""
    taken: list[Waiting] = []
    for partition, queue in list(lane.waiting.items()):
        while queue and len(taken) < READS_AT_ONCE:
            one = queue.popleft()
            if not one.answer.done():
                taken.append(one)
        if queue:  # behind the others next time
            lane.waiting[partition] = lane.waiting.pop(partition)
        else:
            del lane.waiting[partition]
    return taken
