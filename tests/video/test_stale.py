"""Sessions of which nothing is heard any more are closed, with what they had."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from redis.asyncio import Redis

from service import clock
from service.counters import keys
from service.counters.heard import Heard
from service.counters.partitions import partition_of
from service.courses.store import Courses
from service.settings import Settings
from tests.integration.waiting import until
from tests.video.players import assign, call, pair, put_course, segment, start
from workers.flushing import flush_until_stopped
from workers.stale import StaleSessions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.client import Api
    from tests.video.players import Player

STALE_US = 300_000_000


class Worker:
    """Looks at a time of the test's."""

    def __init__(self, courses: Courses, redis: Redis) -> None:
        self.now_us = clock.now_us()
        self.redis = redis
        heard = Heard(redis, Settings().partitions)
        self._stale = StaleSessions(courses.sessions, heard, 300, lambda: self.now_us)

    async def look(self, later_us: int) -> None:
        self.now_us = clock.now_us() + later_us
        while await self._stale.step():
            pass


@pytest.fixture
async def worker(module_database_url: str, emptied_redis_url: str) -> AsyncIterator[Worker]:
    courses = await Courses.connect(module_database_url)
    async with Redis.from_url(emptied_redis_url) as redis:
        yield Worker(courses, redis)
    await courses.close()


async def shown(api: Api, name: str, player: Player) -> Any:
    found = (await call(api, "get_lesson_progress", userId="ann", lessonId=f"{name} 1")).json
    [session] = [one for one in found["sessions"] if one["sessionId"] == player.session]
    return session


async def test_a_session_that_is_silent_for_five_minutes_is_closed_when_it_was_last_heard(
    api: Api, name: str, worker: Worker
) -> None:
    await put_course(api, name)
    player = await start(api, name)
    await player.play((0, 10))
    await worker.look(STALE_US - 1_000_000)
    assert (await shown(api, name, player))["closedAt"] is None
    await worker.look(STALE_US)
    closed = await shown(api, name, player)
    assert (closed["closedBy"], closed["closedAt"] > closed["startedAt"]) == ("stale", True)
    alive = await call(api, "send_heartbeat", sessionId=player.session)
    assert alive.json["isClosed"] is True
    await player.play((10, 20))
    assert (await pair(api, name))["watch_seconds"] == 20
    await worker.look(3 * STALE_US)
    assert await shown(api, name, player) == closed


@pytest.mark.parametrize("how", ["heartbeat", "progress"])
async def test_who_is_heard_of_stays_open(api: Api, name: str, worker: Worker, how: str) -> None:
    """And is looked at again only once it could be stale."""
    await put_course(api, name)
    player = await start(api, name)
    if how == "heartbeat":
        await call(api, "send_heartbeat", sessionId=player.session)
    else:
        await player.play((0, 10))
    partition = partition_of("ann", Settings().partitions)
    heard_us = clock.now_us() + STALE_US // 2
    await worker.redis.hset(keys.heard(partition, player.session), "heard", heard_us)
    await worker.look(STALE_US)
    assert (await shown(api, name, player))["closedAt"] is None
    await worker.look(STALE_US + STALE_US // 2 + 1_000_000)
    assert (await shown(api, name, player))["closedBy"] == "stale"


async def test_what_redis_forgot_is_closed_as_of_the_last_look(api: Api, name: str, worker: Worker) -> None:
    await put_course(api, name)
    player = await start(api, name)
    await worker.redis.delete(keys.heard(partition_of("ann", Settings().partitions), player.session))
    await worker.look(STALE_US - 1_000_000)
    assert (await shown(api, name, player))["closedAt"] is None
    await worker.look(STALE_US)
    assert (await shown(api, name, player))["closedBy"] == "stale"


async def test_many_are_closed_once_by_several_workers(
    api: Api, name: str, module_database_url: str, emptied_redis_url: str, worker: Worker
) -> None:
    await put_course(api, name)
    players = await asyncio.gather(*(start(api, name) for _ in range(8)))
    await call(api, "close_session", sessionId=players[0].session)
    courses = await Courses.connect(module_database_url)
    other = Worker(courses, worker.redis)
    await asyncio.gather(worker.look(STALE_US), other.look(STALE_US))
    by = [(await shown(api, name, player))["closedBy"] for player in players]
    assert by == ["client"] + ["stale"] * 7
    await courses.close()


async def test_the_whole_way(
    api: Api, name: str, module_database_url: str, emptied_redis_url: str, worker: Worker
) -> None:
    """From a player's report to its session, its attempt and its end, with the flusher's process beside it."""
    await put_course(api, name)
    silent = await start(api, name)
    await silent.play((0, 40))
    await worker.redis.delete(keys.heard(partition_of("ann", Settings().partitions), silent.session))
    connection = await asyncpg.connect(module_database_url)
    await connection.execute(
        "UPDATE watch_sessions SET started_at = now() - interval '1 h', look_at = now() WHERE session = $1",
        silent.session,
    )
    await connection.close()
    stop = asyncio.Event()
    settings = Settings(
        redis_url=emptied_redis_url,
        database_url=module_database_url,
        flush_interval_ms=10,
        follow_interval_seconds=0.05,
        audit_users_per_minute=0,
    )
    running = asyncio.create_task(flush_until_stopped(settings, stop, name))

    async def is_listed() -> bool:
        found = (await call(api, "get_unassigned_history", userId="ann")).json["items"]
        return [(one["lessonId"], one["uniqueSeconds"]) for one in found[:1]] == [(f"{name} 1", 40)]

    async def is_closed() -> bool:
        return bool((await shown(api, name, silent))["closedBy"] == "stale")

    async def is_whole() -> bool:
        found = await shown(api, name, player)
        return (found["watchSeconds"], found["uniqueSeconds"]) == (100, 100)

    async def is_completed() -> bool:
        found = (await call(api, "get_lesson_progress", userId="ann", lessonId=f"{name} 1")).json
        return bool(found["attempt"]["status"] == "Completed" and found["progress"]["completedAt"])

    await until(is_closed, "the silent session is closed")
    await until(is_listed, "what was watched before is listed")
    await assign(api, name)
    player = await start(api, name)
    await player.report(segments=[segment("a", 0, 50), segment("b", 50, 100)])
    await until(is_whole, "the session has what was watched in it")
    await until(is_completed, "the attempt is completed")
    assert await is_listed()
    stop.set()
    await running
