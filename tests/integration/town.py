"""A partition with its flusher, a stream of events of every kind, and the model of all that was acknowledged."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from service.clock import now_us
from service.counters import keys
from service.events.event import KINDS, Event
from service.rules.constants import Constants
from service.rules.model import Model
from tests.lua.book import apply, book_of_model, book_of_redis
from workers.flusher import Flusher
from workers.leases import Leases
from workers.recovery import Recovery

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from service.db.history import History
    from service.db.ledger import Ledger

CONSTANTS = Constants()
# Recent, since ids are remembered by the wall clock.
START_US = now_us() - 3_600_000_000
PARTITION = 0


class Town:
    """A partition with a flusher, and the model of all that was acknowledged."""

    def __init__(self, redis: Redis, ledger: Ledger, history: History) -> None:
        self.redis, self.ledger, self.history = redis, ledger, history
        self.model = Model(CONSTANTS)
        self._random = random.Random(7)
        self._sent = 0
        self.restart()

    def restart(self) -> None:
        recovery = Recovery(self.redis, self.ledger, self.history, CONSTANTS)
        leases = Leases(self.ledger.leasing, "flusher", [PARTITION])
        self.flusher = Flusher(
            self.redis, self.ledger, recovery, leases, events_max=1000, snapshot_interval_seconds=0
        )

    async def flush(self) -> None:
        """Until nothing is left; also looks around, as an idle flusher does now and then."""
        self.flusher._looked_at = -1e9
        self.flusher._leases.look_again()
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

    async def remember(self) -> dict[Any, Any]:
        """All of Redis as it is now."""
        names = await self.redis.keys("*")
        pipeline = self.redis.pipeline(transaction=False)
        for name in names:
            pipeline.dump(name)
        return dict(zip(names, await pipeline.execute(), strict=True))

    async def go_back(self, remembered: dict[Any, Any]) -> None:
        """As after a failover to a replica that had seen no more than this."""
        pipeline = self.redis.pipeline()
        pipeline.flushall()
        for name, dumped in remembered.items():
            pipeline.restore(name, 0, dumped)
        await pipeline.execute()
