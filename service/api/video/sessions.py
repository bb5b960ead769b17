"""The calls of a player: a session is started, reported of, heard of, closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from service import clock
from service.access.people import Action
from service.api.body import read_whole
from service.api.context import BUCKET, COURSES, PLAYING, SETTINGS
from service.api.courses.messages import answer, name_in_path, parse, read_body
from service.api.persons import demand_user
from service.api.problems import answering
from service.api.video import shapes
from service.api.video.bodies import HeartbeatBody, ProgressBody, SessionBody, sent_of
from service.errors import Invalid
from service.events.quantities import thousandths
from service.limits import WATCH_SESSION_CHARS_MAX

if TYPE_CHECKING:
    from aiohttp import web

    from service.api.video.bodies import Report
    from service.api.video.shapes import Json
    from service.courses.playing.sessions import WatchSession

Model = TypeVar("Model", bound=BaseModel)


@answering
async def start(request: web.Request) -> web.StreamResponse:
    return answer(await started(request, await read_body(request, SessionBody)))


@answering
async def report(request: web.Request) -> web.StreamResponse:
    session = await session_in_path(request, Action.WRITE)
    return answer(await reported(request, session, await read_body(request, ProgressBody)))


@answering
async def heartbeat(request: web.Request) -> web.StreamResponse:
    session = await session_in_path(request, Action.WRITE)
    return answer(await heard(request, session, await _read_if_any(request, HeartbeatBody)))


@answering
async def close(request: web.Request) -> web.StreamResponse:
    return answer(await closed(request, await session_in_path(request, Action.WRITE)))


async def started(request: web.Request, body: SessionBody) -> Json:
    await demand_user(request, body.user_id, Action.WRITE)
    made = await request.app[PLAYING].start(
        body.user_id,
        body.lesson_id,
        clock.now_us(),
        client_session=body.client_session_id,
        client_info=body.client_info,
    )
    stale_seconds = request.app[SETTINGS].stale_session_seconds
    return shapes.started(made, body.is_assigned, stale_seconds)


async def reported(request: web.Request, session: WatchSession, body: ProgressBody) -> Json:
    """Raises Invalid where nothing of it can be read."""
    now_us = clock.now_us()
    told = body.read(sent_of(body.sent_at), now_us)
    if told.rejected and not told.items:
        raise Invalid(told.rejected)
    draw(request, told)
    done = await request.app[PLAYING].report(session, told, now_us)
    return shapes.reported(session.session, told.seeks, done, told.rejected)


async def heard(request: web.Request, session: WatchSession, body: HeartbeatBody) -> Json:
    position_ms = None if body.position_second is None else thousandths(body.position_second)
    speed = None if body.speed is None else thousandths(body.speed)
    hearing = await request.app[PLAYING].hear(session, position_ms, speed, clock.now_us())
    return {
        "sessionId": session.session,
        "isClosed": hearing.closed_us is not None,
        "staleAfterSeconds": request.app[SETTINGS].stale_session_seconds,
    }


async def closed(request: web.Request, session: WatchSession) -> Json:
    ended = await request.app[PLAYING].close(session, clock.now_us())
    played = await request.app[COURSES].playbacks.of_sessions(ended.user, ended.slug, [ended.session])
    return shapes.session(ended, played.get(ended.session))


async def session_in_path(request: web.Request, action: Action) -> WatchSession:
    return await session_named(request, _name(request), action)


async def session_named(request: web.Request, name: str, action: Action) -> WatchSession:
    """Raises NotFound, and Forbidden where it is not for who asks. Only who reads needs Postgres for it."""
    sessions = request.app[COURSES].sessions
    session = await (sessions.get(name) if action is Action.READ else sessions.known(name))
    await demand_user(request, session.user, action)
    return session


def _name(request: web.Request) -> str:
    return name_in_path(request, "sessionId", WATCH_SESSION_CHARS_MAX)


def draw(request: web.Request, told: Report) -> None:
    """From the bucket of the request's key, if it has one, which gave one event at the door."""
    bucket = request.get(BUCKET)
    if bucket is not None and told.items > 1:
        bucket.draw(told.items - 1)


async def _read_if_any(request: web.Request, model: type[Model]) -> Model:
    """Nothing need be said: the body may be empty."""
    body = await read_whole(request, request.app[SETTINGS].body_timeout_seconds)
    return parse(body or b"{}", model)
