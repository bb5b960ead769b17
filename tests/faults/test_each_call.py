"""Each call that a flusher makes fails once, and the books balance after every one of them."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import asyncpg
import pytest

from service.db.history import History
from service.db.ledger import Ledger
from service.errors import PlayheadError
from tests.faults.calls import Calls, breaking_redis, postgres_connection
from tests.integration.ledgers import book_of_postgres, expected_of, is_settled
from tests.integration.town import PARTITION, Town
from tests.lua.book import book_of_model, book_of_redis

if TYPE_CHECKING:
    from redis.asyncio import Redis

CALLS_MIN = 50
"""At least so many calls does it take: fewer, and the test would not see them."""


@pytest.mark.parametrize("takes_effect", [False, True], ids=["before", "after"])
async def test_every_call_may_fail_once(
    redis: Redis, redis_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch, takes_effect: bool
) -> None:
    """The n-th call fails, for n = 1, 2, ... until there is no n-th; each time a new flusher puts things right.

    What it does takes every kind of call: leases, recovery of a Redis that went back while new events wait in it, and
    then the flush of those, with rows, snapshots and trim.
    """
    calls = Calls(takes_effect)
    plain = await asyncpg.connect(database_url)
    create_pool = partial(asyncpg.create_pool, connection_class=postgres_connection(calls))
    monkeypatch.setattr(asyncpg, "create_pool", create_pool)
    ledger, history = await Ledger.connect(database_url), await History.connect(database_url)
    await ledger.checkpoints([PARTITION])
    town = Town(breaking_redis(redis_url, calls), ledger, history)
    await town.flush()
    place, is_broken = 0, True
    while is_broken:
        place += 1
        earlier = await town.remember()
        await town.send(5)
        await town.flush()
        await town.go_back(earlier)
        await town.send(5, user=f"late {place % 3}")
        town.restart()
        calls.arm(place)
        with suppress(PlayheadError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await town.flush()
        is_broken = calls.made >= place
        calls.arm(0)
        town.restart()
        await town.flush()
        await assert_balanced(town, plain)
    assert place > CALLS_MIN
    await town.redis.aclose()
    await history.close()
    await ledger.close()
    await plain.close()


async def assert_balanced(town: Town, connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Redis and Postgres are what the model says, each event once, and nothing waits."""
    cuts = sum(pair.scope for pair in town.model.pairs.values())
    accepted = sum(user.totals.events for user in town.model.users.values()) + cuts
    assert await book_of_redis(town.redis, PARTITION, town.model, 0) == book_of_model(town.model, 0)
    assert await book_of_postgres(connection) == expected_of(town.model)
    assert await connection.fetchval("SELECT count(*) FROM events") == accepted
    assert await is_settled(town.redis, connection, 1)
    stands = (await town.ledger.checkpoints([PARTITION]))[PARTITION]
    assert (stands.appended, stands.snapshot) == (accepted, stands.entry)
