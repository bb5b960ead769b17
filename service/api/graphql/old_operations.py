"""What old clients ask and say. An id that is nobody's and one of another's are answered alike: with null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from strawberry import ID

from service.api.context import MOVING
from service.api.graphql.guarded import ingests, reads
from service.api.graphql.old_inputs import (
    CreatedAt,
    LessonCondition,
    LessonInput,
    PointCondition,
    PointInput,
    SortDirection,
    UserCourseFilter,
    UserLessonFilter,
    bounds_of,
    others_in,
    passes,
    refuse_condition,
)
from service.api.graphql.old_pages import course_in, page_limit, place_in, spell_course, spell_listed
from service.api.graphql.old_shapes import Json, connection, new_point, user_course, user_lesson
from service.api.graphql.old_types import (
    COURSE,
    LESSON,
    Of,
    UserCourse,
    UserCourseConnection,
    UserLesson,
    UserLessonConnection,
    UserLessonProgress,
    UserLessonProgressConnection,
    lessons_page,
    points_page,
)
from service.api.graphql.units import unit_of
from service.moving.reading import place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.moving.model import UserCourse as FoundCourse


@reads(Optional[UserCourse])
async def get_user_course(info: Of, id: ID) -> Any:
    return await _user_course(info, id)


@reads(Optional[UserLesson])
async def get_user_lesson(info: Of, id: ID) -> Any:
    return await _user_lesson(info, id)


@reads(Optional[COURSE])
async def get_course(info: Of, id: ID) -> Any:
    return await info.context.loading.courses.load(id)


@reads(Optional[LESSON])
async def get_lesson(info: Of, id: ID) -> Any:
    return await info.context.loading.lessons.load(id)


@reads(Optional[UserCourseConnection])
async def list_user_courses_by_course_id(
    info: Of,
    course_id: ID,
    created_at: CreatedAt | None = None,
    sort_direction: SortDirection | None = None,
    filter: UserCourseFilter | None = None,
    limit: int | None = None,
    next_token: str | None = None,
) -> Any:
    """By `createdAt`. One more is read than shown, to know whether another page follows."""
    size, (since_us, until_us) = page_limit(limit), bounds_of(created_at)
    found = await info.context.app[MOVING].reading.of_course(
        course_id,
        size + 1,
        after=place_in(next_token),
        descending=sort_direction is SortDirection.DESC,
        since_us=since_us,
        until_us=until_us,
        user=info.context.only_user,
        within=info.context.only_within,
    )
    following = spell_listed(place_of(found[size - 1])) if len(found) > size else None
    return await _courses(info, found[:size], filter, following)


@reads(Optional[UserCourseConnection])
async def list_user_courses_by_user(
    info: Of,
    user: str,
    sort_direction: SortDirection | None = None,
    filter: UserCourseFilter | None = None,
    limit: int | None = None,
    next_token: str | None = None,
) -> Any:
    """By course. Of another's there are none."""
    del sort_direction  # there is nothing by which the old system sorted these
    size = page_limit(limit)
    if not await info.context.may_read(user):
        return connection([], None)
    found = await info.context.app[MOVING].reading.of_user(user, size + 1, course_in(next_token))
    following = spell_course(found[size - 1]) if len(found) > size else None
    return await _courses(info, found[:size], filter, following)


@reads(Optional[UserLessonConnection])
async def list_user_lessons_by_user_course_id(
    info: Of,
    user_course_id: ID,
    sort_direction: SortDirection | None = None,
    filter: UserLessonFilter | None = None,
    limit: int | None = None,
    next_token: str | None = None,
) -> Any:
    """In the order of the course."""
    of = await _user_course(info, user_course_id)
    return (
        await lessons_page(of, info, filter, sort_direction, limit, next_token)
        if of
        else connection([], None)
    )


@reads(Optional[UserLessonProgressConnection])
async def list_user_lesson_progress(
    info: Of,
    user_lesson_id: ID,
    sort_direction: SortDirection | None = None,
    limit: int | None = None,
    next_token: str | None = None,
) -> Any:
    """The latest first: where the user is now, and what was told before."""
    of = await _user_lesson(info, user_lesson_id)
    return await points_page(of, info, sort_direction, limit, next_token) if of else connection([], None)


@ingests(Optional[UserLessonProgress])
async def create_user_lesson_progress(
    info: Of, input: PointInput, condition: PointCondition | None = None
) -> Any:
    """Counts what lies between this point and the one before, as heartbeats do."""
    refuse_condition(condition)
    context = info.context
    made = await context.app[MOVING].writing.point(
        input.user_lesson_id,
        input.progress,
        point=input.id or None,
        others=others_in(input, "id", "user_lesson_id", "progress"),
        headers=context.request.headers,
        may_write=context.may_write,
    )
    context.forget()
    return new_point(made)


@ingests(Optional[UserLesson])
async def update_user_lesson(info: Of, input: LessonInput, condition: LessonCondition | None = None) -> Any:
    """`progress` counts as a point. What else is claimed is not believed: the answer says what is."""
    refuse_condition(condition)
    context = info.context
    await context.app[MOVING].writing.update(
        input.id, others_in(input, "id"), headers=context.request.headers, may_write=context.may_write
    )
    context.forget()
    return await _user_lesson(info, input.id)


async def _user_course(info: Of, name: str) -> Json | None:
    found = await info.context.loading.user_courses.load(name)
    return user_course(found) if found and await info.context.may_read(found.user) else None


async def _user_lesson(info: Of, name: str) -> Json | None:
    found = await info.context.loading.user_lessons.load(name)
    if found is None or not await info.context.may_read(found.user):
        return None
    return user_lesson(found, unit_of(info.context.app))


async def _courses(
    info: Of, found: Sequence[FoundCourse], wanted: UserCourseFilter | None, following: str | None
) -> Json:
    """Those that who asks may read."""
    info.context.spend(len(found))
    info.context.loading.user_courses.prime_many({one.user_course: one for one in found})
    readable = await info.context.readable({one.user for one in found})
    items = [user_course(one) for one in found if one.user in readable]
    return connection([one for one in items if passes(one, wanted)], following)
