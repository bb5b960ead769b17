"""Which revision of the schema a database has, and which is the newest, without loading Alembic: that takes long."""

from __future__ import annotations

import re
from importlib import resources
from typing import Final

import asyncpg

from service.db.failures import reaching

_FILE: Final = re.compile(r"(\d{4})_\w+\.py")
_CONNECT_SECONDS: Final = 10.0


async def current(database_url: str) -> str | None:
    """The revision that the database has; None if it has none. Raises CannotStart."""
    with reaching():
        connection = await asyncpg.connect(database_url, timeout=_CONNECT_SECONDS)
    try:
        return await _revision(connection)
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await connection.close()


async def _revision(connection: asyncpg.Connection[asyncpg.Record]) -> str | None:
    revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return revision


def head() -> str:
    """The newest revision that this playhead knows: its files are numbered."""
    versions = resources.files("service.db.migrations.versions")
    return max(found[1] for file in versions.iterdir() if (found := _FILE.fullmatch(file.name)))
