"""Playhead's own mutations: what REST takes from players and from those who assign courses, read by the same models."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import orjson
import strawberry
from pydantic import BaseModel
from strawberry import ID

from service import clock
from service.access.people import Action
from service.api.courses import assigning, assignments
from service.api.courses import schemas as course_schemas
from service.api.courses.bodies import AssignmentBody, AttemptBody
from service.api.courses.messages import checked_name, parse
from service.api.graphql.derived import document_of, input_of, output_of
from service.api.graphql.guarded import administers, ingests
from service.api.graphql.old_types import Of
from service.api.graphql.own_operations import of_attempt, session_of
from service.api.graphql.scalars import Long
from service.api.video import completing, sessions, sync
from service.api.video import schemas as video_schemas
from service.api.video.bodies import HeartbeatBody, ProgressBody, SessionBody, SyncBody, sent_of
from service.errors import BadRequest
from service.limits import ASSIGNMENTS_PER_MUTATION_MAX, COURSE_CHARS_MAX, USER_CHARS_MAX

Body = TypeVar("Body", bound=BaseModel)


@ingests(output_of(video_schemas.Started))
async def start_session(
    info: Of, input: Annotated[Any, strawberry.argument(graphql_type=input_of(SessionBody))]
) -> Any:
    """Start watching a lesson."""
    return await sessions.started(info.context.request, _body(input, SessionBody))


@ingests(output_of(video_schemas.Reported))
async def report_progress(
    info: Of,
    session_id: ID,
    input: Annotated[Any, strawberry.argument(graphql_type=input_of(ProgressBody))],
) -> Any:
    """Tell what was played and sought. Sent again, it counts nothing again."""
    session = await session_of(info, session_id, Action.WRITE)
    return await sessions.reported(info.context.request, session, _body(input, ProgressBody))


@ingests(output_of(video_schemas.Alive))
async def heartbeat(
    info: Of,
    session_id: ID,
    input: Annotated[Any, strawberry.argument(graphql_type=input_of(HeartbeatBody) | None)] = None,
) -> Any:
    """Tell that the player is there."""
    session = await session_of(info, session_id, Action.WRITE)
    return await sessions.heard(info.context.request, session, _body(input or {}, HeartbeatBody))


@ingests(output_of(video_schemas.Session))
async def close_session(info: Of, session_id: ID) -> Any:
    """Again, it changes nothing."""
    session = await session_of(info, session_id, Action.WRITE)
    return await sessions.closed(info.context.request, session)


@ingests(output_of(video_schemas.Synced))
async def sync_sessions(
    info: Of, input: Annotated[Any, strawberry.argument(graphql_type=input_of(SyncBody))]
) -> Any:
    """What was buffered of many sessions, in any order. What is wrong with one is told with it."""
    body = _body(input, SyncBody)
    syncing = sync.Syncing(info.context.request, sent_of(body.sent_at), clock.now_us())
    return {"sessions": [one.as_json() for one in await syncing.all(body.sessions)]}


@ingests(output_of(video_schemas.AttemptDates))
async def complete_attempt(info: Of, attempt: Long) -> Any:
    """Look now whether what was watched completes it."""
    return await of_attempt(completing.completed, info, attempt)


@administers(output_of(course_schemas.Assigned))
async def assign(
    info: Of, input: Annotated[Any, strawberry.argument(graphql_type=list[input_of(AssignmentBody)])]
) -> Any:
    """Courses for users. What cannot be assigned is told, and keeps back no other."""
    if len(input) > ASSIGNMENTS_PER_MUTATION_MAX:
        detail = (
            f"at most {ASSIGNMENTS_PER_MUTATION_MAX} are taken at once; more come by POST /v1/assignments"
        )
        raise BadRequest(413, "too_many_assignments", detail)
    tally = assigning.Tally("index")
    await assigning.assign_run(document_of(input), 0, tally, info.context.app)
    return tally.as_json()


@administers(output_of(course_schemas.Assignment))
async def unassign(info: Of, course: ID, user: ID) -> Any:
    """What was watched stays. Again, it changes nothing."""
    return await assignments.unassigned(info.context.request, *_pair(course, user))


@administers(output_of(course_schemas.Attempt))
async def renew(
    info: Of,
    course: ID,
    user: ID,
    input: Annotated[Any, strawberry.argument(graphql_type=input_of(AttemptBody))],
) -> Any:
    """Open the next attempt. Again, it changes nothing."""
    return await assignments.renewed(info.context.request, *_pair(course, user), _body(input, AttemptBody))


def _body(given: Any, model: type[Body]) -> Body:
    """As REST reads it, bounds and all. Raises Invalid."""
    return parse(orjson.dumps(document_of(given)), model)


def _pair(course: str, user: str) -> tuple[str, str]:
    return checked_name("course", course, COURSE_CHARS_MAX), checked_name("user", user, USER_CHARS_MAX)
