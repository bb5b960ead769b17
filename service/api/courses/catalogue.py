"""Calls about courses and lessons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service import clock
from service.api.context import COURSES, WATCHING
from service.api.courses import shapes
from service.api.courses.bodies import CourseBody
from service.api.courses.messages import answer, flag_in_query, name_in_path, read_body
from service.api.paging import limit_of, names_after, spell_names
from service.api.problems import answering
from service.errors import Invalid
from service.limits import COURSE_CHARS_MAX, LESSON_CHARS_MAX

if TYPE_CHECKING:
    from aiohttp import web

    from service.api.courses.shapes import Json
    from service.courses.model import LessonDraft


@answering
async def put_course(request: web.Request) -> web.StreamResponse:
    name = _course(request)
    body = await read_body(request, CourseBody)
    drafts = [lesson.draft() for lesson in body.lessons]
    _refuse_repeated(drafts)
    made = await request.app[COURSES].catalogue.put(name, body.terms(), drafts, clock.now_us())
    await request.app[WATCHING].levelling.level_course(name)
    return answer(shapes.course(made))


@answering
async def get_course(request: web.Request) -> web.StreamResponse:
    return answer(await course(request, _course(request)))


@answering
async def archive_course(request: web.Request) -> web.StreamResponse:
    archived = await request.app[COURSES].catalogue.archive(_course(request), clock.now_us())
    return answer(shapes.course(archived))


@answering
async def get_courses(request: web.Request) -> web.StreamResponse:
    limit, (after,) = limit_of(request), names_after(request, 1)
    with_archived = flag_in_query(request, "with_archived")
    return answer(await courses(request, limit, after, with_archived=with_archived))


async def course(request: web.Request, name: str) -> Json:
    return shapes.course(await request.app[COURSES].catalogue.get(name))


async def courses(request: web.Request, limit: int, after: str, *, with_archived: bool) -> Json:
    """One more is read than shown, to know whether another page follows."""
    found = await request.app[COURSES].catalogue.page(limit + 1, after, with_archived=with_archived)
    following = spell_names([found[limit - 1].course]) if len(found) > limit else None
    return shapes.page([shapes.course(one) for one in found[:limit]], following)


@answering
async def get_lesson(request: web.Request) -> web.StreamResponse:
    lesson = name_in_path(request, "lesson", LESSON_CHARS_MAX)
    return answer(shapes.lesson_history(await request.app[COURSES].catalogue.lesson(lesson)))


def _course(request: web.Request) -> str:
    return name_in_path(request, "course", COURSE_CHARS_MAX)


def _refuse_repeated(drafts: list[LessonDraft]) -> None:
    places: dict[str, int] = {}
    for place, draft in enumerate(drafts):
        first = places.setdefault(draft.lesson, place)
        if first != place:
            field = f"lessons[{place}].lesson"
            detail = f"{field}: {draft.lesson!r} is lessons[{first}] already"
            raise Invalid([{"field": field, "reason": "repeated_lesson", "detail": detail}])
