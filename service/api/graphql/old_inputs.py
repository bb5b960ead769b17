"""What old clients ask with, as code generators made it for them."""

from __future__ import annotations

from enum import Enum
from typing import Any

import strawberry
from strawberry import ID, UNSET

from service.api.graphql.old_shapes import Json, OldStatus
from service.api.graphql.scalars import AwsDateTime
from service.errors import BadRequest, Invalid
from service.events.quantities import microseconds
from service.moving.reading import FIRST_US, LAST_US

STATUS = strawberry.enum(OldStatus, name="Status")


@strawberry.enum(name="ModelSortDirection")
class SortDirection(Enum):
    ASC = "ASC"
    DESC = "DESC"


@strawberry.input(name="ModelStringKeyConditionInput", description="When it was made: one of these.")
class CreatedAt:
    eq: str | None = UNSET
    lt: str | None = UNSET
    le: str | None = UNSET
    gt: str | None = UNSET
    ge: str | None = UNSET
    between: list[str | None] | None = UNSET
    begins_with: str | None = UNSET


@strawberry.input(name="ModelStringInput")
class TextFilter:
    eq: str | None = UNSET
    ne: str | None = UNSET


@strawberry.input(name="ModelStatusInput")
class StatusFilter:
    eq: STATUS | None = UNSET  # type: ignore[valid-type]
    ne: STATUS | None = UNSET  # type: ignore[valid-type]


@strawberry.input(
    name="ModelUserCourseFilterInput",
    description="Applied to the page that was found, as it was: a page may have fewer items than its limit.",
)
class UserCourseFilter:
    user: TextFilter | None = UNSET
    course_id: TextFilter | None = UNSET
    status: StatusFilter | None = UNSET


@strawberry.input(name="ModelUserLessonFilterInput", description="Applied to the page that was found.")
class UserLessonFilter:
    user: TextFilter | None = UNSET
    lesson_id: TextFilter | None = UNSET
    status: StatusFilter | None = UNSET


@strawberry.input(name="ModelUserLessonProgressConditionInput", description="Not taken: leave it out.")
class PointCondition:
    user_lesson_id: TextFilter | None = UNSET


@strawberry.input(name="ModelUserLessonConditionInput", description="Not taken: leave it out.")
class LessonCondition:
    user_course_id: TextFilter | None = UNSET


@strawberry.input(name="CreateUserLessonProgressInput", description="That the user is there, at `progress`.")
class PointInput:
    id: ID | None = strawberry.field(default=UNSET, description="by it, it is counted once")
    user_lesson_id: ID
    progress: float
    owner: str | None = UNSET
    created_at: AwsDateTime | None = UNSET
    updated_at: AwsDateTime | None = UNSET


@strawberry.input(
    name="UpdateUserLessonInput",
    description="Only `progress` counts, as a point; the rest follows from what was watched, whatever is claimed.",
)
class LessonInput:
    id: ID
    progress: float | None = UNSET
    max_progress: float | None = UNSET
    status: STATUS | None = UNSET  # type: ignore[valid-type]
    user: str | None = UNSET
    owner: str | None = UNSET
    user_course_id: ID | None = UNSET
    lesson_id: ID | None = UNSET
    date_started: AwsDateTime | None = UNSET
    date_completed: AwsDateTime | None = UNSET
    date_last_viewed: AwsDateTime | None = UNSET
    created_at: AwsDateTime | None = UNSET
    updated_at: AwsDateTime | None = UNSET


def others_in(given: Any, *known: str) -> Json:
    """What else a client said, in its spelling, as the old system is to hear it."""
    said = {
        field.python_name: getattr(given, field.python_name)
        for field in given.__strawberry_definition__.fields
        if field.python_name not in known
    }
    return {
        _camel(name): value.value if isinstance(value, Enum) else value
        for name, value in said.items()
        if value is not UNSET
    }


def refuse_condition(condition: object) -> None:
    if condition:
        raise BadRequest(400, "not_supported", "condition: it is not looked at here; leave it out")


def bounds_of(given: CreatedAt | None) -> tuple[int, int]:
    """The first and the last moment that are meant, in us. Raises Invalid, BadRequest."""
    if not given:
        return FIRST_US, LAST_US
    said = {name: value for name, value in vars(given).items() if value is not UNSET and value is not None}
    if "begins_with" in said:
        raise BadRequest(400, "not_supported", "createdAt.beginsWith: say between which moments")
    if len(said) != 1:
        raise BadRequest(400, "bad_query", "createdAt: expected one of eq, lt, le, gt, ge, between")
    [(name, value)] = said.items()
    if name == "between":
        if len(value) != 2:
            raise BadRequest(400, "bad_query", "createdAt.between: expected two moments")
        return _moment_us(value[0]), _moment_us(value[1])
    time_us = _moment_us(value)
    return {
        "eq": (time_us, time_us),
        "lt": (FIRST_US, time_us - 1),
        "le": (FIRST_US, time_us),
        "gt": (time_us + 1, LAST_US),
        "ge": (time_us, LAST_US),
    }[name]


def passes(item: Json, wanted: object) -> bool:
    """Whether a filter lets it through."""
    if not wanted:
        return True
    for name, one in vars(wanted).items():
        if not one:
            continue
        if one.eq not in (UNSET, None) and item[name] != one.eq:
            return False
        if one.ne not in (UNSET, None) and item[name] == one.ne:
            return False
    return True


def _moment_us(given: str | None) -> int:
    try:
        return min(max(microseconds(given or ""), FIRST_US), LAST_US)
    except (ValueError, OverflowError) as unreadable:
        detail = f"createdAt: it is no time ({unreadable}), expected RFC 3339 with offset"
        raise Invalid([{"field": "createdAt", "reason": "invalid_time", "detail": detail}]) from None


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
