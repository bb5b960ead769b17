"""What is read of attempts, in the shapes of the old system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.courses.dates import latest
from service.moving import ids
from service.moving.model import UserCourse, UserLesson
from service.moving.standing import course_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from service.moving.reading import Key
    from service.moving.standing import LessonNow


def user_course(key: Key, row: asyncpg.Record, lessons: Sequence[LessonNow]) -> UserCourse:
    is_last = key.attempt is None
    now = course_now(row, [one for one in lessons if one.watched.is_current or not is_last])
    listed_us = row["first_assigned_at"] if key.created_us is None else key.created_us
    created_us = row["created_at"] if is_last and row["created_at"] is not None else listed_us
    assigned_us = row["assigned_at"] if is_last else None
    changed_us = [
        created_us,
        assigned_us,
        row["opened_at"],
        row["closed_at"],
        now.completed_us,
        now.last_viewed_us,
    ]
    return UserCourse(
        (row["user_course"] if is_last else key.user_course) or ids.id_of_course(key.course, key.user),
        key.course,
        key.user,
        row["attempt"],
        now.status,
        created_us,
        latest(changed_us) or created_us,
        row["due_at"],
        now.started_us,
        now.completed_us,
        now.last_viewed_us,
        latest([row["last_completed_at"], now.completed_us]) if is_last else now.completed_us,
        is_last,
        listed_us,
        tuple(lessons),
    )


def current(of: UserCourse) -> set[str]:
    """The lessons that the course has now."""
    return {one.watched.lesson for one in of.lessons if one.watched.is_current}


def user_lessons(of: UserCourse, names: dict[tuple[str, str], str]) -> list[UserLesson]:
    """A closed one has those lessons only that the old system knew: there are no other ids for them."""
    found = []
    for one in of.lessons:
        lesson = one.watched.lesson
        name = names.get((of.user_course, lesson)) or (of.is_last and ids.id_of_lesson(lesson, of.user))
        if name:
            found.append(_user_lesson(name, of, one))
    return found


def _user_lesson(name: str, of: UserCourse, now: LessonNow) -> UserLesson:
    watched = now.watched
    changed_us = latest([of.created_us, now.started_us, now.completed_us, now.last_viewed_us])
    return UserLesson(
        name,
        of.user_course,
        watched.lesson,
        of.course,
        of.user,
        of.attempt,
        watched.slug,
        watched.duration_ms,
        now.status,
        watched.latest_ms,
        watched.furthest_ms,
        of.created_us,
        changed_us or of.created_us,
        now.started_us,
        now.completed_us,
        now.last_viewed_us,
    )
