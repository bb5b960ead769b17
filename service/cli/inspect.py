"""`playhead inspect`: what Redis and Postgres hold of a user, a movie or a pair, side by side."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import asyncpg
import orjson
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service import settings
from service.api.shapes import moment
from service.counters import coverage
from service.counters.connection import connect, verify_stored_partitions
from service.counters.reader import Reader, RecentPair
from service.db import inspection
from service.db.failures import reaching
from service.errors import CannotStart, NotFound, PlayheadError, RedisUnavailable
from workers.servers import database_url_of, redis_url_of

if TYPE_CHECKING:
    from service.settings import Settings

inspect = App(
    name="inspect",
    help="Show what Redis (live) and Postgres (as of the last flush) hold, side by side.\n\n"
    "The exit code is 1 where neither knows the name.",
)

Facts = dict[str, object]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]

CONNECT_SECONDS = 5.0
NOT_THERE = "not there"
LEFT = "not there: idle users leave Redis, and come back with their next event"


@inspect.command
async def user(user: str, /, *, as_json: AsJson = False) -> int:
    """A user's totals over all movies."""

    async def live(reader: Reader) -> Facts:
        return (await reader.user(user))._asdict()

    async def durable(connection: Any) -> Facts | None:
        return await inspection.user(connection, user)

    return await _show(f"user {user}", live, durable, as_json, may_leave=True)


@inspect.command
async def movie(slug: str, /, *, as_json: AsJson = False) -> int:
    """A movie's totals over all users."""

    async def live(reader: Reader) -> Facts:
        return (await reader.movie(slug))._asdict()

    async def durable(connection: Any) -> Facts | None:
        return await inspection.movie(connection, slug)

    return await _show(f"movie {slug}", live, durable, as_json, may_leave=False)


@inspect.command
async def pair(user: str, slug: str, /, *, as_json: AsJson = False) -> int:
    """A user on a movie: totals, latest moment, coverage, sessions, and how many raw events Postgres keeps."""

    async def live(reader: Reader) -> Facts:
        record, bitmap = await reader.pair(user, slug)
        facts: Facts = record._asdict()
        latest_us = facts.pop("latest_us")
        assert isinstance(latest_us, int)
        facts["latest_at"] = moment(latest_us) if latest_us else None
        return {**facts, "coverage": coverage.spans(bitmap)}

    async def durable(connection: Any) -> Facts | None:
        facts = await inspection.pair(connection, user, slug)
        if facts and "coverage" in facts:
            bitmap = bytes(facts["coverage"])
            facts |= {"coverage": coverage.spans(bitmap), "verified_cells": coverage.verified_cells(bitmap)}
        return facts

    return await _show(f"user {user} on movie {slug}", live, durable, as_json, may_leave=True)


async def _show(title: str, live: Any, durable: Any, as_json: bool, *, may_leave: bool) -> int:
    """Asks both; one that cannot be reached is said to be so, and the other one is shown all the same."""
    configured = settings.load()
    in_redis = await _ask_redis(configured, live)
    in_postgres = await _ask_postgres(configured, durable)
    if in_redis == NOT_THERE and isinstance(in_postgres, dict) and may_leave:
        in_redis = LEFT
    sides = {"redis": in_redis, "postgres": in_postgres}
    shown = [side for side in sides.values() if isinstance(side, dict)]
    if as_json:
        print(orjson.dumps(sides, default=_plain, option=orjson.OPT_INDENT_2).decode())
    elif shown:
        Console().print(_table(title, in_redis, in_postgres))
    else:
        raise PlayheadError(_nothing(title, in_redis, in_postgres))
    return 0 if shown else 1


class _NotStored:
    """What Redis does not have is not looked for elsewhere here: Postgres has a column of its own."""

    async def user(self, _name: str) -> None:
        return None

    async def pair(self, _name: str, _slug: str) -> None:
        return None

    async def recent_pairs(self, *_: object) -> list[RecentPair]:
        return []


def _nothing(title: str, in_redis: object, in_postgres: object) -> str:
    """Why there is nothing to show, in one sentence."""
    if in_redis == in_postgres == NOT_THERE:
        return f"neither Redis nor Postgres knows {title}"
    redis_says = f"Redis does not know {title}" if in_redis == NOT_THERE else in_redis
    postgres_says = f"Postgres does not know {title}" if in_postgres == NOT_THERE else in_postgres
    return f"{redis_says}; {postgres_says}"


async def _ask_redis(configured: Settings, live: Any) -> Facts | str:
    redis = connect(redis_url_of(configured), CONNECT_SECONDS)
    try:
        await verify_stored_partitions(redis, configured.partitions)
        facts: Facts = await live(Reader(redis, configured.partitions, _NotStored()))
    except NotFound:
        return NOT_THERE
    except RedisUnavailable as failed:
        return str(failed)
    finally:
        await redis.aclose()
    return facts


async def _ask_postgres(configured: Settings, durable: Any) -> Facts | str:
    try:
        with reaching():
            connection = await asyncpg.connect(database_url_of(configured), timeout=CONNECT_SECONDS)
    except CannotStart as failed:
        return str(failed)
    try:
        facts: Facts | None = await durable(connection)
    except asyncpg.UndefinedTableError:
        return "Postgres has no schema yet: run `playhead migrate`"
    finally:
        await connection.close()
    return NOT_THERE if facts is None else facts


def _table(title: str, in_redis: Facts | str, in_postgres: Facts | str) -> Table:
    # Names are text, not markup: `[b]` is a name like any other.
    table = Table(title=Text(title), title_justify="left", show_edge=False)
    for column in ("", "Redis", "Postgres"):
        table.add_column(column, overflow="fold")
    if isinstance(in_redis, str) or isinstance(in_postgres, str):
        table.add_row("", *(Text(side) if isinstance(side, str) else "" for side in (in_redis, in_postgres)))
    left = in_redis if isinstance(in_redis, dict) else {}
    right = in_postgres if isinstance(in_postgres, dict) else {}
    for name in [*left, *(name for name in right if name not in left)]:
        here, there = _cell(left.get(name)), _cell(right.get(name))
        differs = bool(here and there) and here != there
        table.add_row(name, Text(here), Text(there), style="yellow" if differs else None)
    return table


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "\n".join(_cell(item) for item in value) if value else "none"
    if isinstance(value, dict):
        return " ".join(f"{name}={_cell(item)}" for name, item in value.items() if item is not None)
    if isinstance(value, tuple):
        return "-".join(map(str, value))
    return str(_plain(value))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return str(value)
