"""When a lesson is complete, what it still needs, and how far a course has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from service.courses.cells import all_of, spans_of
from service.courses.model import WHOLE_PERMILLE, Status, cells_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.courses.cells import Span


@dataclass(frozen=True, slots=True)
class Completion:
    """How much of a lesson was seen, in cells: one is a second."""

    cells: int
    seen_cells: int
    needed_cells: int
    missing: tuple[Span, ...]

    @property
    def still_needed_cells(self) -> int:
        return max(0, self.needed_cells - self.seen_cells)

    @property
    def is_complete(self) -> bool:
        return self.still_needed_cells == 0


class LessonState(NamedTuple):
    is_begun: bool
    is_complete: bool


def completion_of(seen: int, duration_ms: int, threshold_permille: int) -> Completion:
    """Cells past the lesson's end count nothing: a player may report a little more than there is."""
    whole = all_of(cells_of(duration_ms))
    return Completion(
        cells_of(duration_ms),
        (seen & whole).bit_count(),
        needed_cells(duration_ms, threshold_permille),
        spans_of(whole & ~seen),
    )


def needed_cells(duration_ms: int, threshold_permille: int) -> int:
    """How many cells complete a lesson; rounded up, so that never less than the threshold does."""
    return -(-cells_of(duration_ms) * threshold_permille // WHOLE_PERMILLE)


def status_of(lessons: Sequence[LessonState]) -> Status:
    """Of a course, from all of its lessons. One without lessons is never completed."""
    if lessons and all(lesson.is_complete for lesson in lessons):
        return Status.COMPLETED
    if any(lesson.is_begun or lesson.is_complete for lesson in lessons):
        return Status.IN_PROGRESS
    return Status.ASSIGNED
