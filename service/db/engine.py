"""SQLAlchemy's way to the database that a URL names."""

from __future__ import annotations

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from service.db.failures import reaching

CONNECT_SECONDS = 10


def engine(database_url: str) -> AsyncEngine:
    """An engine that keeps no connection open. Connecting raises CannotStart, with one sentence.

    asyncpg itself reads `database_url`: all it knows (`postgres://`, `?host=/folder` of a unix socket,
    `?sslmode=`, several hosts, a password file) means the same here as in the ledger. SQLAlchemy's own
    reading of URLs hands such parameters on under names that asyncpg does not take.
    """

    async def connect(*_arguments: object, **_options: object) -> asyncpg.Connection:
        with reaching():
            return await asyncpg.connect(database_url, timeout=CONNECT_SECONDS)

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
