"""The real application, served in this process on a port of its own."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import pytest
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from redis.asyncio import Redis

from service.api.app import create_runner
from service.embedded import DataFolder
from service.settings import Settings
from tests.api.client import Api
from tests.api.valkey import OwnValkey
from tests.opening import open_partitions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


NO_POSTGRES = "postgresql://127.0.0.1:1/none"
"""Nobody listens there: where nobody has left Redis, Postgres is not asked."""


class Serve(Protocol):
    async def __call__(self, settings: Settings | None = None, url: str | None = None) -> Api: ...


@asynccontextmanager
async def serving(settings: Settings, redis_url: str, database_url: str = NO_POSTGRES) -> AsyncIterator[Api]:
    async with Redis.from_url(redis_url) as redis:
        await open_partitions(redis, *range(settings.partitions))
    runner = create_runner(settings, redis_url, database_url)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        connector = TCPConnector(limit=0)
        async with ClientSession(
            connector=connector, timeout=ClientTimeout(total=60), cookie_jar=DummyCookieJar()
        ) as session:
            yield Api(session, runner.addresses[0][1])
    finally:
        await runner.cleanup()


@pytest.fixture
async def serve(redis: Redis, redis_url: str) -> AsyncIterator[Serve]:
    """Serves the application on an emptied Redis, as often as it is called, until the test ends."""
    async with AsyncExitStack() as stack:

        async def start(settings: Settings | None = None, url: str | None = None) -> Api:
            return await stack.enter_async_context(
                serving(settings or Settings(shutdown_seconds=1), url or redis_url)
            )

        yield start


@pytest.fixture
async def api(serve: Serve) -> Api:
    """The application with its default settings."""
    return await serve()


@pytest.fixture
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnValkey]:
    """A Valkey that this test alone uses, and may stop, freeze and kill."""
    with DataFolder(tmp_path_factory.mktemp("own") / "data") as folder:
        own = OwnValkey(folder)
        yield own
        own.end()
