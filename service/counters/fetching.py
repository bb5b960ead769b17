"""Records under plain keys: what is wanted at the same moment is fetched by one command.

Most of what reads want is in one string or two, and MGET gives many of them for what a script takes for one. A pair
that its user may have left is looked for by a script in the same go (`lua/fetch.lua`). All of one fetch is of one
moment. What several reads want at once, a hot movie say, is fetched once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from service.counters import keys, scripts
from service.counters.cluster import in_cluster
from service.counters.exchange import exchange
from service.counters.lanes import Lane, Lanes
from service.counters.servers import home_of
from service.errors import RedisUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from service.counters.cluster import Command

KEYS_AT_ONCE = 512
"""In one call: some hundred microseconds of Redis' time, in which it takes no events."""


class Left(NamedTuple):
    """A pair that its user may have left: the key of the user's hash of pairs, and the movie."""

    key: str
    slug: str


class Wanted(NamedTuple):
    """With `left` the first of the keys is the user's stride, and the second one its record."""

    keys: Sequence[str]
    left: Left | None
    answer: asyncio.Future[list[bytes | None]]


class Fetching:
    """The fetched records of one process. `fetch` may be called by any number at once."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._lanes: Lanes[Wanted] = Lanes(lambda partition: home_of(redis, keys.log(partition)), self._serve)

    async def fetch(self, partition: int, spelled: Sequence[str]) -> list[bytes | None]:
        """What is under these keys of the partition, None where nothing is. Raises RedisUnavailable."""
        return await self._wait(partition, spelled, None)

    async def fetch_pair(self, partition: int, user: str, slug: str) -> list[bytes | None]:
        """Of the user the stride and the record, of the pair the bitmap and, if the user has left it, the record.

        Each may be None. Raises RedisUnavailable.
        """
        spelled = [
            keys.stride(partition, user),
            keys.user(partition, user),
            keys.coverage(partition, user, slug),
        ]
        return await self._wait(partition, spelled, Left(keys.pairs(partition, user), slug))

    async def fetch_each(self, spelled: Sequence[str]) -> list[bytes | None]:
        """What is under these keys, one of each partition in their order: of one moment where one server has all."""
        if not in_cluster(self._redis):
            return await self.fetch(0, spelled)
        found = await asyncio.gather(*(self.fetch(partition, [key]) for partition, key in enumerate(spelled)))
        return [record for (record,) in found]

    async def _wait(self, partition: int, spelled: Sequence[str], left: Left | None) -> list[bytes | None]:
        answer: asyncio.Future[list[bytes | None]] = asyncio.get_running_loop().create_future()
        self._lanes.add(partition, Wanted(spelled, left, answer))
        return await answer

    async def _serve(self, lane: Lane[Wanted]) -> None:
        taken = _take(lane)
        if taken and not in_cluster(self._redis):  # all are on one server
            taken = {next(iter(taken)): [one for some in taken.values() for one in some]}
        try:
            replies = await self._ask(taken)
        except Exception as failed:  # whoever waits must hear of it, and the next ones get their turn
            for some in taken.values():
                _fail(some, failed)
        else:
            for some, reply in zip(taken.values(), replies, strict=True):
                if isinstance(reply, Exception):
                    _fail(some, RedisUnavailable(f"Redis did not answer: {reply}"))
                else:
                    _answer(some, reply)

    async def _ask(self, taken: dict[int, list[Wanted]]) -> list[Any]:
        """One command for each: in a cluster each partition is in a slot of its own."""
        if any(one.left for some in taken.values() for one in some):
            return await scripts.call(
                self._redis, [_call(partition, some) for partition, some in taken.items()]
            )
        commands: list[Command] = [(("MGET", *_keys_of(some)), {}) for some in taken.values()]
        return await scripts.guarded(exchange(self._redis, commands)) if commands else []


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


def _keys_of(some: list[Wanted]) -> dict[str, int]:
    """Each once, and its place."""
    places: dict[str, int] = {}
    for one in some:
        for key in one.keys:
            places.setdefault(key, len(places))
    return places


def _call(partition: int, some: list[Wanted]) -> scripts.Call:
    places = _keys_of(some)
    args: list[str | bytes | int] = [len(places), *places]
    for one in some:
        if one.left:
            args += (places[one.keys[0]] + 1, *one.left)
    return "fetch", [keys.log(partition)], args


def _answer(some: list[Wanted], reply: list[bytes | None]) -> None:
    places = _keys_of(some)
    others = iter(reply[len(places) :])
    for one in some:
        found = [reply[places[key]] for key in one.keys]
        if one.left:
            found.append(next(others))
        if not one.answer.done():
            one.answer.set_result(found)


def _fail(some: list[Wanted], failed: Exception) -> None:
    for one in some:
        if not one.answer.done():
            one.answer.set_exception(failed)
