"""Records under plain keys: what is wanted at the same moment is fetched by one command.

Most reads need no script: what they want is in one string or two, and MGET gives many of them for what a script takes
for one. All keys of one `fetch` are of one moment. What several reads want at once, a hot movie say, is fetched once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from service.counters import keys, scripts
from service.counters.cluster import in_cluster
from service.counters.exchange import exchange
from service.counters.lanes import Lane, Lanes
from service.counters.servers import home_of
from service.errors import RedisUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    Records = dict[str, bytes | None]

KEYS_AT_ONCE = 512
"""In one call: some hundred microseconds of Redis' time, in which it takes no events."""


class Wanted(NamedTuple):
    keys: Sequence[str]
    answer: asyncio.Future[list[bytes | None]]


class Fetching:
    """The fetched records of one process. `fetch` may be called by any number at once."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._lanes: Lanes[Wanted] = Lanes(lambda partition: home_of(redis, keys.log(partition)), self._serve)

    async def fetch(self, partition: int, spelled: Sequence[str]) -> list[bytes | None]:
        """What is under these keys of the partition, None where nothing is. Raises RedisUnavailable."""
        answer: asyncio.Future[list[bytes | None]] = asyncio.get_running_loop().create_future()
        self._lanes.add(partition, Wanted(spelled, answer))
        return await answer

    async def fetch_each(self, spelled: Sequence[str]) -> list[bytes | None]:
        """What is under these keys, one of each partition in their order: of one moment where one server has all."""
        if not in_cluster(self._redis):
            return await self.fetch(0, spelled)
        found = await asyncio.gather(*(self.fetch(partition, [key]) for partition, key in enumerate(spelled)))
        return [record for (record,) in found]

    async def _serve(self, lane: Lane[Wanted]) -> None:
        taken = _take(lane)
        try:
            records = await self._mget(taken)
        except Exception as failed:  # whoever waits must hear of it, and the next ones get their turn
            for one in _waiting(taken):
                one.answer.set_exception(failed)
        else:
            for one in _waiting(taken):
                one.answer.set_result([records[key] for key in one.keys])

    async def _mget(self, taken: dict[int, list[Wanted]]) -> Records:
        """One command for all; in a cluster one a partition, since each is in a slot of its own."""
        if not taken:
            return {}
        wanted = {partition: _keys_of(some) for partition, some in taken.items()}
        if not in_cluster(self._redis):
            wanted = {0: [key for some in wanted.values() for key in some]}
        replies = await scripts.guarded(
            exchange(self._redis, [(("MGET", *some), {}) for some in wanted.values()])
        )
        for reply in replies:
            if isinstance(reply, Exception):
                raise RedisUnavailable(f"Redis did not answer: {reply}") from reply
        return {
            key: record
            for some, reply in zip(wanted.values(), replies, strict=True)
            for key, record in zip(some, reply, strict=True)
        }


def _take(lane: Lane[Wanted]) -> dict[int, list[Wanted]]:
    """Some of what waits, first come first served within a partition, without what nobody waits for any more."""
    taken: dict[int, list[Wanted]] = {}
    room = KEYS_AT_ONCE
    for partition, queue in list(lane.waiting.items()):
        some: list[Wanted] = []
        while queue and room > 0:
            one = queue.popleft()
            if not one.answer.done():
                some.append(one)
                room -= len(one.keys)
        if some:
            taken[partition] = some
        if queue:  # behind the others next time
            lane.waiting[partition] = lane.waiting.pop(partition)
        else:
            del lane.waiting[partition]
    return taken


def _waiting(taken: dict[int, list[Wanted]]) -> list[Wanted]:
    return [one for some in taken.values() for one in some if not one.answer.done()]


def _keys_of(some: list[Wanted]) -> list[str]:
    """Each once."""
    return list(dict.fromkeys(key for one in some for key in one.keys))
