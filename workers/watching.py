"""What a process of workers needs to look after attempts: the live counters, and cuts of them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from service.counters.constants import constants_of
from service.courses.watching.watching import Watching
from service.stored.scopes import Scopes
from service.stored.writer import open_writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from service.courses.store import Courses
    from service.db.history import History
    from service.settings import Settings


@asynccontextmanager
async def watching_of(
    configured: Settings, redis: Redis, history: History, courses: Courses
) -> AsyncIterator[Watching]:
    async with open_writer(configured, redis, history) as (writer, _):
        scopes = Scopes(redis, configured.partitions, writer, history)
        yield Watching(courses.database, scopes, constants_of(configured))
