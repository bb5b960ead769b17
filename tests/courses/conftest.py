"""Courses over a database of their own, and the application over one for all tests of a module."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import asyncpg
import pytest
from redis.asyncio import Redis

from service.courses.store import Courses
from service.settings import Settings
from tests.api.conftest import serving
from tests.courses.cinema import cinema_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.client import Api
    from tests.courses.cinema import Cinema


TABLES = (
    "attempt_scopes",
    "viewings",
    "viewing_speeds",
    "viewing_flags",
    "playing_hours",
    "followed",
    "late_entries",
    "seeks",
    "watch_sessions",
    "credit_shares",
    "credits",
    "attempt_speeds",
    "attempt_lessons",
    "attempts",
    "assignments",
    "team_members",
    "teams",
    "lesson_revisions",
    "lessons",
    "courses",
)
"""Each before those that it refers to."""


@pytest.fixture
async def courses(module_database_url: str) -> AsyncIterator[Courses]:
    """Emptied after each test, which is quicker than a database of its own."""
    made = await Courses.connect(module_database_url)
    yield made
    await made.close()
    connection = await asyncpg.connect(module_database_url)
    await connection.execute(";".join(f"DELETE FROM {table}" for table in TABLES))
    await connection.close()


@pytest.fixture(scope="module")
async def emptied_redis_url(redis_url: str) -> str:
    """What the tests before left may be of another number of partitions."""
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
    return redis_url


@pytest.fixture(scope="module")
async def api(emptied_redis_url: str, module_database_url: str) -> AsyncIterator[Api]:
    """Serving takes a quarter of a second to end, so tests share it, and keep apart by names."""
    async with serving(Settings(shutdown_seconds=1), emptied_redis_url, module_database_url) as made:
        yield made


@pytest.fixture
def name() -> str:
    """Of this test alone, and awkward enough."""
    return f"à/b %2F 🎬 {uuid.uuid4().hex[:8]}"


@pytest.fixture
async def cinema(redis: Redis, database_url: str) -> AsyncIterator[Cinema]:
    async with cinema_on(redis, database_url) as made:
        yield made
