"""What the fixtures promise to every other test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

if TYPE_CHECKING:
    from redis.asyncio import Redis


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_gets_an_empty_redis(redis: Redis, turn: int) -> None:
    assert await redis.dbsize() == 0
    assert await redis.set("left behind", turn)


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_gets_a_migrated_database_of_its_own(database_url: str, turn: int) -> None:
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT count(*) FROM alembic_version") == 1
    await connection.execute(f"CREATE TABLE left_behind AS SELECT {turn} AS turn")
    await connection.close()
