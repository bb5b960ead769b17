"""The migrated database is what `service.db.tables` says, and can be taken down and put up again."""

from __future__ import annotations

import asyncio
import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

import service.courses.credits.credit_tables
import service.courses.playing.session_tables
import service.courses.tables
import service.courses.watching.watching_tables
import service.moving.import_tables
import service.moving.moving_tables  # noqa: F401 - a part of the schema
from service.db import migrate, revision
from service.db.days import ensure_days
from service.db.engine import engine
from service.db.migrate import COMPARED
from service.db.queries import query
from service.db.records import (
    EVENT_COLUMNS,
    MovieShareSnapshot,
    PairSnapshot,
    ScopeSnapshot,
    SessionSnapshot,
    UserSnapshot,
)
from service.db.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection


def test_the_newest_revision_is_the_one_that_alembic_knows() -> None:
    scripts = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    assert revision.head() == scripts.get_current_head()


async def test_a_migrated_database_is_what_the_tables_say(database_url: str) -> None:
    assert await differences(database_url) == []


async def test_day_partitions_are_no_difference(database_url: str) -> None:
    await execute(database_url, "SELECT 1")
    connection = await asyncpg.connect(database_url)
    await ensure_days(connection, date(2026, 1, 30), date(2026, 2, 2))
    await connection.close()
    assert await differences(database_url) == []


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE users ALTER watch_ms TYPE int",
        "ALTER TABLE events ALTER segments TYPE bigint[]",
        "ALTER TABLE pairs ALTER latest_ms SET NOT NULL",
        "ALTER TABLE pairs ALTER coverage DROP NOT NULL",
        "ALTER TABLE users ALTER updated_at DROP DEFAULT",
        "ALTER TABLE users DROP COLUMN movies",
        "ALTER TABLE users ADD COLUMN nickname text",
        "DROP INDEX ix_events_user_id",
        "CREATE INDEX ix_pairs_slug ON pairs (slug)",
        "ALTER TABLE users DROP CONSTRAINT pk_users",
        "ALTER TABLE movie_shares DROP CONSTRAINT pk_movie_shares, "
        "ADD CONSTRAINT pk_movie_shares PRIMARY KEY (partition, slug)",
        "DROP TABLE fixed_settings",
        "CREATE TABLE strangers (name text)",
        "COMMENT ON COLUMN users.movies IS 'something else'",
        "DROP INDEX uq_attempts_open",
        "ALTER TABLE attempts DROP CONSTRAINT fk_attempts_assignments",
        "ALTER TABLE team_members DROP CONSTRAINT pk_team_members",
    ],
)
async def test_what_is_not_as_the_tables_say_is_found(database_url: str, change: str) -> None:
    """The comparison sees types, nullability, defaults, indexes, primary keys and comments."""
    await execute(database_url, change)
    assert await differences(database_url) != []


async def test_events_are_partitioned_by_time_of_receipt(database_url: str) -> None:
    assert (
        await fetchval(database_url, "SELECT pg_get_partkeydef('events'::regclass)") == "RANGE (received_at)"
    )


async def test_names_are_ordered_byte_by_byte(database_url: str) -> None:
    ordered_otherwise = await fetchval(
        database_url,
        "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public'"
        " AND column_name IN ('user_id', 'slug', 'session') AND collation_name IS DISTINCT FROM 'C'",
    )
    assert ordered_otherwise == 0


async def test_every_table_and_column_explains_itself() -> None:
    silent = [
        column for table in metadata.sorted_tables for column in (table, *table.columns) if not column.comment
    ]
    assert silent == []


async def test_rows_come_in_the_order_of_the_table() -> None:
    assert tuple(metadata.tables["events"].columns.keys()) == EVENT_COLUMNS


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("user_snapshot", UserSnapshot._fields),
        ("pair_snapshot", PairSnapshot._fields),
        ("scope_snapshot", ScopeSnapshot._fields),
        ("session_snapshot", SessionSnapshot._fields),
        ("movie_share_snapshot", MovieShareSnapshot._fields),
    ],
)
async def test_snapshots_come_in_the_order_of_their_types(
    database_url: str, kind: str, fields: tuple[str, ...]
) -> None:
    """And are written into columns of the same types, in the same order."""
    table = "movie_shares" if kind == "movie_share_snapshot" else kind.removesuffix("_snapshot") + "s"
    columns = [name.replace("_at_us", "_at") for name in fields]
    written = re.search(r"\(([^)]+)\)", query(f"upsert_{table}"))
    assert written
    assert written[1].replace(",", "").split() == columns
    in_order = "SELECT string_agg(attname || ' ' || atttypid::regtype, ',' ORDER BY {}) FROM pg_attribute"
    given = await fetchval(
        database_url, f"{in_order.format('attnum')} WHERE attrelid = '{kind}'::regclass AND attnum > 0"
    )
    place = f"array_position('{{{','.join(columns)}}}', attname::text)"
    stored = await fetchval(
        database_url,
        f"{in_order.format(place)} WHERE attrelid = '{table}'::regclass AND {place} IS NOT NULL",
    )
    assert given == stored
    assert [attribute.partition(" ")[0] for attribute in given.split(",")] == columns


async def test_up_down_up(database_url: str) -> None:
    assert await revision.current(database_url) == revision.head()
    await migrate.downgrade(database_url, "base")
    assert await revision.current(database_url) is None
    assert await tables(database_url) == {"alembic_version"}
    await migrate.upgrade(database_url)
    assert await revision.current(database_url) == revision.head()
    assert await differences(database_url) == []


async def test_down_takes_the_day_partitions_along(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await ensure_days(connection, date(2026, 1, 1), date(2026, 1, 2))
    await connection.close()
    await migrate.downgrade(database_url, "base")
    assert await tables(database_url) == {"alembic_version"}


async def test_upgrades_at_the_same_time_wait_for_each_other(database_url: str) -> None:
    await migrate.downgrade(database_url, "base")
    await asyncio.gather(*(migrate.upgrade(database_url) for _ in range(4)))
    assert await revision.current(database_url) == revision.head()
    assert await differences(database_url) == []


async def test_an_upgrade_of_what_is_up_to_date_changes_nothing(database_url: str) -> None:
    await execute(database_url, "INSERT INTO fixed_settings VALUES ('partitions', '8')")
    await migrate.upgrade(database_url)
    assert await fetchval(database_url, "SELECT value FROM fixed_settings") == "8"


async def test_an_upgrade_that_fails_leaves_nothing_behind(database_url: str) -> None:
    """All of it is one transaction."""
    await migrate.downgrade(database_url, "base")
    await execute(database_url, "CREATE TABLE sessions (theirs text)")
    with pytest.raises(Exception, match="already exists"):
        await migrate.upgrade(database_url)
    assert await tables(database_url) == {"alembic_version", "sessions"}
    assert await revision.current(database_url) is None


async def test_the_short_scheme_names_the_same_database(database_url: str) -> None:
    short = database_url.replace("postgresql://", "postgres://", 1)
    assert await revision.current(short) == revision.head()


async def differences(database_url: str) -> list[Any]:
    """What Alembic finds, and the primary keys, which it does not look at."""
    async with engine(database_url).connect() as connection:
        return await connection.run_sync(lambda plain: [*_schema(plain), *_primary_keys(plain)])


def _schema(connection: Connection) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(connection, opts=COMPARED), metadata))


def _primary_keys(connection: Connection) -> list[tuple[str, list[str], list[str]]]:
    inspector = inspect(connection)
    found = {name: inspector.get_pk_constraint(name) for name in metadata.tables if inspector.has_table(name)}
    wanted = {name: [column.name for column in metadata.tables[name].primary_key] for name in found}
    return [
        (name, wanted[name], key["constrained_columns"])
        for name, key in found.items()
        if key["constrained_columns"] != wanted[name]
    ]


async def tables(database_url: str) -> set[str]:
    async with engine(database_url).connect() as connection:
        return set(await connection.run_sync(lambda plain: inspect(plain).get_table_names()))


async def execute(database_url: str, statement: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(statement)
    await connection.close()


async def fetchval(database_url: str, statement: str) -> Any:
    connection = await asyncpg.connect(database_url)
    value = await connection.fetchval(statement)
    await connection.close()
    return value
