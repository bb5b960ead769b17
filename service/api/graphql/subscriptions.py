"""Progress as it changes: the first answer says how it is now."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import strawberry
from strawberry import ID

from service import metrics
from service.access.keyring import Scope
from service.api.context import LIVE, MOVING
from service.api.courses.messages import checked_name
from service.api.graphql.guarded import Operation
from service.api.graphql.old_inputs import STATUS
from service.api.graphql.old_shapes import OldStatus, latest_point, user_lesson
from service.api.graphql.old_types import Of, UserLesson, UserLessonProgress
from service.api.graphql.scalars import Long
from service.api.graphql.units import unit_of
from service.api.persons import demand_user
from service.api.shapes import moment_or_none, seconds
from service.errors import NotFound
from service.limits import LESSON_CHARS_MAX, USER_CHARS_MAX
from service.moving import ids

if TYPE_CHECKING:
    from service.moving.model import UserLesson as Found


@strawberry.type(description="How far a user is with a lesson, in the last attempt, at this moment.")
class LessonStanding:
    user_id: str
    lesson_id: str
    course_id: str
    attempt_id: Long
    status: STATUS  # type: ignore[valid-type]
    position_second: float = strawberry.field(description="where the user was last")
    furthest_second: float = strawberry.field(description="the highest position reached")
    duration_seconds: float
    started_at: str | None
    completed_at: str | None
    last_viewed_at: str | None


def subscribed(graphql_type: Any) -> Operation:
    made: Any = strawberry.subscription(graphql_type=graphql_type)
    return made  # type: ignore[no-any-return]


@strawberry.type
class Subscription:
    @subscribed(UserLesson)
    async def on_update_user_lesson(self, info: Of, id: ID) -> AsyncGenerator[Any, None]:
        """A lesson of a user, whenever anything of it changes."""
        async with aclosing(_followed(info, id)) as lessons:
            async for lesson in lessons:
                yield user_lesson(lesson, unit_of(info.context.app))

    @subscribed(UserLessonProgress)
    async def on_create_user_lesson_progress(self, info: Of, user_lesson_id: ID) -> AsyncGenerator[Any, None]:
        """Where the user is, whenever that changes, whichever way it came."""
        before = None
        async with aclosing(_followed(info, user_lesson_id)) as lessons:
            async for lesson in lessons:
                point = latest_point(lesson, unit_of(info.context.app))
                if point and point != before:
                    yield point
                before = point

    @subscribed(LessonStanding)
    async def lesson_progress_changed(
        self, info: Of, user_id: ID, lesson_id: ID
    ) -> AsyncGenerator[Any, None]:
        """How far a user is with an assigned lesson, whenever that changes."""
        user = checked_name("userId", user_id, USER_CHARS_MAX)
        lesson = checked_name("lessonId", lesson_id, LESSON_CHARS_MAX)
        await demand_user(info.context.request, user)
        async with aclosing(_followed(info, ids.id_of_lesson(lesson, user))) as lessons:
            async for found in lessons:
                yield _standing(found)


async def _followed(info: Of, name: str) -> AsyncGenerator[Found, None]:
    """Raises NotAllowed; NotFound, also where it is another's."""
    context = info.context
    context.demand(Scope.READ)
    metrics.GRAPHQL_OPERATIONS.labels(info.field_name).inc()
    named = await context.app[MOVING].reading.named(name)
    if named is None or not await context.may_read(named.user):
        raise NotFound(f"there is no UserLesson {name!r}")
    async with aclosing(context.app[LIVE].follow(name, context.person)) as lessons:
        async for lesson in lessons:
            context.begin()
            yield lesson


def _standing(found: Found) -> dict[str, Any]:
    return {
        "user_id": found.user,
        "lesson_id": found.lesson,
        "course_id": found.course,
        "attempt_id": found.attempt,
        "status": OldStatus(found.status),
        "position_second": seconds(found.progress_ms),
        "furthest_second": seconds(found.furthest_ms),
        "duration_seconds": seconds(found.duration_ms),
        "started_at": moment_or_none(found.started_us),
        "completed_at": moment_or_none(found.completed_us),
        "last_viewed_at": moment_or_none(found.last_viewed_us),
    }
