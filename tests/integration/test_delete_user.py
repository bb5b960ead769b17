"""DELETE of a user, and users who left Redis, as a client sees them: the application, a flusher, both servers."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

import orjson
import pytest

from service.counters.constants import constants_of
from service.db.history import History
from service.db.ledger import Ledger
from service.settings import Settings
from tests.api.client import event
from tests.api.conftest import serving
from tests.integration.waiting import until
from tests.video.players import call, put_course, seek, start
from workers.eviction import Eviction
from workers.flusher import Flusher
from workers.leases import Leases
from workers.loop import drive
from workers.recovery import Recovery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from tests.api.client import Api

SETTINGS = Settings(shutdown_seconds=1, redis_timeout_seconds=1, partitions=2)


class House:
    """The application, and a flusher that may be let run."""

    def __init__(self, api: Api, redis: Redis, ledger: Ledger, history: History) -> None:
        self.api = api
        recovery = Recovery(redis, ledger, history, constants_of(SETTINGS))
        leases = Leases(ledger.leasing, "flusher", range(SETTINGS.partitions))
        self.flusher = Flusher(redis, ledger, recovery, leases, events_max=1000, snapshot_interval_seconds=0)
        self.eviction = Eviction(redis, lambda: self.flusher.snapshotted, idle_seconds=0.001)
        self._redis = redis

    @asynccontextmanager
    async def flushing(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        running = asyncio.create_task(drive("flusher", self.flusher.step, stop, 0.01))
        try:
            yield
        finally:
            stop.set()
            await running

    async def evict(self) -> None:
        async def is_empty() -> bool:
            self.eviction._rounds.clear()
            await self.eviction.step()
            return not await self._redis.keys("*:user:*")

        await self.flusher.finish()
        await until(is_empty, "nobody is left in Redis")


@pytest.fixture
async def house(redis: Redis, redis_url: str, database_url: str) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        ledger, history = await Ledger.connect(database_url), await History.connect(database_url)
        stack.push_async_callback(ledger.close)
        stack.push_async_callback(history.close)
        api = await stack.enter_async_context(serving(SETTINGS, redis_url, database_url))
        house = House(api, redis, ledger, history)
        await ledger.checkpoints(range(SETTINGS.partitions))
        await house.flusher.finish()
        yield house


async def test_delete_says_what_it_removed_and_leaves_nothing(house: House) -> None:
    api = house.api
    await api.post(
        [event(user="ann", id="1"), event(user="ann", slug="heat", session="s"), event(user="bob")]
    )
    before = (await api.movie("dune")).json
    async with house.flushing():
        answer = await api.call("DELETE", "/v1/users/ann")
    assert answer.status == 200
    assert answer.json == {
        "user": "ann",
        "complete": True,
        "erased": {"movies": 2, "sessions": 2, "events": 2, "ids": 1, "raw_events": 2},
    }
    assert (await api.user("ann")).status == 404
    assert (await api.movie("heat")).status == 404
    after = (await api.movie("dune")).json
    assert (after["viewers"], after["watch_seconds"]) == (1, before["watch_seconds"] - 10)
    assert (await api.call("DELETE", "/v1/users/ann")).status == 404
    assert (await api.call("DELETE", "/v1/users/nobody")).status == 404


async def test_while_the_flusher_is_away_delete_is_said_to_be_incomplete(house: House) -> None:
    api = house.api
    await api.post(event(user="ann"))
    for erased in (True, False):
        answer = await api.call("DELETE", "/v1/users/ann")
        assert (answer.status, answer.json["complete"]) == (202, False)
        assert bool(answer.json["erased"]) == erased
        assert (await api.user("ann")).status == 404
    async with house.flushing():
        assert (await api.call("DELETE", "/v1/users/ann")).status == 404


async def test_a_query_that_ends_as_it_is_cancelled_keeps_nobody_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def swallow(_history: History, *_: object) -> None:
        with suppress(asyncio.CancelledError):  # it is answered in the same moment
            await asyncio.sleep(60)

    monkeypatch.setattr(History, "erasure", swallow)
    await house.api.post(event(user="ann"))
    async with asyncio.timeout(20):
        answer = await house.api.call("DELETE", "/v1/users/ann")
    assert (answer.status, answer.json["complete"]) == (202, False)


async def test_what_was_assigned_goes_along(house: House) -> None:
    """Also of somebody who never watched anything."""
    api = house.api
    await api.call("PUT", "/v1/courses/safety", b'{"title": "Safety", "lessons": []}')
    await api.call("PUT", "/v1/teams/sales", b'{"title": "Sales"}')
    await api.call("POST", "/v1/teams/sales/members", b'{"users": ["ann", "idle", "bob"]}')
    wishes = [{"course": "safety", "user": user} for user in ("ann", "idle", "bob")]
    await api.call("POST", "/v1/assignments", orjson.dumps(wishes))
    await api.post(event(user="ann"))
    async with house.flushing():
        for user, events in (("ann", 1), ("idle", 0)):
            answer = await api.call("DELETE", f"/v1/users/{user}")
            assert (answer.status, answer.json["complete"]) == (200, True)
            assert answer.json["erased"]["events"] == events
            assert (await api.get(f"/v1/assignments/safety/{user}")).status == 404
            assert (await api.call("DELETE", f"/v1/users/{user}")).status == 404
    assert (await api.get("/v1/teams/sales/members")).json["items"] == ["bob"]


async def test_sessions_and_seeks_of_players_go_along(house: House) -> None:
    api = house.api
    await put_course(api, "safety")
    player = await start(api, "safety")
    await player.seek(0, 60)
    assert (await call(api, "get_skips", sessionId=player.session)).json["skips"] == 1
    async with house.flushing():
        assert (await api.call("DELETE", "/v1/users/ann")).json["complete"] is True
    assert (await call(api, "get_skips", sessionId=player.session)).status == 404
    late = await call(api, "report_progress", {"seeks": [seek(0, 60)]}, sessionId=player.session)
    assert late.status == 404


async def test_users_who_left_are_read_counted_and_erased_like_others(house: House) -> None:
    api = house.api
    for at in (10, 20, 30):
        await api.post(event(user="ann", at=at, session="s", seq=at, id=f"id {at}"))
    await api.post(event(user="ann", slug="heat"))
    before = [
        (await api.user("ann")).json,
        (await api.pair("ann", "dune")).json,
        (await api.movies("ann")).json,
    ]
    await house.evict()
    assert [
        (await api.user("ann")).json,
        (await api.pair("ann", "dune")).json,
        (await api.movies("ann")).json,
    ] == before
    assert (await api.post(event(user="ann", at=30, session="s", seq=30, id="id 30"))).json["duplicates"] == 1
    await house.evict()
    answer = await api.post(
        [
            event(user="ann", at=40, session="s", seq=40),
            event(user="bob"),
            event(user="ann", at=30, id="id 30"),
        ]
    )
    assert (answer.json["accepted"], answer.json["duplicates"]) == (2, 1)
    assert (await api.pair("ann", "dune")).json["watch_seconds"] == 40
    await house.evict()
    async with house.flushing():
        answer = await api.call("DELETE", "/v1/users/ann")
    assert (answer.status, answer.json["erased"]["raw_events"]) == (200, 5)
    assert (await api.user("ann")).status == 404
    assert (await api.movie("dune")).json["viewers"] == 1


async def test_a_crowd_that_returns_is_brought_in_together(house: House) -> None:
    api = house.api
    users = [f"user {number}" for number in range(300)]
    await api.post([event(user=user, at=10) for user in users])
    await house.evict()
    answers = await asyncio.gather(*(api.post(event(user=user, at=20, seq=1)) for user in users))
    assert {answer.json["state"]["watch_seconds"] for answer in answers} == {20}
    assert (await api.movie("dune")).json == {
        "slug": "dune",
        "watch_seconds": 6000,
        "effective_seconds": 6000,
        "unique_seconds": 6000,
        "viewers": 300,
        "events": 600,
    }
