"""What most people would write: an aiohttp handler that upserts each event into Postgres.

A row a user and movie (latest, watch time), totals of the movie, the raw event: three statements, in one transaction an
event, one event after another. The tuned variant is what one may come to later: one statement an event, and a batch is
one transaction and one round trip, which locks its movies first, in order, or two batches would wait for each other.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
from aiohttp import web

from loadtests.bench.audience import as_json
from loadtests.bench.systems.system import Command, Counts, free_port, post, served
from service.embedded import DataFolder, EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from loadtests.bench.audience import Moment

DATABASE_VARIABLE = "BENCH_DATABASE_URL"
CONNECTIONS = 10
"""Of each process to Postgres: asyncpg's default."""

SCHEMA = """
CREATE TABLE user_movie (
    user_id text, slug text, at_ms bigint NOT NULL, credited_ms bigint NOT NULL, watch_ms bigint NOT NULL,
    PRIMARY KEY (user_id, slug)
);
CREATE TABLE movies (slug text PRIMARY KEY, watch_ms bigint NOT NULL, events bigint NOT NULL);
CREATE TABLE events (
    id bigserial PRIMARY KEY, user_id text, slug text, at_ms bigint, session text, seq bigint,
    received_at timestamptz NOT NULL DEFAULT now()
);
"""

PAIR = """
INSERT INTO user_movie AS old VALUES ($1, $2, $3, 10000, 10000)
ON CONFLICT (user_id, slug) DO UPDATE SET
    at_ms = EXCLUDED.at_ms,
    credited_ms = CASE WHEN EXCLUDED.at_ms - old.at_ms BETWEEN 0 AND 30000
        THEN EXCLUDED.at_ms - old.at_ms ELSE 10000 END,
    watch_ms = old.watch_ms + CASE WHEN EXCLUDED.at_ms - old.at_ms BETWEEN 0 AND 30000
        THEN EXCLUDED.at_ms - old.at_ms ELSE 10000 END
RETURNING credited_ms
"""
MOVIE = """
INSERT INTO movies AS old VALUES ($1, $2, 1)
ON CONFLICT (slug) DO UPDATE SET watch_ms = old.watch_ms + EXCLUDED.watch_ms, events = old.events + 1
"""
RAW = "INSERT INTO events (user_id, slug, at_ms, session, seq) VALUES ($1, $2, $3, $4, $5)"

TUNED = f"""
WITH pair AS ({PAIR}), raw AS ({RAW})
INSERT INTO movies AS old SELECT $2, credited_ms, 1 FROM pair
ON CONFLICT (slug) DO UPDATE SET watch_ms = old.watch_ms + EXCLUDED.watch_ms, events = old.events + 1
"""  # noqa: S608 - our own words

LOCK_MOVIES = (
    "INSERT INTO movies SELECT unnest($1::text[]), 0, 0 ON CONFLICT DO NOTHING",
    "SELECT FROM movies WHERE slug = ANY ($1::text[]) ORDER BY slug FOR UPDATE",
)

POOL: web.AppKey[asyncpg.Pool[asyncpg.Record]] = web.AppKey("pool", asyncpg.Pool)


class Upsert:
    """`application` names the variant."""

    name, application = "upsert", "plain"

    def __init__(self, folder: Path) -> None:
        self._folder = folder / self.application
        self._folder.mkdir()
        self.port = free_port()
        self._command: Command | None = None

    def start(self) -> None:
        self._data = DataFolder(self._folder / "data")
        self._postgres = EmbeddedPostgres(self._data).start()
        asyncio.run(self._make_tables())
        variables = {DATABASE_VARIABLE: self._postgres.url}
        log = self._folder / "upsert.log"
        app = f"loadtests.bench.systems.upsert:{self.application}()"
        self._command = served(app, self.port, log, variables)

    def stop(self) -> None:
        if self._command:
            self._command.stop()
            self._postgres.stop()
            self._data.close()

    def roots(self) -> list[int]:
        process = self._postgres.process
        return [self._command.pid, process.pid] if self._command and process else []

    def request(self, moments: Sequence[Moment]) -> bytes:
        spelled = [as_json(moment) for moment in moments]
        return post("/v1/events", spelled[0] if len(spelled) == 1 else b"[%b]" % b",".join(spelled))

    def expected(self, events: int) -> str:
        return json.dumps({"accepted": events}, separators=(",", ":"))

    def settle(self) -> float:
        return 0.0

    def counts(self) -> Counts:
        return asyncio.run(self._counts())

    async def _make_tables(self) -> None:
        connection = await asyncpg.connect(self._postgres.url)
        await connection.execute(SCHEMA)
        await connection.close()

    async def _counts(self) -> Counts:
        connection = await asyncpg.connect(self._postgres.url)
        counted = await connection.fetchval("SELECT coalesce(sum(events), 0)::bigint FROM movies")
        stored = await connection.fetchval("SELECT count(*) FROM events")
        await connection.close()
        return Counts(int(counted), int(stored))


class TunedUpsert(Upsert):
    name, application = "upsert, tuned", "tuned"


def plain() -> web.Application:
    return _application(_post_plain)


def tuned() -> web.Application:
    return _application(_post_tuned)


def _application(post_events: Callable[[web.Request], Awaitable[web.Response]]) -> web.Application:
    app = web.Application(client_max_size=16 * 2**20)
    app.cleanup_ctx.append(_connected)
    app.router.add_post("/v1/events", post_events)
    return app


async def _connected(app: web.Application) -> AsyncIterator[None]:
    pool = await asyncpg.create_pool(os.environ[DATABASE_VARIABLE], min_size=1, max_size=CONNECTIONS)
    app[POOL] = pool
    yield
    await pool.close()


async def _post_plain(request: web.Request) -> web.Response:
    rows = await _rows(request)
    async with request.app[POOL].acquire() as connection:
        for user, slug, at_ms, session, seq in rows:
            async with connection.transaction():
                credited_ms = await connection.fetchval(PAIR, user, slug, at_ms)
                await connection.execute(MOVIE, slug, credited_ms)
                await connection.execute(RAW, user, slug, at_ms, session, seq)
    return _answer(rows)


async def _post_tuned(request: web.Request) -> web.Response:
    rows = await _rows(request)
    async with request.app[POOL].acquire() as connection:
        if len(rows) == 1:
            await connection.execute(TUNED, *rows[0])
        else:
            async with connection.transaction():
                for statement in LOCK_MOVIES:
                    await connection.execute(statement, sorted({row[1] for row in rows}))
                await connection.executemany(TUNED, rows)
    return _answer(rows)


async def _rows(request: web.Request) -> list[tuple[Any, ...]]:
    told = orjson.loads(await request.read())
    return [_row(event) for event in (told if isinstance(told, list) else [told])]


def _answer(rows: list[tuple[Any, ...]]) -> web.Response:
    return web.Response(body=orjson.dumps({"accepted": len(rows)}), content_type="application/json")


def _row(event: dict[str, Any]) -> tuple[Any, ...]:
    at_ms = round(event["at"] * 1000)
    return event["user"], event["slug"], at_ms, event["session"], event["seq"]
