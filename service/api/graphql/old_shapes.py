"""What old clients read, as documents. `OF` holds what a document was made of, for the fields that lead on from it."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from service.api.shapes import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.moving.history import PastPoint
    from service.moving.model import Unit, UserCourse, UserLesson
    from service.moving.writing import Point

Json = dict[str, Any]

OF = "of"


class OldStatus(Enum):
    """How far the user has come."""

    Assigned = "Assigned"
    InProgress = "InProgress"
    Completed = "Completed"


def user_course(found: UserCourse) -> Json:
    return {
        OF: found,
        "id": found.user_course,
        "course_id": found.course,
        "user": found.user,
        "owner": found.user,
        "status": OldStatus(found.status),
        "due_date": date_time(found.due_us),
        "date_started": date_time(found.started_us),
        "date_completed": date_time(found.completed_us),
        "date_last_viewed": date_time(found.last_viewed_us),
        "last_completed_date": date_time(found.last_completed_us),
        "created_at": date_time(found.created_us),
        "updated_at": date_time(found.updated_us),
    }


def user_lesson(found: UserLesson, unit: Unit) -> Json:
    return {
        OF: found,
        "id": found.user_lesson,
        "user_course_id": found.user_course,
        "lesson_id": found.lesson,
        "user": found.user,
        "owner": found.user,
        "progress": unit.progress_at(found.progress_ms, found.duration_ms),
        "max_progress": unit.progress_at(found.furthest_ms, found.duration_ms),
        "status": OldStatus(found.status),
        "date_started": date_time(found.started_us),
        "date_completed": date_time(found.completed_us),
        "date_last_viewed": date_time(found.last_viewed_us),
        "created_at": date_time(found.created_us),
        "updated_at": date_time(found.updated_us),
    }


def past_point(found: PastPoint, of: UserLesson, unit: Unit) -> Json:
    progress = unit.progress_at(found.at_ms, of.duration_ms)
    return _point(found.point, of.user_lesson, progress, of.user, found.at_us)


def latest_point(found: UserLesson, unit: Unit) -> Json | None:
    """None where nothing was watched yet."""
    if found.last_viewed_us is None:
        return None
    progress, at_us = unit.progress_at(found.progress_ms, found.duration_ms), found.last_viewed_us
    return _point(f"{found.user_lesson}@{at_us}", found.user_lesson, progress, found.user, at_us)


def new_point(found: Point) -> Json:
    return _point(found.point, found.user_lesson, found.progress, found.user, found.at_us)


def connection(items: Sequence[Json], following: str | None) -> Json:
    return {"items": items, "next_token": following}


def date_time(time_us: int | None) -> str | None:
    """To the millisecond where that is exact, as clients of AppSync are used to."""
    if time_us is None:
        return None
    spelled = moment(time_us)
    return spelled if time_us % 1000 else f"{spelled[:-4]}Z"


def _point(name: str, user_lesson_id: str, progress: float, user: str | None, at_us: int) -> Json:
    return {
        "id": name,
        "user_lesson_id": user_lesson_id,
        "progress": progress,
        "owner": user,
        "created_at": date_time(at_us),
        "updated_at": date_time(at_us),
    }
