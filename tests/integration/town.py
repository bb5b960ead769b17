"""A partition with its flusher, a stream of events of every kind, and the model of all that was acknowledged."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from service.clock import now_us
from service.counters import keys
from service.counters.erasing import Erased, erase
from service.events.event import CUT, KINDS, Event
from service.rules.constants import Constants
from service.rules.model import Model
from service.stored.admission import Admission
from tests.lua.book import apply, book_of_model, book_of_redis
from workers.eviction import evict, find_idle
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
        self.admission = Admission(redis, history, CONSTANTS, timeout_seconds=5)
        self.accepted = 0
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
        await self.tell([self._event(user) for _ in range(count)])

    async def tell(self, events: list[Event]) -> None:
        """As `send`, of these events; each is a duplicate if the model says so."""
        while events:
            outcomes = await apply(self.redis, PARTITION, events, CONSTANTS, token=str(self._sent))
            absent = []
            for event, outcome in zip(events, outcomes, strict=True):
                if outcome == "A":
                    absent.append(event)
                    continue
                assert self.model.apply(event).duplicate == (outcome == "D")
                self.accepted += outcome != "D"
            if absent:
                await self.admission.admit(PARTITION, {event.user for event in absent})
            events = absent

    async def send_unsnapshotted(self, count: int) -> None:
        """As `send`, and Postgres gets the rows, but no snapshots."""
        self.flusher._snapshot_interval_seconds = 1e9
        await self.send(count)
        while await self.flusher.step():
            pass

    async def evict(self, idle_seconds: float = 0.0) -> int:
        """Let everybody leave who may; gives how many did."""
        gone, cursor = 0, "0"
        since_us = now_us() - int(idle_seconds * 1_000_000)
        snapshotted = self.flusher.snapshotted[PARTITION]
        while True:
            found = await find_idle(self.redis, PARTITION, cursor, since_us, snapshotted)
            gone += await evict(self.redis, PARTITION, found.users, since_us, snapshotted)
            cursor = found.cursor
            if cursor == "0":
                return gone

    async def erase(self, user: str) -> Erased:
        erased = await erase(self.redis, PARTITION, user)
        self.model.erase(user)
        self.accepted += 1
        return erased

    def _event(self, user: str | None) -> Event:
        self._sent += 1
        pick = self._random
        kind = pick.choice((*KINDS, CUT))
        if kind == CUT:
            return self._cut(user)
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

    def _cut(self, user: str | None) -> Event:
        user = user or f"user {self._random.randrange(20)}"
        now_us = START_US + self._sent * 1_000_000
        return Event(user, f"movie {self._random.randrange(4)}", CUT, 0, now_us, now_us)

    async def check(self) -> None:
        """Redis holds what the model says, once everybody is back, and a flush leaves nothing waiting."""
        await self.admission.admit(PARTITION, self.model.users)
        assert await book_of_redis(self.redis, PARTITION, self.model, 0) == book_of_model(self.model, 0)
        await self.flush()
        log = await self.redis.hgetall(keys.log(PARTITION))
        assert log[b"appended"] == log[b"persisted"]
        assert int(log[b"appended"]) == self.accepted

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
