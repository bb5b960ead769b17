"""What Alembic runs for each of its commands.

`service.db.migrate` hands in an open connection. The `alembic` command has none: it is told the database by
`alembic -x database_url=postgresql://... revision --autogenerate -m "..."`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from alembic import context

import service.courses.credits.credit_tables
import service.courses.playing.session_tables
import service.courses.tables
import service.courses.watching.watching_tables
import service.moving.import_tables
import service.moving.moving_tables  # noqa: F401 - the tables of courses belong to the schema that is compared
from service.db.engine import engine
from service.db.migrate import COMPARED

if TYPE_CHECKING:
    from sqlalchemy import Connection


def _run(connection: Connection) -> None:
    context.configure(connection=connection, **COMPARED)
    with context.begin_transaction():
        context.run_migrations()


async def _connect_and_run(database_url: str) -> None:
    async with engine(database_url).connect() as connection:
        await connection.run_sync(_run)


_connection = context.config.attributes.get("connection")
if _connection is not None:
    _run(_connection)
else:
    asyncio.run(_connect_and_run(context.get_x_argument(as_dictionary=True)["database_url"]))
