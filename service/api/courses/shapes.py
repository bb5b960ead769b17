"""What courses are made of, as the JSON documents that clients read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.api.shapes import moment, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.courses.model import (
        Assignment,
        Attempt,
        Course,
        Lesson,
        LessonHistory,
        LessonRecord,
        Team,
    )

Json = dict[str, Any]


def page(items: Sequence[Json], following: str | None) -> Json:
    return {"items": items, "next_cursor": following}


def course(found: Course) -> Json:
    terms, renewal = found.terms, found.terms.renewal
    return {
        "course": found.course,
        "title": terms.title,
        "time_zone": terms.time_zone,
        "skip_policy": terms.skip_policy,
        "credit": {
            "window_months": terms.credit.window_months,
            "cap_permille": terms.credit.cap_permille,
            "includes_flagged": terms.credit.includes_flagged,
        },
        "renewal": {"every_months": renewal.every_months, "lead_days": renewal.lead_days}
        if renewal
        else None,
        "lessons": [lesson(one) for one in found.lessons],
        "created_at": moment(found.created_us),
        "updated_at": moment(found.updated_us),
        "archived_at": _moment(found.archived_us),
    }


def lesson(found: Lesson) -> Json:
    return {
        "lesson": found.lesson,
        "slug": found.slug,
        "title": found.title,
        "duration_seconds": seconds(found.duration_ms),
        "threshold_permille": found.threshold_permille,
        "revision": found.revision,
    }


def lesson_history(found: LessonHistory) -> Json:
    return {
        **lesson(found.lesson),
        "course": found.course,
        "removed_at": _moment(found.removed_us),
        "revisions": [
            {
                "revision": one.revision,
                "slug": one.slug,
                "duration_seconds": seconds(one.duration_ms),
                "made_at": moment(one.made_us),
            }
            for one in found.revisions
        ],
    }


def team(found: Team) -> Json:
    return {"team": found.team, "title": found.title, "created_at": moment(found.created_us)}


def assignment(found: Assignment, now_us: int) -> Json:
    attempt = found.attempt
    return {
        "course": found.course,
        "user": found.user,
        "status": attempt.status,
        "overdue": attempt.is_overdue(now_us),
        "first_assigned_at": moment(found.first_assigned_us),
        "assigned_at": moment(found.assigned_us),
        "unassigned_at": _moment(found.unassigned_us),
        "due_at": _moment(attempt.due_us),
        "started_at": _moment(attempt.started_us),
        "last_viewed_at": _moment(attempt.last_viewed_us),
        "completed_at": _moment(attempt.completed_us),
        "last_completed_at": _moment(found.last_completed_us),
        "attempt": attempt.attempt,
        "number": attempt.number,
    }


def attempt(found: Attempt, now_us: int) -> Json:
    return {
        "attempt": found.attempt,
        "course": found.course,
        "user": found.user,
        "number": found.number,
        "status": found.status,
        "overdue": found.is_overdue(now_us),
        "opened_at": moment(found.opened_us),
        "opened_by": found.opened_by,
        "due_at": _moment(found.due_us),
        "started_at": _moment(found.started_us),
        "last_viewed_at": _moment(found.last_viewed_us),
        "completed_at": _moment(found.completed_us),
        "closed_at": _moment(found.closed_us),
    }


def attempt_with_lessons(found: Attempt, records: Sequence[LessonRecord], now_us: int) -> Json:
    return {**attempt(found, now_us), "lessons": [_record(record) for record in records]}


def _record(found: LessonRecord) -> Json:
    return {
        "lesson": found.lesson,
        "revision": found.revision,
        "unique_seconds": found.seen_cells,
        "watch_seconds": seconds(found.watch_ms),
        "effective_seconds": seconds(found.effective_ms),
        "started_at": moment(found.started_us),
        "last_viewed_at": _moment(found.last_viewed_us),
        "completed_at": _moment(found.completed_us),
    }


def _moment(time_us: int | None) -> str | None:
    return None if time_us is None else moment(time_us)
