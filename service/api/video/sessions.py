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
from service.api.problems import answering, problem
from service.api.video import shapes
from service.api.video.bodies import HeartbeatBody, ProgressBody, SessionBody, sent_of
from service.events.quantities import thousandths
from service.limits import WATCH_SESSION_CHARS_MAX

if TYPE_CHECKING:
    from aiohttp import web

    from service.api.video.bodies import Report
    from service.courses.playing.sessions import WatchSession

Model = TypeVar("Model", bound=BaseModel)


@answering
async def start(request: web.Request) -> web.StreamResponse:
    body = await read_body(request, SessionBody)
    await demand_user(request, body.user_id, Action.WRITE)
    made = await request.app[PLAYING].start(
        body.user_id,
        body.lesson_id,
        clock.now_us(),
        client_session=body.client_session_id,
        client_info=body.client_info,
    )
    stale_seconds = request.app[SETTINGS].stale_session_seconds
    return answer(shapes.started(made, body.is_assigned, stale_seconds))


@answering
async def report(request: web.Request) -> web.StreamResponse:
    session = await session_in_path(request, Action.WRITE)
    body, now_us = await read_body(request, ProgressBody), clock.now_us()
    told = body.read(sent_of(body.sent_at), now_us)
    if told.rejected and not told.items:
        return problem(
            422, str(told.rejected[0]["reason"]), str(told.rejected[0]["detail"]), rejected=told.rejected
        )
    draw(request, told)
    done = await request.app[PLAYING].report(session, told, now_us)
    return answer(shapes.reported(session.session, told.seeks, done, told.rejected))


@answering
async def heartbeat(request: web.Request) -> web.StreamResponse:
    session = await session_in_path(request, Action.WRITE)
    body = await _read_if_any(request, HeartbeatBody)
    position_ms = None if body.position_second is None else thousandths(body.position_second)
    speed = None if body.speed is None else thousandths(body.speed)
    hearing = await request.app[PLAYING].hear(session, position_ms, speed, clock.now_us())
    return answer(
        {
            "sessionId": session.session,
            "isClosed": hearing.closed_us is not None,
            "staleAfterSeconds": request.app[SETTINGS].stale_session_seconds,
        }
    )


@answering
async def close(request: web.Request) -> web.StreamResponse:
    session = await session_in_path(request, Action.WRITE)
    closed = await request.app[PLAYING].close(session, clock.now_us())
    played = await request.app[COURSES].playbacks.of_sessions(closed.user, closed.slug, [closed.session])
    return answer(shapes.session(closed, played.get(closed.session)))


async def session_in_path(request: web.Request, action: Action) -> WatchSession:
    """Raises NotFound, and Forbidden where it is not for who asks. Only who reads needs Postgres for it."""
    name = name_in_path(request, "sessionId", WATCH_SESSION_CHARS_MAX)
    sessions = request.app[COURSES].sessions
    session = await (sessions.get(name) if action is Action.READ else sessions.known(name))
    await demand_user(request, session.user, action)
    return session


def draw(request: web.Request, told: Report) -> None:
    """From the bucket of the request's key, if it has one, which gave one event at the door."""
    bucket = request.get(BUCKET)
    if bucket is not None and told.items > 1:
        bucket.draw(told.items - 1)


async def _read_if_any(request: web.Request, model: type[Model]) -> Model:
    """Nothing need be said: the body may be empty."""
    body = await read_whole(request, request.app[SETTINGS].body_timeout_seconds)
    return parse(body or b"{}", model)
