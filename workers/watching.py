"""What a process of workers needs to look after attempts: the live counters, and cuts of them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from service.counters.constants import bounds_of, constants_of
from service.counters.writer import Writer
from service.courses.watching.watching import Watching
from service.stored.admission import Admission
from service.stored.scopes import Scopes

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
    constants = constants_of(configured)
    admission = Admission(redis, history, constants, timeout_seconds=configured.redis_timeout_seconds)
    writer = Writer(redis, configured.partitions, constants, bounds_of(configured), admission.admit)
    applying = asyncio.create_task(writer.run(), name="writer")
    try:
        scopes = Scopes(redis, configured.partitions, writer, history)
        yield Watching(courses.database, scopes, constants)
    finally:
        writer.close()
        await applying
        await admission.close()
