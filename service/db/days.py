"""Day partitions of `events`: one a UTC day of receipt, named events_YYYYMMDD, made before its first row.

There is no default partition: it would have to be searched whenever a day is made.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

import asyncpg

from service.db import locks
from service.db.queries import query

if TYPE_CHECKING:
    from collections.abc import Collection

    from service.db.connections import Connection

_NAME: Final = re.compile(r"events_(\d{8})", re.ASCII)

_DROP_WAIT_MS: Final = 1000
"""How long a drop may wait for its lock: whoever wants to write to `events` waits behind it."""


_IS_UNFOLLOWED: Final = """
SELECT EXISTS (
    SELECT
    FROM checkpoints AS c
    LEFT JOIN followed AS f ON f.partition = c.partition
    CROSS JOIN LATERAL (
        SELECT
        FROM {} AS e
        WHERE
            e.partition = c.partition
            AND (e.entry_ms, e.entry_seq, e.ordinal)
                > (coalesce(f.entry_ms, 0), coalesce(f.entry_seq, 0), coalesce(f.ordinal, -1::smallint))
        LIMIT 1
    ) AS row
) OR EXISTS (SELECT FROM late_entries)
"""
"""Of one day, named in its place. A partition that nobody ever followed is at its start."""


async def ensure_days(connection: Connection, first_day: date, last_day: date) -> list[date]:
    """Makes what is missing of the days from first to last, both included; says which those were."""
    count = (last_day - first_day).days + 1
    return await ensure_each(connection, [first_day + timedelta(days=n) for n in range(count)])


async def ensure_each(connection: Connection, wanted: Collection[date]) -> list[date]:
    """Makes those of the wanted days that are missing. May be done by several processes at once.

    Inside a transaction the days that exist afterwards stay until it ends: a drop waits, or has been seen.
    """
    async with connection.transaction():
        # The weakest lock that a drop of a partition has to wait for; COPY takes it too.
        await connection.execute("LOCK TABLE ONLY events IN ROW EXCLUSIVE MODE")
        if not set(wanted) - set(await days(connection)):
            return []
        await connection.execute(locks.TAKE.format(*locks.MAKE_DAYS))
        missing = sorted(set(wanted) - set(await days(connection)))
        for day in missing:
            await _make(connection, day)
        return missing


async def drop_days_before(connection: Connection, day: date) -> list[str]:
    """Drops the partitions of the days before `day`, oldest first; answers the names of those that are gone.

    Each in a transaction of its own, with a short wait for its lock. Where somebody holds `events` longer, or a day has
    rows that were not followed yet (`service.courses.watching.following`), it ends early: the rest goes the next time.
    """
    dropped = []
    for old in sorted(old for old in await days(connection) if old < day):
        if await connection.fetchval(_IS_UNFOLLOWED.format(day_name(old))):
            break
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = {_DROP_WAIT_MS}")
                await connection.execute(f"DROP TABLE IF EXISTS {day_name(old)}")
        except asyncpg.LockNotAvailableError:
            break
        dropped.append(day_name(old))
    return dropped


async def days(connection: Connection) -> list[date]:
    """The days that have a partition, in order."""
    found = [named_day(record["name"]) for record in await connection.fetch(query("list_partitions"))]
    return sorted(day for day in found if day)


def day_name(day: date) -> str:
    return f"events_{day:%Y%m%d}"


def named_day(name: str) -> date | None:
    """The day of the partition so named; None if no day partition is."""
    matched = _NAME.fullmatch(name)
    try:
        return datetime.strptime(matched[1], "%Y%m%d").replace(tzinfo=UTC).date() if matched else None
    except ValueError:
        return None


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """From the day's first instant, which is in it, to the next day's first, which is not."""
    start = datetime.combine(day, time(), UTC)
    return start, start + timedelta(days=1)


async def _make(connection: Connection, day: date) -> None:
    """Made apart, then attached: CREATE ... PARTITION OF would shut out everyone who uses `events`."""
    name = day_name(day)
    start, end = day_bounds(day)
    await connection.execute(f"CREATE TABLE {name} (LIKE events INCLUDING DEFAULTS INCLUDING COMMENTS)")
    bounds = f"FROM ('{start.isoformat()}') TO ('{end.isoformat()}')"
    await connection.execute(f"ALTER TABLE events ATTACH PARTITION {name} FOR VALUES {bounds}")
