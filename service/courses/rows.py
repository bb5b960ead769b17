"""Rows of Postgres as the objects of the model, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.courses.model import (
    Assignment,
    Attempt,
    Course,
    CreditPolicy,
    Lesson,
    LessonRecord,
    Opening,
    Renewal,
    SkipPolicy,
    Team,
    Terms,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asyncpg import Record as Row


def course_of(row: Row, lessons: Iterable[Row]) -> Course:
    return Course(
        row["course"],
        terms_of(row),
        tuple(map(lesson_of, lessons)),
        row["created_at"],
        row["updated_at"],
        row["archived_at"],
    )


def terms_of(row: Row) -> Terms:
    return Terms(
        row["title"],
        row["time_zone"],
        SkipPolicy(row["skip_policy"]),
        CreditPolicy(row["credit_window_months"], row["credit_cap_permille"], row["credit_includes_flagged"]),
        renewal_of(row),
    )


def renewal_of(row: Row) -> Renewal | None:
    if row["renewal_months"] is None:
        return None
    return Renewal(row["renewal_months"], row["renewal_lead_days"])


def values_of(terms: Terms) -> tuple[Any, ...]:
    """In the order of the columns."""
    credit, renewal = terms.credit, terms.renewal
    return (
        terms.title,
        terms.time_zone,
        str(terms.skip_policy),
        credit.window_months,
        credit.cap_permille,
        credit.includes_flagged,
        renewal.every_months if renewal else None,
        renewal.lead_days if renewal else None,
    )


def lesson_of(row: Row) -> Lesson:
    return Lesson(
        row["lesson"],
        row["slug"],
        row["title"],
        row["duration_ms"],
        row["threshold_permille"],
        row["revision"],
    )


def team_of(row: Row) -> Team:
    return Team(row["team"], row["title"], row["created_at"])


def assignment_of(row: Row) -> Assignment:
    return Assignment(
        row["course"],
        row["user_id"],
        row["first_assigned_at"],
        row["assigned_at"],
        row["unassigned_at"],
        row["last_completed_at"],
        attempt_of(row),
    )


def attempt_of(row: Row) -> Attempt:
    return Attempt(
        row["attempt"],
        row["course"],
        row["user_id"],
        row["number"],
        row["opened_at"],
        Opening(row["opened_by"]),
        row["due_at"],
        row["started_at"],
        row["last_viewed_at"],
        row["completed_at"],
        row["closed_at"],
    )


def record_of(row: Row) -> LessonRecord:
    return LessonRecord(
        row["attempt"],
        row["lesson"],
        row["revision"],
        row["seen_cells"],
        row["watch_ms"],
        row["effective_ms"],
        row["started_at"],
        row["last_viewed_at"],
        row["completed_at"],
    )
