"""What a report asks for, and how what attempts have adds up: of a course, a lesson, a team or a user."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from service.courses.model import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.courses.model import Assignment


class Pace(NamedTuple):
    """How long something was watched at one speed: content time, and the wall time that took."""

    watch_ms: int
    effective_ms: int


@dataclass(frozen=True, slots=True)
class Question:
    """Whose assignments: of a course, of a team, of a user, of both a course and one of these, or all. Which of them:
    those for which all of this is so; what is None is not asked.

    Due is an attempt from the first moment that is too late on: before a moment if that is no later.
    """

    course: str | None = None
    team: str | None = None
    user: str | None = None
    status: Status | None = None
    is_overdue: bool | None = None
    due_before_us: int | None = None
    due_after_us: int | None = None
    with_unassigned: bool = False

    @property
    def is_selective(self) -> bool:
        """Whether it may pass over many."""
        asked = (self.status, self.is_overdue, self.due_before_us, self.due_after_us)
        return any(one is not None for one in asked)

    def takes(self, found: Assignment, now_us: int) -> bool:
        attempt = found.attempt
        if self.status is not None and attempt.status is not self.status:
            return False
        if self.is_overdue is not None and attempt.is_overdue(now_us) is not self.is_overdue:
            return False
        if self.due_before_us is not None and (attempt.due_us is None or attempt.due_us > self.due_before_us):
            return False
        return self.due_after_us is None or (
            attempt.due_us is not None and attempt.due_us > self.due_after_us
        )


@dataclass(frozen=True, slots=True)
class Measure:
    """What an attempt has of one lesson. `seen_cells` count, of which `credited_cells` are credited."""

    lesson: str
    title: str
    revision: int
    cells: int
    seen_cells: int
    credited_cells: int
    watch_ms: int
    effective_ms: int
    started_us: int | None
    last_viewed_us: int | None
    completed_us: int | None
    skips: int
    paces: dict[int, Pace]

    @property
    def status(self) -> Status:
        return Status.of(self.started_us, self.completed_us)


class Line(NamedTuple):
    """An assignment, and what its last attempt has of each lesson, in their order."""

    assignment: Assignment
    measures: Sequence[Measure]


@dataclass(slots=True)
class Totals:
    """Of how many assignments, by the status of their last attempts; and what all these have. Speeds in thousandths."""

    assignments: int = 0
    by_status: dict[Status, int] = field(default_factory=lambda: dict.fromkeys(Status, 0))
    overdue: int = 0
    attempts: int = 0
    cells: int = 0
    seen_cells: int = 0
    credited_cells: int = 0
    watch_ms: int = 0
    effective_ms: int = 0
    skips: int = 0
    paces: dict[int, Pace] = field(default_factory=dict)

    def add_line(self, line: Line, now_us: int) -> None:
        self.count(line.assignment, now_us)
        for measure in line.measures:
            self.add_measure(measure)

    def count(self, assignment: Assignment, now_us: int) -> None:
        attempt = assignment.attempt
        self.assignments += 1
        self.by_status[attempt.status] += 1
        self.attempts += attempt.number
        self.overdue += attempt.is_overdue(now_us)

    def add(self, other: Totals) -> None:
        """All of it, counts included."""
        self.assignments += other.assignments
        for status, count in other.by_status.items():
            self.by_status[status] += count
        self.overdue += other.overdue
        self.attempts += other.attempts
        self.add_measure(other)

    def add_measure(self, measure: Measure | Totals) -> None:
        """What it has, without counting it."""
        self.cells += measure.cells
        self.seen_cells += measure.seen_cells
        self.credited_cells += measure.credited_cells
        self.watch_ms += measure.watch_ms
        self.effective_ms += measure.effective_ms
        self.skips += measure.skips
        for speed, pace in measure.paces.items():
            known = self.paces.get(speed, Pace(0, 0))
            self.paces[speed] = Pace(known.watch_ms + pace.watch_ms, known.effective_ms + pace.effective_ms)


def totals_of(measures: Sequence[Measure]) -> Totals:
    """Of one attempt: of its lessons together, without counting it."""
    totals = Totals()
    for measure in measures:
        totals.add_measure(measure)
    return totals
