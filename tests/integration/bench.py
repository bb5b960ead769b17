"""A writer, the model of what was written, and a flusher between Redis and a database."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg

from service.counters import scripts
from service.counters.calls import Bounds
from service.counters.writer import Writer
from service.db.history import History
from service.db.ledger import Ledger
from service.events.event import CUT, KINDS, Event
from service.rules.constants import Constants
from service.rules.model import Model
from service.stored.admission import Admission
from tests.integration.ledgers import book_of_postgres, expected_of, is_settled
from tests.integration.waiting import until
from tests.opening import open_partitions
from workers.flusher import Flusher
from workers.leases import Leases
from workers.recovery import Recovery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from redis.asyncio import Redis

PARTITIONS = 4
BOUNDS = Bounds(queue_events_max=1_000_000, backlog_events_max=10_000_000, timeout_seconds=30)
NOW_US = 1_790_000_000_000_000
NAMES = ("ann", "Zoë 🎬", "日本語", "a:b", "{p9}", "'; DROP TABLE users; --", "tab\tnew\nline", "\\N")
SLUGS = ("dune", "b:c", "a/b {x}", "👩‍👩‍👧‍👦", '"quoted" \\.', " ")


@dataclass
class Bench:
    """A writer, the model of what was written, and a flusher between Redis and a database of its own."""

    redis: Redis
    writer: Writer
    model: Model
    ledger: Ledger
    history: History
    flusher: Flusher
    connection: Any
    accepted: int = 0

    async def send(self, events: Sequence[Event]) -> int:
        """Gives how many were duplicates; the model hears of them in the same order."""
        duplicates, failures = await self.writer.apply(events)
        assert failures == {}
        outcomes = [self.model.apply(event) for event in events]
        assert duplicates == sum(outcome.duplicate for outcome in outcomes)
        self.accepted += len(events) - duplicates
        return duplicates

    async def settle(self, *flushers: Flusher) -> None:
        """Step until nothing is on its way; failures of a step are part of some tests, and are tried again."""
        stepping = flushers or (self.flusher,)

        async def settled() -> bool:
            try:
                for flusher in stepping:
                    await flusher.step()
            except (InjectedError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                return False
            return await is_settled(self.redis, self.connection, PARTITIONS)

        await until(settled, "everything in Postgres", pause_seconds=0)

    async def assert_balanced(self) -> None:
        """Each accepted event is exactly one row, and every snapshot is what the model says."""
        assert await self.rows() == self.accepted
        assert await book_of_postgres(self.connection) == expected_of(self.model)

    async def rows(self) -> int:
        return int(await self.connection.fetchval("SELECT count(*) FROM events"))

    def another(self, ledger: Ledger | None = None, **changes: Any) -> Flusher:
        """A flusher that knows nothing of the first one, as after a restart; under another `name`, beside it."""
        return flusher_of(self.redis, ledger or self.ledger, self.history, **changes)


def flusher_of(redis: Redis, ledger: Ledger, history: History, **changes: Any) -> Flusher:
    settings = {"events_max": 20_000, "snapshot_interval_seconds": 0.0} | changes
    leases = Leases(ledger.leasing, settings.pop("name", "flusher"), range(PARTITIONS))
    return Flusher(redis, ledger, Recovery(redis, ledger, history, Constants()), leases, **settings)


@asynccontextmanager
async def bench_on(redis: Redis, database_url: str) -> AsyncIterator[Bench]:
    await scripts.load(redis)
    ledger, history = await Ledger.connect(database_url), await History.connect(database_url)
    admission = Admission(redis, history, Constants(), timeout_seconds=5)
    writer = Writer(redis, PARTITIONS, Constants(), BOUNDS, admission.admit)
    applying = asyncio.create_task(writer.run())
    connection = await asyncpg.connect(database_url)
    await ledger.checkpoints(range(PARTITIONS))
    await open_partitions(redis, *range(PARTITIONS))
    made = Bench(redis, writer, Model(), ledger, history, flusher_of(redis, ledger, history), connection)
    yield made
    writer.close()
    await applying
    await made.connection.close(timeout=5)
    await history.close()
    await ledger.close()


def heartbeat(number: int, user: str = "ann", **changes: Any) -> Event:
    event = Event(user, "dune", "heartbeat", number * 1000, NOW_US, NOW_US, id=f"{user} {number}")
    return event._replace(**changes)


def varied(seed: int, count: int) -> list[Event]:
    """Every kind with every field, cuts, awkward names, and a tenth of the ids used twice."""
    chance, events = random.Random(seed), []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        position_ms, time_us = chance.randrange(7_200_000), NOW_US + number * 1_000_000
        spans = ((position_ms, position_ms + 9_500), (0, 1)) if number % 20 < 18 else ()
        events.append(
            Event(
                chance.choice(NAMES),
                chance.choice(SLUGS),
                kind,
                position_ms,
                time_us - chance.choice((0, 0, 5_000_000)),
                time_us,
                timed=chance.random() < 0.5,
                session=chance.choice(("", "s", "Sitzung №2")),
                seq=chance.choice((None, number)),
                id=chance.choice((None, f"{seed} {number} é", f"{seed} {number // 10}")),
                from_ms=max(0, position_ms - 300_000) if kind in ("segment", "seek") else None,
                speed=chance.choice((500, 16_000)) if kind == "rate" else chance.choice((None, 1250)),
                segments=spans if kind == "claim" else (),
                duration_ms=chance.choice((None, 7_200_000)),
            )
        )
        if number % 7 == 0:
            pair = chance.choice(events)
            events.append(Event(pair.user, pair.slug, CUT, 0, time_us, time_us))
    return events


class InjectedError(Exception):
    """What a test makes fail."""
