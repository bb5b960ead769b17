"""What a report is asked for in its query, and who may ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.api.context import COURSES
from service.api.courses.bodies import due_of
from service.api.courses.messages import checked_name, flag_in_query, shortened
from service.api.courses.readers import demand_admin, demand_team
from service.api.courses.report_lines import CSV
from service.api.persons import demand_user
from service.courses.assigning.assigning import DueDay
from service.courses.dates import end_of_day_us, start_of_day_us
from service.courses.model import Status
from service.courses.reports.reporting import Question
from service.courses.zones import zone_of
from service.errors import BadRequest
from service.limits import COURSE_CHARS_MAX, TEAM_CHARS_MAX, USER_CHARS_MAX

if TYPE_CHECKING:
    from aiohttp import web

WHOSE = {"course": COURSE_CHARS_MAX, "team": TEAM_CHARS_MAX, "user": USER_CHARS_MAX}
FORMATS = ("json", "csv")


def question_of(request: web.Request, **named: str) -> Question:
    """`named` are those that the call itself names. Raises BadRequest for what cannot be asked."""
    given = {by: request.query[by] for by in WHOSE if by in request.query} | named
    if "team" in given and "user" in given:
        raise BadRequest(400, "bad_query", "expected a team or a user, not both")
    whose = {by: checked_name(by, name, WHOSE[by]) for by, name in given.items()}
    return Question(
        **whose,
        status=_status(request),
        is_overdue=flag_in_query(request, "overdue") if "overdue" in request.query else None,
        due_before_us=_due_us(request, "due_before"),
        due_after_us=_due_us(request, "due_after"),
        with_unassigned=flag_in_query(request, "with_unassigned"),
    )


async def demand_question(request: web.Request, question: Question) -> None:
    """Raises Forbidden: a learner may ask about themselves, a manager about their teams, an admin about all. Raises
    NotFound as `demand_known` does.
    """
    if question.user is not None:
        await demand_user(request, question.user)
    elif question.team is not None:
        demand_team(request, question.team)
    else:
        demand_admin(request)
    await demand_known(request, question)


async def demand_known(request: web.Request, question: Question) -> None:
    """Raises NotFound where it names a course or a team that there is not: no rows would be taken for no progress."""
    if question.course is not None:
        await request.app[COURSES].catalogue.get(question.course)
    if question.team is not None:
        await request.app[COURSES].teams.get(question.team)


def wants_lines(request: web.Request) -> bool:
    """Whether it is to be a CSV: `format` says so, or else what is accepted. Raises BadRequest for another format."""
    given = request.query.get("format")
    if given is None:
        return CSV in request.headers.get("Accept", "").lower()
    if given not in FORMATS:
        raise BadRequest(400, "bad_query", f"format: got {shortened(given)!r}, expected json or csv")
    return given == "csv"


def refuse_paging(request: web.Request) -> None:
    """Of what comes whole."""
    for name in ("limit", "cursor"):
        if name in request.query:
            raise BadRequest(400, "bad_query", f"{name}: a CSV comes whole")


def _status(request: web.Request) -> Status | None:
    given = request.query.get("status")
    if given is None:
        return None
    try:
        return Status(given)
    except ValueError:
        detail = f"status: got {shortened(given)!r}, expected {', '.join(Status)}"
        raise BadRequest(400, "bad_query", detail) from None


def _due_us(request: web.Request, name: str) -> int | None:
    """A date is its start for what is due before it, and its end for what is due after it."""
    given = request.query.get(name)
    if given is None:
        return None
    try:
        due, zone = due_of(given, None), zone_of(request.query.get("time_zone", "UTC"))
        if isinstance(due, DueDay):
            bound_us = start_of_day_us if name == "due_before" else end_of_day_us
            return bound_us(due.day, zone)
    except (ValueError, OverflowError) as unreadable:
        detail = f"{name}: got {shortened(given)!r} ({unreadable}), expected a date, or a time as RFC 3339 with offset"
        raise BadRequest(400, "bad_query", detail) from None
    assert isinstance(due, int)
    return due
