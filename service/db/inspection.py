"""What Postgres knows of a user, a movie or a pair, for a person who looks: columns by name.

Takes a plain asyncpg connection, on which times are datetimes. None where nothing was ever written.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from service.db.digests import digest
from service.db.queries import query

if TYPE_CHECKING:
    import asyncpg

    from service.db.connections import Connection


async def user(connection: Connection, user_id: str) -> dict[str, Any] | None:
    return _plain(await connection.fetchrow(query("inspect_user"), user_id))


async def movie(connection: Connection, slug: str) -> dict[str, Any] | None:
    """Summed over the partitions' shares; `shares` counts them."""
    return _plain(await connection.fetchrow(query("inspect_movie"), slug))


async def pair(connection: Connection, user_id: str, slug: str) -> dict[str, Any] | None:
    """With `sessions`, a list, and `rows`, how many raw events are kept.

    A pair whose rows are committed but which has no snapshot yet has only those two.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        found = _plain(await connection.fetchrow(query("inspect_pair"), user_id, digest(slug)))
        sessions = await connection.fetch(query("inspect_sessions"), user_id, slug)
        rows = await connection.fetchval(query("count_rows"), user_id, slug)
    if found is None and not sessions and not rows:
        return None
    return {**(found or {}), "sessions": [_plain(session) for session in sessions], "rows": rows}


def _plain(record: asyncpg.Record | None) -> dict[str, Any] | None:
    """Sums of bigint come as Decimal, for they may exceed one."""
    if record is None:
        return None
    return {name: int(value) if isinstance(value, Decimal) else value for name, value in record.items()}
