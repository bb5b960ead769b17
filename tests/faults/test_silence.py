"""A Postgres that falls silent, and nobody is told: what waits for its answer waits for a known time."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from service.db import ledger as ledgers
from service.db.ledger import Ledger
from service.db.records import Flush, Snapshots, UserSnapshot
from tests.faults.surroundings import postgres_proxy
from tests.integration.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.faults.proxy import Proxy

COMMAND_SECONDS, BATCH_SECONDS = 0.3, 2.0
SLACK_SECONDS = 1.0


class Distant(NamedTuple):
    """A ledger that reaches Postgres through a proxy."""

    ledger: Ledger
    proxy: Proxy


@pytest_asyncio.fixture
async def distant(database_url: str) -> AsyncIterator[Distant]:
    async with postgres_proxy(database_url) as proxy:
        parts = urlsplit(database_url)
        user = parts.netloc.rpartition("@")[0] or "playhead"
        there = f"postgresql://{user}@127.0.0.1:{proxy.port}{parts.path}"
        ledger = await Ledger.connect(there, command_timeout_seconds=COMMAND_SECONDS)
        yield Distant(ledger, proxy)
        proxy.resume()
        await ledger.close()


@asynccontextmanager
async def refused_within(seconds: float) -> AsyncIterator[None]:
    began = time.monotonic()
    with pytest.raises((TimeoutError, asyncpg.InterfaceError)):
        yield
    assert time.monotonic() - began < seconds + SLACK_SECONDS


async def test_a_flush_is_given_up_after_its_longest_statement_and_a_small_one(
    distant: Distant, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The small one is the wait for the end of the long one. Then the same flush is stored as if nothing had been."""
    monkeypatch.setattr(ledgers, "BATCH_SECONDS", BATCH_SECONDS)
    flush = Flush((), (), Snapshots([UserSnapshot("ann", 3, 0, 0, 0, 0, 0, 5, 0)]))
    other = await asyncpg.connect(database_url)
    async with other.transaction():
        await other.execute("LOCK TABLE users")
        async with refused_within(BATCH_SECONDS + COMMAND_SECONDS):
            committing = asyncio.create_task(distant.ledger.commit(flush))
            await until(partial(somebody_waits, other), "the flush waits for the table")
            distant.proxy.swallow()
            await committing
    distant.proxy.resume()
    await distant.ledger.commit(flush)
    assert await other.fetchval("SELECT count(*) FROM users") == 1
    await other.close()


async def somebody_waits(connection: Any) -> bool:
    waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'users'::regclass AND NOT granted)"
    return bool(await connection.fetchval(waits))


async def test_a_small_statement_waits_twice_as_long_as_it_may_take(distant: Distant) -> None:
    distant.proxy.swallow()
    async with refused_within(2 * COMMAND_SECONDS):
        await distant.ledger.leasing.announce("ann", 4.0)


async def test_no_statement_is_ever_closed(distant: Distant) -> None:
    """For the answer to that asyncpg waits without any bound."""
    async with distant.ledger._pool.acquire() as connection:
        for number in range(200):
            await connection.fetchval(f"SELECT {number}")
        assert await connection.fetchval("SELECT count(*) FROM pg_prepared_statements") >= 200
        assert connection._config.max_cached_statement_lifetime == 0  # type: ignore[attr-defined]
