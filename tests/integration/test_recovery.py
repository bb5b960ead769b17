"""A Redis that was emptied, or went back in time, is brought level with Postgres, and nothing is counted twice."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from service.clock import now_us
from service.counters import keys
from service.db.history import History
from service.db.ledger import Ledger
from service.errors import NotRecovered
from service.events.event import KINDS, Event
from service.rules.constants import Constants
from service.rules.model import Model
from tests.lua.book import apply, book_of_model, book_of_redis
from workers.flusher import Flusher
from workers.recovery import Recovery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

CONSTANTS = Constants()
# Recent, since ids are remembered by the wall clock.
START_US = now_us() - 3_600_000_000
PARTITION = 0


class Town:
    """A partition with a flusher, and the model of all that was acknowledged."""

    def __init__(self, redis: Redis, ledger: Ledger, history: History) -> None:
        self.redis, self._ledger, self._history = redis, ledger, history
        self.model = Model(CONSTANTS)
        self._random = random.Random(7)
        self._sent = 0
        self.restart()

    def restart(self) -> None:
        recovery = Recovery(self.redis, self._history, CONSTANTS)
        self.flusher = Flusher(
            self.redis, self._ledger, recovery, [PARTITION], events_max=1000, snapshot_interval_seconds=0
        )

    async def flush(self) -> None:
        """Until nothing is left; also looks around, as an idle flusher does now and then."""
        self.flusher._looked_at = -1e9
        await self.flusher.step()
        await self.flusher.finish()

    async def send(self, count: int, user: str | None = None) -> None:
        events = [self._event(user) for _ in range(count)]
        outcomes = await apply(self.redis, PARTITION, events, CONSTANTS, token=str(self._sent))
        for event, outcome in zip(events, outcomes, strict=True):
            assert self.model.apply(event).duplicate == (outcome == "D")

    def _event(self, user: str | None) -> Event:
        self._sent += 1
        pick = self._random
        kind = pick.choice(KINDS)
        at_ms = pick.randrange(0, 4_000_000)
        received_us = START_US + self._sent * 1_000_000
        return Event(
            user or f"user {pick.randrange(20)}",
            f"movie {pick.randrange(4)}",
            kind,
            at_ms,
            received_us - pick.choice((0, 0, 5_000_000)),
            received_us,
            timed=True,
            session=pick.choice(("", "s", "t")),
            seq=pick.choice((None, self._sent, self._sent // 2)),
            id=pick.choice((None, f"id {pick.randrange(50)}")),
            from_ms=pick.randrange(0, 4_000_000) if kind in ("seek", "segment") else None,
            speed=pick.choice((1000, 1500)) if kind == "rate" else None,
            segments=((0, at_ms),) if kind == "claim" else (),
        )

    async def check(self) -> None:
        """Redis holds what the model says, and a flush leaves nothing waiting."""
        assert await book_of_redis(self.redis, PARTITION, self.model, 0) == book_of_model(self.model, 0)
        await self.flush()
        log = await self.redis.hgetall(keys.log(PARTITION))
        assert log[b"appended"] == log[b"persisted"]
        accepted = sum(user.totals.events for user in self.model.users.values())
        assert int(log[b"appended"]) == accepted

    async def remember(self) -> dict[bytes, bytes]:
        """All of Redis as it is now."""
        return {name: await self.redis.dump(name) for name in await self.redis.keys("*")}

    async def go_back(self, remembered: dict[bytes, bytes]) -> None:
        """As after a failover to a replica that had seen no more than this."""
        await self.redis.flushall()
        for name, dumped in remembered.items():
            await self.redis.restore(name, 0, dumped)


@pytest.fixture
async def town(redis: Redis, database_url: str) -> AsyncIterator[Town]:
    ledger, history = await Ledger.connect(database_url), await History.connect(database_url)
    town = Town(redis, ledger, history)
    await town.flush()
    yield town
    await history.close()
    await ledger.close()


async def test_events_are_refused_until_a_partition_is_known_to_be_level(redis: Redis) -> None:
    event = Event("ann", "dune", "play", 0, START_US, START_US)
    with pytest.raises(NotRecovered):
        await apply(redis, PARTITION, [event], CONSTANTS)
    assert await redis.keys("*") == []


async def test_an_emptied_redis_is_rebuilt(town: Town) -> None:
    await town.send(300)
    await town.flush()
    await town.redis.flushall()
    await town.flush()
    await town.check()
    await town.send(100)
    await town.check()


async def test_an_emptied_redis_is_rebuilt_from_raw_events_after_old_snapshots(town: Town) -> None:
    await town.send(100)
    await town.flush()
    town.flusher._snapshot_interval_seconds = 1e9
    await town.send(200)
    while await town.flusher.step():
        pass
    await town.redis.flushall()
    town.restart()
    await town.flush()
    await town.check()


async def test_a_redis_that_went_back_is_brought_level(town: Town) -> None:
    await town.send(200)
    await town.flush()
    remembered = await town.remember()
    await town.send(50)
    await town.flush()
    await town.go_back(remembered)
    await town.flush()
    await town.check()


async def test_what_was_accepted_after_it_went_back_counts_too(town: Town) -> None:
    await town.send(200)
    await town.flush()
    remembered = await town.remember()
    await town.send(50)
    await town.flush()
    await town.go_back(remembered)
    await town.send(30, user="somebody new")
    await town.flush()
    await town.check()


async def test_a_redis_that_forgot_entries_nobody_has_is_taken_as_it_is(town: Town) -> None:
    """What neither Redis nor Postgres has is lost; the rest still counts and goes on."""
    await town.send(50)
    await town.flush()
    before = await town.remember()
    kept = town.model
    town.model = Model(CONSTANTS)
    await town.send(20, user="lost")
    await town.go_back(before)
    town.model = kept
    await town.send(20, user="later")
    await town.flush()
    await town.check()


async def test_an_interrupted_recovery_is_begun_again(town: Town) -> None:
    await town.send(300)
    await town.flush()
    await town.redis.flushall()
    town.restart()
    recovery = town.flusher._recovery
    original, calls = recovery._put, 0

    async def put_once(*args: object) -> int:
        nonlocal calls
        calls += 1
        await original(*args)  # type: ignore[arg-type]
        raise ConnectionError("killed")

    recovery._put = put_once  # type: ignore[method-assign,assignment]
    with pytest.raises(ConnectionError):
        await town.flusher.step()
    assert calls == 1
    with pytest.raises(NotRecovered):
        await town.send(1)
    town.restart()
    await town.flush()
    await town.check()


async def test_a_superseded_recovery_changes_nothing(town: Town) -> None:
    await town.send(50)
    await town.flush()
    await town.redis.hset(keys.log(PARTITION), "recovering", "another one's")
    recovery = town.flusher._recovery
    with pytest.raises(Exception, match="another recovery"):
        await recovery._resume(PARTITION, "mine", (await town.flusher._ledger.checkpoints([PARTITION]))[PARTITION], [])
    await town.redis.hdel(keys.log(PARTITION), "recovering")
    await town.check()
