"""Brings a database's schema to a revision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import text

from service.db import locks
from service.db.days import named_day
from service.db.engine import engine
from service.db.tables import metadata
from service.errors import CannotStart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection


def _is_schema(name: str | None, kind: str, _parents: Mapping[str, str | None]) -> bool:
    """Day partitions come and go with the days: they are data, not schema."""
    return kind != "table" or name is None or named_day(name) is None


COMPARED: Final[dict[str, Any]] = {
    "target_metadata": metadata,
    "include_name": _is_schema,
    "compare_type": True,
    "compare_server_default": True,
}
"""What Alembic looks at when it compares a database with `service.db.tables`; primary keys never."""


async def upgrade(database_url: str, revision: str = "head") -> None:
    """Whoever comes while another process upgrades waits, and then finds it done."""
    await _change(database_url, command.upgrade, revision)


async def downgrade(database_url: str, revision: str) -> None:
    """Down to "base", everything is gone."""
    await _change(database_url, command.downgrade, revision)


async def _change(database_url: str, change: Callable[[Config, str], None], revision: str) -> None:
    """All in one transaction, the lock included: a failure leaves the schema as it was."""

    def apply(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        change(config, revision)

    try:
        await _change_at_once(database_url, apply)
    except CommandError as refused:
        raise CannotStart(f"the database's schema cannot be changed: {refused}") from refused


async def _change_at_once(database_url: str, apply: Callable[[Connection], None]) -> None:
    async with engine(database_url).begin() as connection:
        await connection.execute(text(locks.TAKE.format(*locks.MIGRATE)))
        await connection.run_sync(apply)


def _config() -> Config:
    """Alembic's configuration of the revisions in this package, wherever it is installed."""
    config = Config()
    config.set_main_option("script_location", "service.db:migrations")
    return config
