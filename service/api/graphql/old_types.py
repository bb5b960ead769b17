"""The types of the old system, as code generators made them for its clients: names and what may be null are theirs."""

from __future__ import annotations

from typing import Annotated, Any, Optional

import strawberry
from strawberry import ID, Info, Parent

from service.api.courses.schemas import Course, Lesson
from service.api.graphql.context import Context
from service.api.graphql.derived import output_of
from service.api.graphql.old_inputs import STATUS, SortDirection, UserLessonFilter, passes
from service.api.graphql.old_pages import before_in, page_limit, refuse_ascending, slice_of, spell_place
from service.api.graphql.old_shapes import OF, connection, past_point, user_course, user_lesson
from service.api.graphql.scalars import AwsDateTime
from service.api.graphql.units import unit_of
from service.moving.history import PointsAsked

Of = Info[Context, None]


def _course_id(root: Parent[Any]) -> ID:
    return ID(root["course"])


def _lesson_id(root: Parent[Any]) -> ID:
    return ID(root["lesson"])


def _lesson_course_id(root: Parent[Any]) -> ID | None:
    return ID(root["course"]) if "course" in root else None


def _duration(root: Parent[Any]) -> float:
    return float(root["duration_seconds"])


COURSE = output_of(
    Course, strawberry.field(resolver=_course_id, name="id", description="the same as `course`")
)
LESSON = output_of(
    Lesson,
    strawberry.field(resolver=_lesson_id, name="id", description="the same as `lesson`"),
    strawberry.field(
        resolver=_lesson_course_id, name="courseId", description="null within a course, which it is of"
    ),
    strawberry.field(resolver=_duration, name="duration", description="in seconds"),
)


async def _course(root: Parent[Any], info: Of) -> Any:
    return await info.context.loading.courses.load(root[OF].course)


async def _lesson(root: Parent[Any], info: Of) -> Any:
    return await info.context.loading.lessons.load(root[OF].lesson)


async def _user_course(root: Parent[Any], info: Of) -> Any:
    found = await info.context.loading.user_courses.load(root["user_course_id"])
    return user_course(found) if found else None


async def _user_lesson(root: Parent[Any], info: Of) -> Any:
    found = await info.context.loading.user_lessons.load(root["user_lesson_id"])
    return user_lesson(found, unit_of(info.context.app)) if found else None


async def lessons_page(
    root: Parent[Any],
    info: Of,
    filter: UserLessonFilter | None = None,
    sort_direction: SortDirection | None = None,
    limit: int | None = None,
    next_token: str | None = None,
) -> Any:
    found = await info.context.loading.lessons_of.load(root[OF])
    if sort_direction is SortDirection.DESC:
        found = found[::-1]
    shown, following = slice_of(found, limit, next_token)
    info.context.spend(len(shown))
    items = [user_lesson(one, unit_of(info.context.app)) for one in shown]
    return connection([one for one in items if passes(one, filter)], following)


async def points_page(
    root: Parent[Any],
    info: Of,
    sort_direction: SortDirection | None = None,
    limit: int | None = None,
    next_token: str | None = None,
) -> Any:
    """The latest first. One more is read than shown, to know whether another page follows."""
    refuse_ascending(sort_direction)
    of, size = root[OF], page_limit(limit)
    found = await info.context.loading.points.load(PointsAsked(of, size + 1, before_in(next_token)))
    info.context.spend(len(found))
    following = spell_place(found[size - 1].place) if len(found) > size else None
    return connection([past_point(one, of, unit_of(info.context.app)) for one in found[:size]], following)


_HERE = strawberry.lazy("service.api.graphql.old_types")
"""Of types that lead back to where one came from."""


@strawberry.type(description="Where a user was at some moment.")
class UserLessonProgress:
    id: ID
    user_lesson_id: ID
    user_lesson: Any = strawberry.field(
        resolver=_user_lesson, graphql_type=Optional[Annotated["UserLesson", _HERE]]
    )
    progress: float
    owner: str | None
    created_at: AwsDateTime
    updated_at: AwsDateTime


@strawberry.type(name="ModelUserLessonProgressConnection")
class UserLessonProgressConnection:
    items: list[UserLessonProgress]
    next_token: str | None


@strawberry.type(description="A lesson of a course that a user was given.")
class UserLesson:
    id: ID
    user_course_id: ID
    user_course: Any = strawberry.field(
        resolver=_user_course, graphql_type=Optional[Annotated["UserCourse", _HERE]]
    )
    lesson_id: ID
    lesson: Any = strawberry.field(resolver=_lesson, graphql_type=Optional[LESSON])
    user: str
    owner: str | None
    progress: float | None = strawberry.field(
        description="where the user was last, as `PLAYHEAD_OLD_PROGRESS_UNIT` says"
    )
    max_progress: float | None = strawberry.field(description="the highest position reached")
    status: STATUS | None  # type: ignore[valid-type]
    user_lesson_progresses: Any = strawberry.field(
        resolver=points_page, graphql_type=Optional[UserLessonProgressConnection]
    )
    date_started: AwsDateTime | None
    date_completed: AwsDateTime | None
    date_last_viewed: AwsDateTime | None
    created_at: AwsDateTime
    updated_at: AwsDateTime


@strawberry.type(name="ModelUserLessonConnection")
class UserLessonConnection:
    items: list[UserLesson]
    next_token: str | None


@strawberry.type(description="A course that a user was given.")
class UserCourse:
    id: ID
    course_id: ID
    course: Any = strawberry.field(resolver=_course, graphql_type=Optional[COURSE])
    user: str
    owner: str | None
    user_lessons: Any = strawberry.field(resolver=lessons_page, graphql_type=Optional[UserLessonConnection])
    status: STATUS | None  # type: ignore[valid-type]
    due_date: AwsDateTime | None
    date_started: AwsDateTime | None
    date_completed: AwsDateTime | None
    date_last_viewed: AwsDateTime | None
    last_completed_date: AwsDateTime | None
    created_at: AwsDateTime
    updated_at: AwsDateTime


@strawberry.type(name="ModelUserCourseConnection")
class UserCourseConnection:
    items: list[UserCourse]
    next_token: str | None
