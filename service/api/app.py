"""The web application of one HTTP process: its composition root."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from service.api.context import (
    ADMISSION,
    COURSES,
    GATE,
    HISTORY,
    LIVE,
    MOVING,
    PLAYING,
    READER,
    READMIT,
    REDIS,
    ROOM,
    SCOPES,
    SETTINGS,
    SOCKETS,
    STREAMS,
    WATCHING,
    WRITER,
)
from service.api.graphql.live import Live
from service.api.guard import guard_of
from service.api.room import room_of
from service.api.routes import add_routes
from service.api.server import Runner, end_sockets, end_streams
from service.api.video.playing import Playing
from service.counters.connection import broken_promises, connect, verify
from service.counters.constants import constants_of
from service.counters.heard import Heard
from service.counters.reader import Reader
from service.courses.store import Courses
from service.courses.watching.watching import Watching
from service.db.history import History
from service.errors import RedisUnavailable
from service.moving.store import Moving
from service.stored.reads import StoredReads
from service.stored.scopes import Scopes
from service.stored.writer import open_writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.settings import Settings

_log = structlog.get_logger()


def create_app(settings: Settings, redis_url: str, database_url: str) -> web.Application:
    """The application. It verifies its Redis when it starts, and answers all that it took before it ends.

    Both servers may be away, now as later: what needs them is then answered so. Raises CannotStart of a Redis that can
    never be used.
    """
    app = web.Application()
    app[SETTINGS], app[STREAMS] = settings, set()
    app[SOCKETS], app[ROOM] = set(), room_of(settings)
    app.on_shutdown.extend((end_streams, end_sockets))

    async def counters(app: web.Application) -> AsyncIterator[None]:
        redis = connect(redis_url, settings.redis_timeout_seconds)
        try:
            await verify(redis, settings.partitions)
            for sentence in await broken_promises(redis):
                _log.warning("less_durable", detail=sentence)
        except RedisUnavailable as away:  # an end here would be an end of all HTTP processes
            _log.warning("redis_unavailable", detail=str(away))
        history = await History.connect(database_url, is_lazy=True)
        app[REDIS], app[HISTORY] = redis, history
        app[READER] = Reader(redis, settings.partitions, StoredReads(history))
        async with open_writer(settings, redis, history) as (app[WRITER], app[ADMISSION]):
            yield
        await history.close()
        await redis.aclose()

    async def courses(app: web.Application) -> AsyncIterator[None]:
        app[COURSES] = await Courses.connect(database_url)
        scopes = Scopes(app[REDIS], settings.partitions, app[WRITER], app[HISTORY])
        app[WATCHING] = Watching(app[COURSES].database, scopes, constants_of(settings))
        app[SCOPES] = scopes
        app[PLAYING] = Playing(
            app[COURSES],
            app[WATCHING],
            app[WRITER],
            app[READER],
            Heard(app[REDIS], settings.partitions),
            stale_seconds=settings.stale_session_seconds,
            window_seconds=settings.idempotency_window_seconds,
        )
        yield
        await app[COURSES].close()

    async def moving(app: web.Application) -> AsyncIterator[None]:
        database, watched = app[COURSES].database, app[WATCHING].watched
        app[MOVING] = Moving(settings, database, watched, app[WRITER])
        app[LIVE] = Live(app[MOVING].reading, app[SCOPES])
        async with app[MOVING].kept():
            yield
        await app[LIVE].close()

    app.cleanup_ctx.extend((counters, courses, moving))
    if guard := guard_of(settings):
        app.cleanup_ctx.append(guard.kept)
        app[GATE], app[READMIT] = guard, guard.readmit
    add_routes(app, guard)
    return app


def create_runner(settings: Settings, redis_url: str, database_url: str) -> web.AppRunner:
    """The application, ready to be bound to sockets."""
    return Runner(create_app(settings, redis_url, database_url), settings)
