"""How lessons and courses stand at this moment: what was noted of an attempt, and what the live counters add to it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.courses.completion import LessonState, status_of
from service.courses.dates import earliest, latest
from service.courses.model import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import asyncpg

    from service.courses.model import LessonRecord
    from service.courses.watching.watched import WatchedLesson


@dataclass(frozen=True, slots=True)
class LessonNow:
    """A lesson of an attempt, by the video that counts for it last."""

    watched: WatchedLesson
    status: Status
    started_us: int | None
    completed_us: int | None
    last_viewed_us: int | None


@dataclass(frozen=True, slots=True)
class CourseNow:
    status: Status
    started_us: int | None
    completed_us: int | None
    last_viewed_us: int | None


def lessons_now(watched: Iterable[WatchedLesson], records: Iterable[LessonRecord]) -> list[LessonNow]:
    """One for each lesson of an attempt, in their order."""
    videos: dict[str, WatchedLesson] = {}
    for one in watched:
        known = videos.get(one.lesson)
        if known is None or one.revision > known.revision:
            videos[one.lesson] = one
    noted: defaultdict[str, list[LessonRecord]] = defaultdict(list)
    for record in records:
        noted[record.lesson].append(record)
    return [_lesson_now(one, noted[one.lesson]) for one in videos.values()]


def course_now(row: asyncpg.Record, lessons: Sequence[LessonNow]) -> CourseNow:
    """Of an attempt's row. A closed attempt is complete if it was when it was closed."""
    started_us = row["started_at"] or earliest(one.started_us for one in lessons)
    completed_us = row["completed_at"]
    last_viewed_us = latest([row["last_viewed_at"], *(one.last_viewed_us for one in lessons)])
    if completed_us is None and row["closed_at"] is None:
        states = [
            LessonState(one.status is not Status.ASSIGNED, one.status is Status.COMPLETED) for one in lessons
        ]
        if status_of(states) is Status.COMPLETED:
            completed_us = latest(one.completed_us for one in lessons)
    return CourseNow(Status.of(started_us, completed_us), started_us, completed_us, last_viewed_us)


def _lesson_now(watched: WatchedLesson, records: Sequence[LessonRecord]) -> LessonNow:
    viewed_us = watched.latest_us if watched.own else None
    started_us = earliest(record.started_us for record in records)
    if started_us is None:
        started_us = viewed_us
    completed_us = earliest(record.completed_us for record in records)
    if completed_us is None and watched.is_complete:
        completed_us = latest([viewed_us, started_us])
    last_viewed_us = latest([viewed_us, *(record.last_viewed_us for record in records)])
    return LessonNow(watched, Status.of(started_us, completed_us), started_us, completed_us, last_viewed_us)
