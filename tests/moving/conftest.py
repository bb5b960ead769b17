"""Courses with live counters, and the application over a database for all tests of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from service.moving.old_api import OldApi
from tests.api.conftest import valkey
from tests.courses.conftest import api, cinema, emptied_redis_url, name
from tests.courses.school import put
from tests.moving.old_process import OldProcess, old_process
from tests.moving.sides import Both
from tests.moving.town import Town

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.courses.cinema import Cinema

__all__ = ["api", "cinema", "emptied_redis_url", "name", "valkey"]


@pytest.fixture(scope="session")
async def shared_old(postgres_url: str) -> AsyncIterator[OldProcess]:
    """It takes a second to start."""
    async with old_process(postgres_url) as made:
        yield made


@pytest.fixture
async def old(shared_old: OldProcess) -> OldProcess:
    """Runs, and is empty."""
    await shared_old.empty()
    return shared_old


@pytest.fixture
async def both(cinema: Cinema, old: OldProcess) -> AsyncIterator[Both]:
    old_api = OldApi(old.url, 5)
    made = Both(cinema, old, old_api)
    await made.fill()
    yield made
    await old_api.close()


@pytest.fixture
async def town(cinema: Cinema, redis_url: str, database_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    await put(cinema.courses)
    connection = await asyncpg.connect(database_url)
    yield Town(cinema, redis_url, database_url, tmp_path, connection)
    await connection.close()
