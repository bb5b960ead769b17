"""Completing an attempt, where what was watched does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service import clock
from service.access.people import Action
from service.api.context import COURSES, WATCHING
from service.api.courses.assignments import ATTEMPT_DIGITS_MAX
from service.api.courses.messages import answer
from service.api.paging import is_number
from service.api.persons import demand_user
from service.api.problems import answering
from service.api.video import shapes
from service.errors import Conflict, NotFound

if TYPE_CHECKING:
    from aiohttp import web

    from service.api.video.shapes import Json
    from service.courses.model import Attempt
    from service.courses.watching.watched import WatchedLesson


@answering
async def complete(request: web.Request) -> web.StreamResponse:
    given = request.match_info["attemptId"]
    if not is_number(given, ATTEMPT_DIGITS_MAX):
        raise NotFound(f"there is no attempt {given[:40]!r}")
    return answer(await completed(request, int(given)))


async def completed(request: web.Request, number: int) -> Json:
    """Nobody completes an attempt by saying so: it is looked at now, and not within seconds as it is otherwise."""
    attempt, _ = await request.app[COURSES].attempts.get(number)
    await demand_user(request, attempt.user, Action.WRITE)
    watched = request.app[WATCHING].watched
    if attempt.completed_us is None:
        if attempt.closed_us is not None:
            detail = f"attempt {attempt.attempt} was closed before it was completed, and stays so"
            raise Conflict("attempt_closed", detail)
        await watched.note(attempt.attempt)
        attempt, _ = await request.app[COURSES].attempts.get(attempt.attempt)
    if attempt.completed_us is None:
        raise await _incomplete(request, attempt)
    return shapes.attempt(attempt, clock.now_us())


async def _incomplete(request: web.Request, attempt: Attempt) -> Conflict:
    _, records = await request.app[COURSES].attempts.get(attempt.attempt)
    done = {one.lesson for one in records if one.completed_us is not None}
    lessons = (await request.app[WATCHING].watched.of_attempts([attempt.attempt]))[attempt.attempt]
    open_ones = [one for one in lessons if one.is_current and one.lesson not in done]
    lacking = [shapes.missing(one) for one in open_ones]
    return Conflict("incomplete", _detail(attempt, open_ones), lessons=lacking)


def _detail(attempt: Attempt, lessons: list[WatchedLesson]) -> str:
    if not lessons:
        return f"the course {attempt.course!r} has no lesson to complete"
    needed = sum(one.completion.still_needed_cells for one in lessons)
    which = "lesson is" if len(lessons) == 1 else "lessons are"
    return f"{len(lessons)} {which} not complete: {needed} more seconds have to be watched"
