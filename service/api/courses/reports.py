"""Calls about reports: each is a page of rows, or all of them as CSV."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from service import clock
from service.access.people import Role
from service.api.context import COURSES, PERSON
from service.api.courses import report_shapes, shapes
from service.api.courses.asking import demand_known, demand_question, question_of, refuse_paging, wants_lines
from service.api.courses.messages import answer, flag_in_query
from service.api.courses.report_lines import send_lines
from service.api.courses.report_shapes import ATTEMPT_COLUMNS, LESSON_COLUMNS, TOTAL_COLUMNS
from service.api.paging import limit_of, names_after, spell_names
from service.api.problems import answering
from service.courses.reports.reports import START, Reports
from service.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from aiohttp import web

    from service.api.courses.report_shapes import Json
    from service.courses.model import Team
    from service.courses.reports.reporting import Question

After: TypeAlias = tuple[str, ...]
Found: TypeAlias = "tuple[list[Json], After | None]"
"""Rows, and from where on the next page is."""

Turn: TypeAlias = Callable[[int, After], Awaitable[Found]]
"""Gives a page of so many rows from a place on; empty names are the first one."""

LINES_AT_ONCE = 500
GROUPS_AT_ONCE = 20
"""Rows of a CSV that are made together; each of the latter may be about many users."""


@answering
async def report_attempts(request: web.Request) -> web.StreamResponse:
    question, now_us = question_of(request), clock.now_us()
    await demand_question(request, question)
    by_lesson = _by_lesson(request)

    async def turn(limit: int, after: After) -> Found:
        user, course = after or START
        page = await _reports(request).lines(question, now_us, limit, (user, course))
        rows = [report_shapes.line(one, now_us) for one in page.rows]
        if by_lesson:
            rows = [line for row in rows for line in report_shapes.lesson_lines(row)]
        return rows, page.following

    columns = LESSON_COLUMNS if by_lesson else ATTEMPT_COLUMNS
    return await _answer(request, "attempts", columns, turn, names=2, lines_at_once=LINES_AT_ONCE)


@answering
async def report_courses(request: web.Request) -> web.StreamResponse:
    """Where it is asked for a team or a user, those courses are left out that none of them has."""
    asked, now_us = question_of(request), clock.now_us()
    await demand_question(request, asked)
    catalogue = request.app[COURSES].catalogue

    async def turn(limit: int, after: After) -> Found:
        if asked.course is not None:
            found, rest = [await catalogue.get(asked.course)], []
        else:
            page = await catalogue.page(limit + 1, *after, with_archived=True)
            found, rest = page[:limit], page[limit:]
        rows = []
        for course in found:
            totals = await _reports(request).totals(replace(asked, course=course.course), now_us)
            if totals.assignments or (asked.team is None and asked.user is None):
                rows.append(
                    {"course": course.course, "title": course.terms.title, **report_shapes.totals(totals)}
                )
        return rows, (found[-1].course,) if rest else None

    return await _answer(request, "courses", ("course", "title", *TOTAL_COLUMNS), turn)


@answering
async def report_lessons(request: web.Request) -> web.StreamResponse:
    """They come whole: a course has no more than some hundred."""
    question, now_us = question_of(request), clock.now_us()
    if question.course is None:
        raise BadRequest(400, "bad_query", "course: expected the course whose lessons are meant")
    refuse_paging(request)
    await demand_question(request, question)

    async def turn(_limit: int, _after: After) -> Found:
        found = await _reports(request).lessons(question, now_us)
        rows = [{**name._asdict(), **report_shapes.totals(totals)} for name, totals in found.items()]
        return rows, None

    return await _answer(request, "lessons", ("course", "lesson", "title", *TOTAL_COLUMNS), turn)


@answering
async def report_teams(request: web.Request) -> web.StreamResponse:
    """All of them to admins and servers; to a manager those that they manage."""
    asked, now_us = question_of(request), clock.now_us()
    if asked.user is not None:
        raise BadRequest(400, "bad_query", "user: a team is asked for by its name")
    own = _own_teams(request) if asked.team is None else None
    if own is None:
        await demand_question(request, asked)
    else:
        await demand_known(request, asked)

    async def turn(limit: int, after: After) -> Found:
        teams, following = await _teams(request, asked.team, own, limit, after)
        rows = []
        for team in teams:
            totals = await _reports(request).totals(replace(asked, team=team.team), now_us)
            rows.append({"team": team.team, "title": team.title, **report_shapes.totals(totals)})
        return rows, following

    return await _answer(request, "teams", ("team", "title", *TOTAL_COLUMNS), turn)


@answering
async def report_users(request: web.Request) -> web.StreamResponse:
    """Who has nothing of what is asked for is left out."""
    asked, now_us = question_of(request), clock.now_us()
    await demand_question(request, asked)

    async def turn(limit: int, after: After) -> Found:
        users = await _users(request, asked, limit + 1, *after)
        shown, rest = users[:limit], users[limit:]
        found = await _reports(request).users(shown, asked, now_us)
        rows = [{"user": user, **report_shapes.totals(found[user])} for user in shown if user in found]
        return rows, (shown[-1],) if rest else None

    return await _answer(request, "users", ("user", *TOTAL_COLUMNS), turn)


async def _answer(
    request: web.Request,
    name: str,
    columns: Sequence[str],
    turn: Turn,
    *,
    names: int = 1,
    lines_at_once: int = GROUPS_AT_ONCE,
) -> web.StreamResponse:
    if wants_lines(request):
        refuse_paging(request)
        return await send_lines(request, name, columns, _all_pages(turn, names, lines_at_once))
    rows, following = await turn(limit_of(request), names_after(request, names))
    return answer(shapes.page(rows, spell_names(following) if following else None))


async def _all_pages(turn: Turn, names: int, limit: int) -> AsyncIterator[list[Json]]:
    after: After | None = ("",) * names
    while after is not None:
        rows, after = await turn(limit, after)
        yield rows


def _by_lesson(request: web.Request) -> bool:
    """Whether a CSV is to have a line for each lesson; JSON has them within its rows as it is."""
    asked = flag_in_query(request, "by_lesson")
    if asked and not wants_lines(request):
        raise BadRequest(400, "bad_query", "by_lesson: is about a CSV; every item has its lessons")
    return asked


def _reports(request: web.Request) -> Reports:
    return request.app[COURSES].reports


def _own_teams(request: web.Request) -> list[str] | None:
    """Of a manager; None for everybody else."""
    person = request.get(PERSON)
    if person is None or person.role is not Role.MANAGER:
        return None
    return sorted(person.teams)


async def _teams(
    request: web.Request, named: str | None, own: list[str] | None, limit: int, after: After
) -> tuple[list[Team], After | None]:
    """A page of those that are meant. A team that a token names need not exist."""
    teams = request.app[COURSES].teams
    if named is not None:
        return [await teams.get(named)], None
    if own is None:
        page = await teams.page(limit + 1, *after)
        return page[:limit], (page[limit - 1].team,) if len(page) > limit else None
    names = [team for team in own if (team,) > after]
    found = []
    for name in names[:limit]:
        try:
            found.append(await teams.get(name))
        except NotFound:
            continue
    return found, (names[limit - 1],) if len(names) > limit else None


async def _users(request: web.Request, asked: Question, limit: int, after: str) -> list[str]:
    """By name, from after this one on."""
    if asked.user is not None:
        return [asked.user]
    if asked.team is not None:
        return await request.app[COURSES].teams.members(asked.team, limit, after)
    if asked.course is not None:
        lists = request.app[COURSES].assignments
        found = await lists.of_course(asked.course, limit, after, with_unassigned=asked.with_unassigned)
        return [one.user for one in found]
    return await _reports(request).assigned_users(limit, after)
