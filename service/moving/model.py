"""The shapes in which the old clients read, and what a progress of theirs is. Times are in us since 1970."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from service.events.quantities import thousandths

if TYPE_CHECKING:
    from service.courses.model import Status
    from service.moving.standing import LessonNow


class Side(StrEnum):
    """Who answers what clients read in the old shapes."""

    OLD = "old"
    NEW = "new"


class Unit(StrEnum):
    """What the old `progress` counts. Fractions and percents are of the lesson's duration."""

    SECONDS = "seconds"
    FRACTION = "fraction"
    PERCENT = "percent"

    def position_ms(self, progress: float, duration_ms: int) -> int:
        """Where that is."""
        match self:
            case Unit.SECONDS:
                return thousandths(progress)
            case Unit.FRACTION:
                return thousandths(progress * (duration_ms / 1000))
            case Unit.PERCENT:
                return thousandths(progress * (duration_ms / 100_000))

    def progress_at(self, position_ms: int, duration_ms: int) -> float:
        """What is said of being there."""
        match self:
            case Unit.SECONDS:
                return position_ms / 1000
            case Unit.FRACTION:
                return position_ms / duration_ms
            case Unit.PERCENT:
                return position_ms * 100 / duration_ms


@dataclass(frozen=True, slots=True)
class UserCourse:
    """A course that a user was given. `attempt` is theirs that it shows: the last one, or one that was closed.

    Lists are by `listed_us`: of the last one that is when the course was first assigned, which is `created_us`, too,
    where the old system did not make another one each year.
    `lessons` is how those stood when it was read, in the order of the course.
    """

    user_course: str
    course: str
    user: str
    attempt: int
    status: Status
    created_us: int
    updated_us: int
    due_us: int | None
    started_us: int | None
    completed_us: int | None
    last_viewed_us: int | None
    last_completed_us: int | None
    is_last: bool = True
    listed_us: int = 0
    lessons: tuple[LessonNow, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class UserLesson:
    """A lesson of it. `progress_ms` is where the user was last, `furthest_ms` the highest position reached."""

    user_lesson: str
    user_course: str
    lesson: str
    course: str
    user: str
    attempt: int
    slug: str
    duration_ms: int
    status: Status
    progress_ms: int
    furthest_ms: int
    created_us: int
    updated_us: int
    started_us: int | None
    completed_us: int | None
    last_viewed_us: int | None
