"""Playhead's own operations: what REST answers about courses and counters, in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from strawberry import ID

from service.access.people import Action
from service.api import schemas, shapes
from service.api.context import READER
from service.api.courses import assignments as assignment_calls
from service.api.courses import catalogue
from service.api.courses import schemas as course_schemas
from service.api.courses.messages import checked_name
from service.api.courses.why_schemas import AttemptWhy, AttemptWithLiveLessons
from service.api.graphql.derived import output_of
from service.api.graphql.guarded import reads
from service.api.graphql.old_types import COURSE, Of
from service.api.graphql.scalars import Long
from service.api.paging import checked_limit, names_in
from service.api.persons import demand_user
from service.api.video import reads as video_reads
from service.api.video import schemas as video_schemas
from service.api.video.sessions import session_named
from service.errors import Forbidden, NotFound
from service.limits import (
    COURSE_CHARS_MAX,
    LESSON_CHARS_MAX,
    PAGE_DEFAULT,
    SLUG_CHARS_MAX,
    USER_CHARS_MAX,
    WATCH_SESSION_CHARS_MAX,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from service.courses.playing.sessions import WatchSession

Found = TypeVar("Found")


@reads(COURSE)
async def course(info: Of, course: ID) -> Any:
    return await catalogue.course(info.context.request, checked_name("course", course, COURSE_CHARS_MAX))


@reads(output_of(course_schemas.CoursePage))
async def courses(
    info: Of, with_archived: bool = False, limit: int = PAGE_DEFAULT, cursor: str | None = None
) -> Any:
    """By name."""
    size, [after] = checked_limit(limit, str(limit)), _names(cursor, 1)
    return await catalogue.courses(info.context.request, size, after, with_archived=with_archived)


@reads(output_of(course_schemas.Assignment))
async def assignment(info: Of, course: ID, user: ID) -> Any:
    return await assignment_calls.assignment(info.context.request, *_pair(course, user))


@reads(output_of(course_schemas.AssignmentPage))
async def assignments(
    info: Of,
    course: ID | None = None,
    user: ID | None = None,
    team: ID | None = None,
    with_unassigned: bool = False,
    limit: int = PAGE_DEFAULT,
    cursor: str | None = None,
) -> Any:
    """Exactly one of `course`, `user` and `team` says whose."""
    given = {"course": course, "user": user, "team": team}
    by, name = assignment_calls.whose({by: name for by, name in given.items() if name is not None})
    request, size = info.context.request, checked_limit(limit, str(limit))
    await assignment_calls.demand_list(request, by, name)
    after = _names(cursor, 2 if by == "team" else 1)
    return await assignment_calls.assignments(request, by, name, size, after, with_unassigned=with_unassigned)


@reads(output_of(AttemptWithLiveLessons))
async def attempt(info: Of, attempt: Long) -> Any:
    """With what it has now of each lesson."""
    return await of_attempt(assignment_calls.attempt, info, attempt)


@reads(output_of(AttemptWhy))
async def why(info: Of, attempt: Long) -> Any:
    """Why it stands where it stands, second by second."""
    return await of_attempt(assignment_calls.why, info, attempt)


@reads(output_of(video_schemas.UserProgress))
async def lesson_progress(info: Of, user_id: ID, lesson_id: ID) -> Any:
    """How far a user is with a lesson, in the last attempt and in all."""
    user = checked_name("userId", user_id, USER_CHARS_MAX)
    lesson = checked_name("lessonId", lesson_id, LESSON_CHARS_MAX)
    return await video_reads.progress(info.context.request, user, lesson)


@reads(output_of(video_schemas.UnassignedHistory))
async def unassigned_history(
    info: Of, user_id: ID, limit: int = PAGE_DEFAULT, cursor: str | None = None
) -> Any:
    """What a user watched while it was not assigned."""
    user, size = checked_name("userId", user_id, USER_CHARS_MAX), checked_limit(limit, str(limit))
    return await video_reads.unassigned_history(info.context.request, user, size, cursor)


@reads(output_of(video_schemas.Limit))
async def limit(info: Of, session_id: ID, to_second: float) -> Any:
    """Whether a player may seek there."""
    to_ms = video_reads.checked_second("toSecond", to_second, str(to_second))
    session = await session_of(info, session_id, Action.READ)
    return await video_reads.limit(info.context.request, session, to_ms)


@reads(output_of(video_schemas.Skips))
async def skip_analytics(info: Of, session_id: ID) -> Any:
    """The seeks of a session past what was watched."""
    return await video_reads.skips(info.context.request, await session_of(info, session_id, Action.READ))


@reads(output_of(schemas.Movie))
async def movie(info: Of, slug: ID) -> Any:
    name = checked_name("slug", slug, SLUG_CHARS_MAX)
    return shapes.movie(name, await info.context.app[READER].movie(name))


@reads(output_of(schemas.User))
async def user(info: Of, user: ID) -> Any:
    name = checked_name("user", user, USER_CHARS_MAX)
    await demand_user(info.context.request, name)
    return shapes.user(name, await info.context.app[READER].user(name))


@reads(output_of(schemas.PairWithCoverage))
async def pair(info: Of, user: ID, slug: ID) -> Any:
    """A user's counters on a movie, live."""
    name, movie = checked_name("user", user, USER_CHARS_MAX), checked_name("slug", slug, SLUG_CHARS_MAX)
    await demand_user(info.context.request, name)
    return shapes.pair_with_coverage(name, movie, *await info.context.app[READER].pair(name, movie))


async def session_of(info: Of, name: str, action: Action) -> WatchSession:
    """Raises NotFound, also where it is another's."""
    checked_name("sessionId", name, WATCH_SESSION_CHARS_MAX)
    found = session_named(info.context.request, name, action)
    return await _unless_foreign(found, f"there is no session {name!r}")


async def of_attempt(
    asked: Callable[[web.Request, int], Awaitable[dict[str, Any]]], info: Of, number: int
) -> dict[str, Any]:
    """Raises NotFound, also where it is another's."""
    otherwise = f"there is no attempt {number}"
    if not 0 < number < 2**63:
        raise NotFound(otherwise)
    return await _unless_foreign(asked(info.context.request, number), otherwise)


async def _unless_foreign(found: Awaitable[Found], otherwise: str) -> Found:
    """What is another's is told as what is not there. Raises NotFound."""
    try:
        return await found
    except (Forbidden, NotFound) as refused:
        if isinstance(refused, Forbidden) and refused.reason != "foreign_user":
            raise
        raise NotFound(otherwise) from None


def _pair(course: str, user: str) -> tuple[str, str]:
    return checked_name("course", course, COURSE_CHARS_MAX), checked_name("user", user, USER_CHARS_MAX)


def _names(cursor: str | None, count: int) -> tuple[str, ...]:
    return ("",) * count if cursor is None else names_in(cursor, count)
