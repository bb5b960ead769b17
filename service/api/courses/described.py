"""What the descriptions of several calls of courses share: parameters, and how a call may fail."""

from __future__ import annotations

from typing import Any

from service.api.calls import FAILED, KEYED, LATER, Answer, Body, Parameter, failure, reference
from service.api.courses.schemas import BodyProblem
from service.limits import (
    COURSE_CHARS_MAX,
    LESSON_CHARS_MAX,
    PAGE_MAX,
    TEAM_CHARS_MAX,
    USER_CHARS_MAX,
)


def named(part: str, description: str, chars_max: int, example: str) -> Parameter:
    schema = {"type": "string", "minLength": 1, "maxLength": chars_max}
    return Parameter(part, "path", description, schema, example)


def filtered_by(name: str, description: str, chars_max: int) -> Parameter:
    return Parameter(name, "query", description, {"type": "string", "minLength": 1, "maxLength": chars_max})


COURSE = named("course", "the course's name", COURSE_CHARS_MAX, "safety")
LESSON = named("lesson", "the lesson's name", LESSON_CHARS_MAX, "intro")
TEAM = named("team", "the team's name", TEAM_CHARS_MAX, "warehouse")
USER = named("user", "whose", USER_CHARS_MAX, "ann")
ATTEMPT = Parameter("attempt", "path", "the attempt's number, of all attempts", {"type": "integer"}, 1)
CREDIT = Parameter("credit", "path", "the credit's number, of all credits", {"type": "integer"}, 1)
WITH_ARCHIVED = Parameter("with_archived", "query", "those that were archived, too", {"type": "boolean"})
WITH_UNASSIGNED = Parameter(
    "with_unassigned", "query", "those that were taken away, too", {"type": "boolean"}
)

MOMENT = "2026-03-01T10:00:00.000000Z"

BAD = "`not_json`, `bad_gzip`, `bad_name`: the body or a name in the path cannot be read."
SLOW = "`body_timeout`: the body stopped coming."
LARGE = "`too_large`: past 4 MiB."
ENCODED = "`unknown_encoding`: a `Content-Encoding` other than gzip."
FIELDS = (
    "`missing_field`, `unknown_field`, `wrong_type`, `not_an_object`, `unknown_value`, `empty`, `too_long`,"
    " `out_of_range`, `invalid_string`, `invalid_time`, `unknown_time_zone`"
)
AWAY = failure(
    503,
    "`unavailable`: Postgres does not answer now. Making the same call again is safe.",
    "unavailable",
    "Postgres, where courses are, does not answer: Connection refused",
    headers=LATER,
)
ALWAYS = (AWAY, *KEYED, FAILED)
BAD_NAME = failure(
    400,
    "`bad_name`: a name in the path cannot be one.",
    "bad_name",
    f"course: expected a name of 1 to {COURSE_CHARS_MAX} characters of Unicode, without U+0000",
)
BAD_PAGE = failure(
    400,
    "`bad_limit`, `bad_cursor`, `bad_query`, `bad_name`.",
    "bad_limit",
    f"limit: got '0', expected a whole number from 1 to {PAGE_MAX}",
)


def unknown(what: str) -> Answer:
    return failure(404, f"`not_found`: {what}.", "not_found", what)


def reading_failures(fields: str = FIELDS) -> tuple[Answer, ...]:
    """How a body may fail."""
    wrong = {"field": "title", "reason": "missing_field", "detail": "title is missing"}
    return (
        failure(400, BAD, "not_json", "the body is not JSON: EOF while parsing a value at line 1 column 0"),
        failure(408, SLOW, "body_timeout", "no byte of the body came for 30 seconds"),
        failure(413, LARGE, "too_large", "the body is larger than 4194304 bytes, the most that is taken"),
        failure(415, ENCODED, "unknown_encoding", "Content-Encoding 'br' is not taken, gzip is"),
        failure(422, f"{fields}.", "missing_field", "title is missing", BodyProblem, rejected=[wrong]),
    )


def json_body(model: type[Any], summary: str, example: object) -> tuple[Body, ...]:
    return (Body("application/json", reference(model), {summary: example}),)


NO_COURSE = unknown("there is no course 'safety'")
NO_TEAM = unknown("there is no team 'warehouse'")
NOTHING_NAMED = failure(
    404, "`not_found`: there is no such course, or team.", "not_found", "there is no course 'safety'"
)
NEVER_ASSIGNED = unknown("course 'safety' was never assigned to user 'ann'")
