"""What players and their pages ask: how far it is, how far one may seek, what was skipped, what could be credited."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from service import clock
from service.access.people import Action
from service.api.context import COURSES, PLAYING, READER, WATCHING
from service.api.courses.assignments import NUMBER_MAX
from service.api.courses.messages import answer, name_in_path, shortened
from service.api.paging import bad_cursor, is_number, limit_of, names_in, spell_names
from service.api.persons import demand_user
from service.api.problems import answering
from service.api.video import shapes
from service.api.video.sessions import session_in_path
from service.courses.playing.playbacks import Place
from service.errors import BadRequest, NotFound
from service.events.quantities import thousandths
from service.limits import LESSON_CHARS_MAX, POSITION_MAX_S, RECENT_SESSIONS_MAX, USER_CHARS_MAX

if TYPE_CHECKING:
    from aiohttp import web

    from service.api.video.shapes import Json
    from service.counters.records import PairRecord
    from service.courses.playing.playbacks import Played
    from service.courses.playing.sessions import Standing, WatchSession

TIME_DIGITS_MAX = 18
"""What fits into 64 bits, whatever its digits are."""

FIRST = Place(10**15 * 4, "\U0010ffff")
"""Before all that there is: after 2096, and every name."""


@answering
async def get_limit(request: web.Request) -> web.StreamResponse:
    to_ms = _second_in_query(request, "toSecond")
    return answer(await limit(request, await session_in_path(request, Action.READ), to_ms))


@answering
async def get_skips(request: web.Request) -> web.StreamResponse:
    return answer(await skips(request, await session_in_path(request, Action.READ)))


@answering
async def get_progress(request: web.Request) -> web.StreamResponse:
    user = name_in_path(request, "userId", USER_CHARS_MAX)
    return answer(await progress(request, user, name_in_path(request, "lessonId", LESSON_CHARS_MAX)))


@answering
async def get_unassigned_history(request: web.Request) -> web.StreamResponse:
    user = name_in_path(request, "userId", USER_CHARS_MAX)
    await demand_user(request, user)  # before it is told what is wrong with the address
    return answer(await unassigned_history(request, user, limit_of(request), request.query.get("cursor")))


async def limit(request: web.Request, session: WatchSession, to_ms: int) -> Json:
    found = await request.app[PLAYING].limit(session)
    return shapes.limit(session.session, to_ms, found, found.decide(to_ms))


async def skips(request: web.Request, session: WatchSession) -> Json:
    return shapes.skips(session, await request.app[COURSES].seeks.of(session.session))


async def progress(request: web.Request, user: str, lesson: str) -> Json:
    await demand_user(request, user)
    courses = request.app[COURSES]
    standing = await courses.sessions.standing(user, lesson)
    sessions = await courses.sessions.of(user, lesson, RECENT_SESSIONS_MAX)
    played: dict[str, Played] = {}
    for slug in {one.slug for one in sessions}:
        mine = [one.session for one in sessions if one.slug == slug]
        played |= await courses.playbacks.of_sessions(user, slug, mine)
    return {
        "userId": user,
        "lessonId": lesson,
        "courseId": standing.course,
        "isAssigned": standing.is_assigned,
        **await _last_attempt(request, user, standing),
        "sessions": [shapes.session(one, played.get(one.session)) for one in sessions],
        "total": shapes.total(await _pair(request, user, standing.slug)),
    }


async def unassigned_history(request: web.Request, user: str, limit: int, cursor: str | None) -> Json:
    """One more is read than shown, to know whether another page follows."""
    await demand_user(request, user)
    found = await request.app[COURSES].playbacks.unassigned(user, limit + 1, _place(cursor))
    items = [shapes.watched_before(one) for one in found[:limit]]
    last = found[limit - 1] if len(found) > limit else None
    return {
        "userId": user,
        "items": items,
        "nextCursor": spell_names([str(last.last_us), last.lesson]) if last else None,
    }


async def _last_attempt(request: web.Request, user: str, standing: Standing) -> dict[str, object]:
    """With what it has of the lesson at this moment; null where there is none, or it never had the lesson."""
    attempts = await request.app[COURSES].attempts.of(standing.course, user, 1, NUMBER_MAX)
    if not attempts:
        return {"attempt": None, "progress": None}
    number = attempts[0].attempt
    found, records = await request.app[COURSES].attempts.get(number)
    done_us = [
        one.completed_us for one in records if one.lesson == standing.lesson and one.completed_us is not None
    ]
    try:
        watched = await request.app[WATCHING].watched.of_lesson(number, standing.lesson)
    except NotFound:
        progress = None
    else:
        progress = shapes.watched(watched, min(done_us, default=None))
    return {"attempt": shapes.attempt(found, clock.now_us()), "progress": progress}


async def _pair(request: web.Request, user: str, slug: str) -> PairRecord | None:
    try:
        return (await request.app[READER].pair(user, slug))[0]
    except NotFound:
        return None


def _second_in_query(request: web.Request, name: str) -> int:
    given = request.query.get(name, "")
    try:
        second = float(given) if given.isascii() else -1.0
    except ValueError:
        second = -1.0
    return checked_second(name, second, given)


def checked_second(name: str, second: float, given: str) -> int:
    """In ms. Raises BadRequest for what is no place in a video."""
    if not (isfinite(second) and 0 <= second <= POSITION_MAX_S):
        detail = f"{name}: got {shortened(given)!r}, expected a number of seconds from 0 to {POSITION_MAX_S}"
        raise BadRequest(400, "bad_query", detail)
    return thousandths(second)


def _place(cursor: str | None) -> Place:
    if cursor is None:
        return FIRST
    time_us, lesson = names_in(cursor, 2)
    if not is_number(time_us, TIME_DIGITS_MAX) or int(time_us) > FIRST.last_us or "\0" in lesson:
        raise bad_cursor(cursor)
    return Place(int(time_us), lesson)
