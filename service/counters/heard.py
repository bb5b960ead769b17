"""When watching sessions were last heard of: a key each, so that a heartbeat costs Postgres nothing.

It is forgotten by itself. What asks at the same moment shares one round trip.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.exceptions import RedisError

from service.counters import keys
from service.counters.lanes import Lane, Lanes
from service.counters.partitions import partition_of
from service.counters.servers import home_of
from service.errors import RedisUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from redis.asyncio import Redis
    from redis.asyncio.client import Pipeline

REMEMBERED_SECONDS = 3600
"""Past that a session is as good as one of which nothing was ever heard: far longer than it takes to be stale."""

COMMANDS_AT_ONCE = 256
"""In one call: some hundred microseconds of Redis' time, in which it takes no events."""


FIELDS = ["heard", "progress", "closed"]


class Hearing(NamedTuple):
    """In us; None where nothing is known. `progress_us`: when something of what was watched was counted last."""

    heard_us: int | None = None
    progress_us: int | None = None
    closed_us: int | None = None


class Asked(NamedTuple):
    command: Callable[[Pipeline], object]
    answer: asyncio.Future[Any]


class Heard:
    """Of one process. Raises RedisUnavailable."""

    def __init__(self, redis: Redis, partitions: int) -> None:
        self._redis = redis
        self._partitions = partitions
        self._lanes: Lanes[Asked] = Lanes(lambda partition: home_of(redis, keys.log(partition)), self._serve)

    async def hear(self, user: str, session: str, now_us: int, *, is_progress: bool = False) -> Hearing:
        """The session is alive. Gives what is known of it then."""
        return await self._note(
            user, session, {"heard": now_us} | ({"progress": now_us} if is_progress else {})
        )

    async def close(self, user: str, session: str, closed_us: int) -> None:
        """The session is closed, which who hears of it is told."""
        await self._note(user, session, {"closed": closed_us})

    async def of(self, user: str, session: str) -> Hearing:
        partition = partition_of(user, self._partitions)
        key = keys.heard(partition, session)
        return _hearing(await self._ask(partition, lambda pipeline: pipeline.hmget(key, FIELDS)))

    async def of_each(self, sessions: Iterable[tuple[str, str]]) -> list[Hearing]:
        """Of users and their sessions, in their order."""
        return await asyncio.gather(*(self.of(user, session) for user, session in sessions))

    async def _note(self, user: str, session: str, fields: dict[Any, Any]) -> Hearing:
        partition = partition_of(user, self._partitions)
        key = keys.heard(partition, session)
        _, _, found = await asyncio.gather(
            self._ask(partition, lambda pipeline: pipeline.hset(key, mapping=fields)),
            self._ask(partition, lambda pipeline: pipeline.expire(key, REMEMBERED_SECONDS)),
            self._ask(partition, lambda pipeline: pipeline.hmget(key, FIELDS)),
        )
        return _hearing(found)

    async def _ask(self, partition: int, command: Callable[[Pipeline], object]) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._lanes.add(partition, Asked(command, answer))
        return await answer

    async def _serve(self, lane: Lane[Asked]) -> None:
        taken = _take(lane)
        if not taken:
            return
        pipeline = self._redis.pipeline(transaction=False)
        for one in taken:
            one.command(pipeline)
        try:
            replies = await pipeline.execute(raise_on_error=False)
        except Exception as failed:  # whoever waits must hear of it, and the next ones get their turn
            replies = [failed] * len(taken)
        for one, reply in zip(taken, replies, strict=True):
            if one.answer.done():
                continue
            if isinstance(reply, RedisError | OSError):
                why = reply or type(reply).__name__
                one.answer.set_exception(RedisUnavailable(f"Redis did not answer: {why}"))
            elif isinstance(reply, Exception):
                one.answer.set_exception(reply)
            else:
                one.answer.set_result(reply)


def _hearing(found: list[bytes | None]) -> Hearing:
    return Hearing(*(None if time_us is None else int(time_us) for time_us in found))


def _take(lane: Lane[Asked]) -> list[Asked]:
    """First come first served within a partition, without those who have gone away."""
    taken: list[Asked] = []
    for partition, queue in list(lane.waiting.items()):
        while queue and len(taken) < COMMANDS_AT_ONCE:
            one = queue.popleft()
            if not one.answer.done():
                taken.append(one)
        if queue:  # behind the others next time
            lane.waiting[partition] = lane.waiting.pop(partition)
        else:
            del lane.waiting[partition]
    return taken
