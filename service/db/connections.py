"""Opening asyncpg connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import asyncpg

from service.db.failures import reaching

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

_CONNECTIONS_MAX: Final = 3
"""One for the flush, one for what happens beside it, one that says meanwhile that the flusher lives."""

_CONNECT_SECONDS: Final = 10

COMMAND_SECONDS: Final = 10
"""A statement takes milliseconds; one that waits for so long waits for something that is broken.

What took too long is cancelled, and for the answer to that asyncpg waits as long again, before it cuts the connection:
one that fell silent is given back to its pool within twice this, so that waiting for one needs no bound of its own.
"""

BATCH_SECONDS: Final = 30
"""The same for a thousand snapshots or all the rows of a flush, which take less than a second on an idle machine.

A flush waits for a Postgres that fell silent this long, and COMMAND_SECONDS for the end of it.
"""

SEARCH_SECONDS: Final = 60
"""The same for what reads or deletes through a part of the raw events, however many those are."""

_STATEMENTS_MAX: Final = 1000
"""More than there are: none is ever closed, since for the answer to that asyncpg waits without any bound."""

_POSTGRES_EPOCH_US: Final = 946_684_800_000_000
"""2000-01-01, from which Postgres counts."""


async def open_pool(
    database_url: str, command_timeout_seconds: float, name: str = "playhead", *, is_lazy: bool = False
) -> asyncpg.Pool[asyncpg.Record]:
    """Connections on which times are whole microseconds since 1970, in and out; Postgres shows them under `name`.

    Raises CannotStart when there is none to be had now; a lazy pool is not tried.
    """
    # None is kept for its own sake: while Postgres is away, asyncpg would try in vain behind our back, and log it.
    pool = asyncpg.create_pool(
        database_url,
        min_size=0,
        max_size=_CONNECTIONS_MAX,
        timeout=_CONNECT_SECONDS,
        command_timeout=command_timeout_seconds,
        statement_cache_size=_STATEMENTS_MAX,
        max_cached_statement_lifetime=0,  # for as long as its connection
        init=_count_time,
        server_settings={"application_name": name},
    )
    with reaching():
        await pool
        if is_lazy:
            return pool
        async with pool.acquire():
            return pool


async def _count_time(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Spares making a datetime for each time of each row: 1.4 us a row."""
    await connection.set_type_codec(
        "timestamptz",
        schema="pg_catalog",
        format="tuple",
        encoder=lambda time_us: (time_us - _POSTGRES_EPOCH_US,),
        decoder=lambda stored: stored[0] + _POSTGRES_EPOCH_US,
    )
