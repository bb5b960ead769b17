"""Calls about assignments that are there, and their attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service import clock
from service.api.context import COURSES, WATCHING
from service.api.courses import shapes, why_shapes
from service.api.courses.bodies import AttemptBody
from service.api.courses.messages import answer, checked_name, flag_in_query, name_in_path, read_body
from service.api.courses.readers import demand_admin, demand_team
from service.api.paging import bad_cursor, is_number, limit_of, names_after, spell_names
from service.api.persons import demand_user
from service.api.problems import answering
from service.courses.assigning.assigning import UNSAID
from service.errors import BadRequest, NotFound
from service.limits import COURSE_CHARS_MAX, TEAM_CHARS_MAX, USER_CHARS_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web

    from service.api.courses.shapes import Json
    from service.courses.model import Assignment

WHOSE = {"course": COURSE_CHARS_MAX, "user": USER_CHARS_MAX, "team": TEAM_CHARS_MAX}
"""By what assignments are listed, exactly one of them at a time."""

NUMBER_MAX = 2**31 - 1
ATTEMPT_DIGITS_MAX = 18
"""What fits into 64 bits, whatever its digits are."""


@answering
async def get_assignment(request: web.Request) -> web.StreamResponse:
    return answer(await assignment(request, *_pair(request)))


@answering
async def unassign(request: web.Request) -> web.StreamResponse:
    return answer(await unassigned(request, *_pair(request)))


@answering
async def get_assignments(request: web.Request) -> web.StreamResponse:
    by, name = whose({by: request.query[by] for by in WHOSE if by in request.query})
    await demand_list(request, by, name)
    after = names_after(request, 2 if by == "team" else 1)
    with_unassigned = flag_in_query(request, "with_unassigned")
    limit = limit_of(request)
    return answer(await assignments(request, by, name, limit, after, with_unassigned=with_unassigned))


async def assignment(request: web.Request, course: str, user: str) -> Json:
    await demand_user(request, user)
    found = await request.app[COURSES].assignments.get(course, user)
    return shapes.assignment(found, clock.now_us())


async def unassigned(request: web.Request, course: str, user: str) -> Json:
    now_us = clock.now_us()
    await request.app[COURSES].assignments.unassign(course, user, now_us)
    await request.app[WATCHING].levelling.level_assignments([(course, user)])
    # what was watched last may have completed it
    found = await request.app[COURSES].assignments.get(course, user)
    return shapes.assignment(found, now_us)


async def assignments(
    request: web.Request, by: str, name: str, limit: int, after: Sequence[str], *, with_unassigned: bool
) -> Json:
    """One more is read than shown, to know whether another page follows."""
    lists, now_us = request.app[COURSES].assignments, clock.now_us()
    match by:
        case "course":
            found = await lists.of_course(name, limit + 1, *after, with_unassigned=with_unassigned)
        case "user":
            found = await lists.of_user(name, limit + 1, *after, with_unassigned=with_unassigned)
        case _:
            user, course = after
            found = await lists.of_team(name, limit + 1, (user, course), with_unassigned=with_unassigned)
    following = spell_names(_place(by, found[limit - 1])) if len(found) > limit else None
    return shapes.page([shapes.assignment(one, now_us) for one in found[:limit]], following)


@answering
async def get_attempts(request: web.Request) -> web.StreamResponse:
    course, user = _pair(request)
    await demand_user(request, user)
    limit, below = limit_of(request), _below(request)
    found = await request.app[COURSES].attempts.of(course, user, limit + 1, below)
    if not found:
        await request.app[COURSES].assignments.get(course, user)  # raises NotFound where there never was any
    following = spell_names([str(found[limit - 1].number)]) if len(found) > limit else None
    now_us = clock.now_us()
    return answer(shapes.page([shapes.attempt(one, now_us) for one in found[:limit]], following))


@answering
async def renew(request: web.Request) -> web.StreamResponse:
    course, user = _pair(request)
    return answer(await renewed(request, course, user, await read_body(request, AttemptBody)))


@answering
async def get_attempt(request: web.Request) -> web.StreamResponse:
    return answer(await attempt(request, _attempt(request)))


@answering
async def get_why(request: web.Request) -> web.StreamResponse:
    return answer(await why(request, _attempt(request)))


async def renewed(request: web.Request, course: str, user: str, body: AttemptBody) -> Json:
    due, now_us = body.meant(), clock.now_us()
    opened = await request.app[COURSES].attempts.renew(
        course, user, body.after, None if due is UNSAID else due, now_us
    )
    await request.app[WATCHING].levelling.level_assignments([(course, user)])
    return shapes.attempt(opened, now_us)


async def attempt(request: web.Request, number: int) -> Json:
    """With what it has now of each lesson."""
    found, lessons = await request.app[WATCHING].why.state(number)
    await demand_user(request, found.user)
    return why_shapes.state(found, lessons, clock.now_us())


async def why(request: web.Request, number: int) -> Json:
    found, lessons = await request.app[WATCHING].why.explain(number)
    await demand_user(request, found.user)
    return why_shapes.why(found, lessons, clock.now_us())


def _attempt(request: web.Request) -> int:
    given = request.match_info["attempt"]
    if not is_number(given, ATTEMPT_DIGITS_MAX):
        raise NotFound(f"there is no attempt {given[:40]!r}")
    return int(given)


def _pair(request: web.Request) -> tuple[str, str]:
    return (
        name_in_path(request, "course", COURSE_CHARS_MAX),
        name_in_path(request, "user", USER_CHARS_MAX),
    )


def whose(given: Mapping[str, str]) -> tuple[str, str]:
    """By what a list is asked for, and the name of that."""
    if len(given) != 1:
        raise BadRequest(
            400, "bad_query", f"expected exactly one of {', '.join(WHOSE)}, to say whose assignments"
        )
    [(by, name)] = given.items()
    return by, checked_name(by, name, WHOSE[by])


async def demand_list(request: web.Request, by: str, name: str) -> None:
    """Raises Forbidden to persons whom these assignments are not for."""
    match by:
        case "user":
            await demand_user(request, name)
        case "team":
            demand_team(request, name)
        case _:
            demand_admin(request)


def _place(by: str, last: Assignment) -> tuple[str, ...]:
    """What the page that follows goes on from, in the order of the list."""
    places = {"course": (last.user,), "user": (last.course,), "team": (last.user, last.course)}
    return places[by]


def _below(request: web.Request) -> int:
    (number,) = names_after(request, 1)
    if not number:
        return NUMBER_MAX
    if not is_number(number, 9):
        raise bad_cursor(request.query["cursor"])
    return int(number)
