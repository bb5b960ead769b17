"""What courses are made of, as the JSON documents that clients read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.api.shapes import moment, moment_or_none, seconds
from service.courses.cells import spans_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.courses.credits.crediting import GivenCredit, GivenShare
    from service.courses.model import (
        Assignment,
        Attempt,
        Course,
        CreditPolicy,
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
        "credit": _credit_policy(terms.credit),
        "renewal": {"every_months": renewal.every_months, "lead_days": renewal.lead_days}
        if renewal
        else None,
        "lessons": [lesson(one) for one in found.lessons],
        "created_at": moment(found.created_us),
        "updated_at": moment(found.updated_us),
        "archived_at": moment_or_none(found.archived_us),
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
        "removed_at": moment_or_none(found.removed_us),
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
        "unassigned_at": moment_or_none(found.unassigned_us),
        "due_at": moment_or_none(attempt.due_us),
        "started_at": moment_or_none(attempt.started_us),
        "last_viewed_at": moment_or_none(attempt.last_viewed_us),
        "completed_at": moment_or_none(attempt.completed_us),
        "last_completed_at": moment_or_none(found.last_completed_us),
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
        "due_at": moment_or_none(found.due_us),
        "started_at": moment_or_none(found.started_us),
        "last_viewed_at": moment_or_none(found.last_viewed_us),
        "completed_at": moment_or_none(found.completed_us),
        "closed_at": moment_or_none(found.closed_us),
    }


def attempt_with_lessons(found: Attempt, records: Sequence[LessonRecord], now_us: int) -> Json:
    return {**attempt(found, now_us), "lessons": [_record(record) for record in records]}


def credit(found: GivenCredit) -> Json:
    return {
        "credit": found.credit,
        "attempt": found.attempt,
        "course": found.course,
        "user": found.user,
        "lesson": found.lesson,
        "revision": found.revision,
        "unique_seconds": found.seen.bit_count(),
        "policy": _credit_policy(found.policy),
        "since": moment(found.since_us),
        "until": moment(found.until_us),
        "created_at": moment(found.created_us),
        "created_by": found.created_by,
        "taken_back_at": moment_or_none(found.taken_back_us),
        "taken_back_by": found.taken_back_by,
        "withdrawn_completion_at": moment_or_none(found.withdrawn_us),
    }


def credit_with_shares(found: GivenCredit) -> Json:
    return {**credit(found), "shares": [_share(share) for share in found.shares]}


def _share(found: GivenShare) -> Json:
    return {
        "slug": found.slug,
        "session": found.session,
        "scope": found.scope,
        "first_at": moment(found.first_us),
        "last_at": moment(found.last_us),
        "unique_seconds": found.seen.bit_count(),
        "coverage": spans_of(found.seen),
    }


def _credit_policy(found: CreditPolicy) -> Json:
    return {
        "window_months": found.window_months,
        "cap_permille": found.cap_permille,
        "includes_flagged": found.includes_flagged,
    }


def _record(found: LessonRecord) -> Json:
    return {
        "lesson": found.lesson,
        "revision": found.revision,
        "unique_seconds": found.seen_cells,
        "watch_seconds": seconds(found.watch_ms),
        "effective_seconds": seconds(found.effective_ms),
        "started_at": moment(found.started_us),
        "last_viewed_at": moment_or_none(found.last_viewed_us),
        "completed_at": moment_or_none(found.completed_us),
    }
