"""The calls about reports, as they are described."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.access.keyring import Scope
from service.api.calls import CURSOR, LIMIT, Answer, Call, Parameter, Whose, failure
from service.api.courses import reports
from service.api.courses.assignment_calls import ASSIGNMENT_ANSWER
from service.api.courses.described import ALWAYS, MOMENT, NOTHING_NAMED, WITH_UNASSIGNED, filtered_by
from service.api.courses.report_lines import CSV
from service.api.courses.report_schemas import (
    AttemptReport,
    CourseReport,
    LessonReport,
    TeamReport,
    UserReport,
)
from service.courses.model import Status
from service.limits import COURSE_CHARS_MAX, TEAM_CHARS_MAX, USER_CHARS_MAX

if TYPE_CHECKING:
    from service.api.calls import Json, Model
    from service.api.problems import Handler

HAS = {
    "unique_seconds": 300,
    "credited_seconds": 60,
    "duration_seconds": 600,
    "coverage_fraction": 0.5,
    "watch_seconds": 330,
    "effective_seconds": 270,
    "skips": 1,
    "speeds": [
        {"speed": 1.0, "watch_seconds": 210, "effective_seconds": 210},
        {"speed": 2.0, "watch_seconds": 120, "effective_seconds": 60},
    ],
}
TOTALS = {
    "assignments": 1,
    "assigned": 0,
    "in_progress": 1,
    "completed": 0,
    "overdue": 0,
    "attempts": 1,
    **HAS,
}
LESSON_DATES = {"started_at": MOMENT, "last_viewed_at": MOMENT, "completed_at": None}
LESSON = {"lesson": "intro", "title": "Introduction"}

BAD_QUESTION = failure(
    400,
    "`bad_limit`, `bad_cursor`, `bad_query`, `bad_name`.",
    "bad_query",
    "status: got 'done', expected Assigned, InProgress, Completed",
)
FORMAT = Parameter(
    "format",
    "query",
    "`csv`: all rows, while they are made, without pages; so does `Accept: text/csv`",
    {"type": "string", "enum": ["json", "csv"], "default": "json"},
)
BY_LESSON = Parameter("by_lesson", "query", "of a CSV: a line for each lesson", {"type": "boolean"})
OF_COURSE = filtered_by("course", "of this course alone", COURSE_CHARS_MAX)
OF_TEAM = filtered_by("team", "of those alone who are members of this team now", TEAM_CHARS_MAX)
OF_USER = filtered_by("user", "of this user alone", USER_CHARS_MAX)
DUE = "; a moment as RFC 3339 with offset, or a date: those whose last day is"
WHICH = (
    Parameter(
        "status", "query", "only those of this status", {"type": "string", "enum": [*map(str, Status)]}
    ),
    Parameter("overdue", "query", "only those that are, or are not", {"type": "boolean"}),
    Parameter("due_before", "query", f"only those that are due before{DUE} before it", {"type": "string"}),
    Parameter("due_after", "query", f"only those that are due after{DUE} after it", {"type": "string"}),
    Parameter("time_zone", "query", "of these dates", {"type": "string", "default": "UTC"}),
    WITH_UNASSIGNED,
)
PAGED = (LIMIT, CURSOR)
FRESH = (
    "From what is kept of attempts, which follows watching within seconds. What is filtered are assignments with their"
    " last attempts. "
)
WHO = (
    "A learner may ask about themselves (`user`), a manager about a team of theirs (`team`), an admin and a key about"
    " everybody."
)
CSV_TOLD = (
    "\n\nThe CSV is UTF-8 with a byte order mark; `speeds` are like `1:210 2:120`, seconds by speed. A name that"
    " a spreadsheet would take for a formula has an apostrophe before it. A connection that ends early is a report that"
    " is not whole."
)


def report(
    by: str,
    handler: Handler,
    summary: str,
    model: Model,
    item: Json,
    *,
    said: str = "",
    parameters: tuple[Parameter, ...] = (OF_COURSE, OF_TEAM, OF_USER),
    paged: tuple[Parameter, ...] = PAGED,
) -> Call:
    return Call(
        "GET",
        f"/v1/reports/{by}",
        handler,
        f"report_{by}",
        "reports",
        summary,
        (
            Answer(200, "Rows.", (model,), CSV, example={"items": [item], "next_cursor": None}),
            BAD_QUESTION,
            NOTHING_NAMED,
            *ALWAYS,
        ),
        scope=Scope.READ,
        whose=Whose.USERS_WITHIN,
        description=FRESH + said + WHO + CSV_TOLD,
        parameters=(*parameters, *WHICH, FORMAT, *paged),
    )


REPORT_CALLS = (
    report(
        "attempts",
        reports.report_attempts,
        "Who has what of which course: a row an assignment",
        AttemptReport,
        ASSIGNMENT_ANSWER
        | HAS
        | {"lessons": [LESSON | {"revision": 1, "status": "InProgress"} | HAS | LESSON_DATES]},
        said="A page may have fewer rows than `limit`, where a filter passes over thousands: go on until"
        " `next_cursor` is null. In the CSV `by_lesson` gives a line to each lesson instead. ",
        parameters=(OF_COURSE, OF_TEAM, OF_USER, BY_LESSON),
    ),
    report(
        "courses",
        reports.report_courses,
        "How courses stand: a row a course",
        CourseReport,
        {"course": "safety", "title": "Safety at work"} | TOTALS,
    ),
    report(
        "lessons",
        reports.report_lessons,
        "How the lessons of a course stand: a row a lesson",
        LessonReport,
        {"course": "safety"} | LESSON | TOTALS,
        said="`course` says which course, and its lessons come whole; those that nobody has are left out. ",
        paged=(),
    ),
    report(
        "teams",
        reports.report_teams,
        "How teams stand: a row a team",
        TeamReport,
        {"team": "warehouse", "title": "Warehouse"} | TOTALS,
        said="Without `team` a manager gets the teams that they manage. ",
        parameters=(OF_COURSE, OF_TEAM),
    ),
    report(
        "users",
        reports.report_users,
        "How users stand: a row a user",
        UserReport,
        {"user": "ann"} | TOTALS,
        said="A page may have fewer rows than `limit`: who has nothing of what is asked for is left out. ",
    ),
)
