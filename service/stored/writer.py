"""The writer of a process that counts, with what brings users in before their events, and the task that it runs in."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from service.counters.constants import bounds_of, constants_of
from service.counters.writer import Writer
from service.stored.admission import Admission

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from service.db.history import History
    from service.settings import Settings


@asynccontextmanager
async def open_writer(
    settings: Settings, redis: Redis, history: History
) -> AsyncIterator[tuple[Writer, Admission]]:
    """At the end all that it took is answered; `redis` and `history` stay open."""
    constants = constants_of(settings)
    admission = Admission(redis, history, constants, timeout_seconds=settings.redis_timeout_seconds)
    writer = Writer(redis, settings.partitions, constants, bounds_of(settings), admission.admit)
    applying = asyncio.create_task(writer.run(), name="writer")
    try:
        yield writer, admission
    finally:
        writer.close()
        await applying
        await admission.close()
