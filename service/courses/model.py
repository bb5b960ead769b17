"""What courses are made of. Times are in us since 1970, lengths in ms or cells, parts of a whole in thousandths."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from service.rules.spans import CELL_MS

WHOLE_PERMILLE = 1000
THRESHOLD_PERMILLE = 950
"""How much of a lesson completes it, where nothing else is said: credits roll in what is left."""

CREDIT_WINDOW_MONTHS = 12
RENEWAL_LEAD_DAYS = 30
"""How long before it is due the next attempt is opened, where nothing else is said."""


class SkipPolicy(StrEnum):
    """What is done about seeking past what was watched, of those who are assigned."""

    BLOCK = "block"
    FLAG = "flag"
    ALLOW = "allow"


class Status(StrEnum):
    """How far an attempt has come, or a lesson in it. Derived from dates, never stored; overdue is another question."""

    ASSIGNED = "Assigned"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"

    @classmethod
    def of(cls, started_us: int | None, completed_us: int | None) -> Status:
        if completed_us is not None:
            return cls.COMPLETED
        return cls.ASSIGNED if started_us is None else cls.IN_PROGRESS


class Opening(StrEnum):
    """Why an attempt was opened."""

    ASSIGNMENT = "assignment"
    RENEWAL = "renewal"
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class CreditPolicy:
    """What watching before an assignment is worth: how far back, how much of a lesson, and whether flagged counts."""

    window_months: int = CREDIT_WINDOW_MONTHS
    cap_permille: int = WHOLE_PERMILLE
    includes_flagged: bool = False


@dataclass(frozen=True, slots=True)
class Renewal:
    """So long after a completion the course is due again; the next attempt is opened so many days before."""

    every_months: int
    lead_days: int = RENEWAL_LEAD_DAYS


@dataclass(frozen=True, slots=True)
class Lesson:
    """`revision` counts the videos that it has had, from 1; this one is the movie `slug`."""

    lesson: str
    slug: str
    title: str
    duration_ms: int
    threshold_permille: int
    revision: int


@dataclass(frozen=True, slots=True)
class LessonDraft:
    """A lesson as somebody wants it; without a `revision` that follows from what changed."""

    lesson: str
    slug: str
    title: str
    duration_ms: int
    threshold_permille: int = THRESHOLD_PERMILLE
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """All of a course but its lessons. Days begin and end in its `time_zone`, a name like Europe/Berlin."""

    title: str
    time_zone: str = "UTC"
    skip_policy: SkipPolicy = SkipPolicy.FLAG
    credit: CreditPolicy = field(default_factory=CreditPolicy)
    renewal: Renewal | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """Its lessons in their order."""

    course: str
    terms: Terms
    lessons: tuple[Lesson, ...]
    created_us: int
    updated_us: int
    archived_us: int | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """One video of a lesson."""

    revision: int
    slug: str
    duration_ms: int
    made_us: int


@dataclass(frozen=True, slots=True)
class LessonHistory:
    """A lesson with every video that it has had, the first one first. `removed_us`: it left its course then."""

    course: str
    lesson: Lesson
    revisions: tuple[Revision, ...]
    removed_us: int | None


@dataclass(frozen=True, slots=True)
class Team:
    team: str
    title: str
    created_us: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One go of a user at a course. `number` counts theirs from 1; the one that is not closed is open."""

    attempt: int
    course: str
    user: str
    number: int
    opened_us: int
    opened_by: Opening
    due_us: int | None = None
    started_us: int | None = None
    last_viewed_us: int | None = None
    completed_us: int | None = None
    closed_us: int | None = None

    @property
    def status(self) -> Status:
        return Status.of(self.started_us, self.completed_us)

    def is_overdue(self, now_us: int) -> bool:
        """An attempt that was closed is no longer waited for."""
        if self.due_us is None or self.completed_us is not None or self.closed_us is not None:
            return False
        return now_us >= self.due_us


@dataclass(frozen=True, slots=True)
class Assignment:
    """A course that a user was given, with the attempt that is open. Unassigned, it keeps all that there was."""

    course: str
    user: str
    first_assigned_us: int
    assigned_us: int
    unassigned_us: int | None
    last_completed_us: int | None
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class LessonRecord:
    """What an attempt has of one revision of a lesson. Cells are those that count: seen or credited.

    Who was credited, and has watched nothing yet, has no last view.
    """

    attempt: int
    lesson: str
    revision: int
    seen_cells: int
    watch_ms: int
    effective_ms: int
    started_us: int
    last_viewed_us: int | None
    completed_us: int | None


def cells_of(duration_ms: int) -> int:
    """How many cells a movie of this length has; the last one may be a part of a second."""
    return -(-duration_ms // CELL_MS)
