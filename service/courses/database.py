"""Postgres as courses use it: connections, transactions, and what is said while it is away."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Self

from service.courses.queries import query
from service.db.connections import open_pool
from service.db.failures import BROKEN, asking, is_passing
from service.errors import PostgresUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

    from service.db.connections import Connection

_COMMAND_SECONDS: Final = 10
"""A call's statements take milliseconds; one that waits for so long waits for something that is broken."""

_CLOSE_SECONDS: Final = 5
"""How long a connection may take to say goodbye before it is cut."""

_WHAT: Final = "where courses are"


class Database:
    """Reconnects by itself. Every call raises PostgresUnavailable while Postgres does not answer.

    Then nobody knows whether a change was made; making it again is safe.
    """

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    @classmethod
    async def connect(cls, database_url: str) -> Self:
        """The first connection is made by the first call, so Postgres may be away now."""
        return cls(await open_pool(database_url, _COMMAND_SECONDS, "playhead courses", is_lazy=True))

    async def close(self) -> None:
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with self.connection() as connection, connection.transaction(isolation="read_committed"):
            yield connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """For one statement, which is a transaction of its own: that takes a third of the round trips."""
        with asking(_WHAT):
            connection = await self._pool.acquire(timeout=_COMMAND_SECONDS)
        try:
            yield connection
        except Exception as failed:
            if is_passing(failed):
                raise PostgresUnavailable(f"Postgres, {_WHAT}, does not answer: {failed}") from failed
            raise
        finally:
            # What was to be done is done or has failed; a connection that breaks only now is the pool's to throw away.
            with suppress(*BROKEN):
                await self._pool.release(connection)

    async def rows(self, name: str, *arguments: Any) -> list[asyncpg.Record]:
        """What the statement `name` gives."""
        async with self.connection() as connection:
            return await connection.fetch(query(name), *arguments)

    async def row(self, name: str, *arguments: Any) -> asyncpg.Record | None:
        """Its first row."""
        found = await self.rows(name, *arguments)
        return found[0] if found else None
