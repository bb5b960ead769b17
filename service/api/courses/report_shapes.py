"""Reports as the JSON documents and the lines of CSV that managers read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.api.courses import shapes
from service.api.shapes import moment_or_none, seconds
from service.courses.model import Status
from service.courses.reports.reporting import totals_of
from service.rules.spans import NORMAL_SPEED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from service.courses.reports.reporting import Line, Measure, Pace, Totals

Json = dict[str, Any]

FRACTION_DIGITS = 6

HAS = (
    "unique_seconds",
    "credited_seconds",
    "duration_seconds",
    "coverage_fraction",
    "watch_seconds",
    "effective_seconds",
    "skips",
    "speeds",
)
COUNTS = ("assignments", "assigned", "in_progress", "completed", "overdue", "attempts")
ATTEMPT_COLUMNS = (
    "course",
    "user",
    "status",
    "overdue",
    "number",
    "attempt",
    "assigned_at",
    "unassigned_at",
    "due_at",
    "started_at",
    "last_viewed_at",
    "completed_at",
    "last_completed_at",
    *HAS,
)
"""Of a CSV, in their order; the other reports have what they are about, and then these."""

LESSON_COLUMNS = (
    "course",
    "user",
    "number",
    "attempt",
    "lesson",
    "title",
    "revision",
    "status",
    "started_at",
    "last_viewed_at",
    "completed_at",
    *HAS,
)
"""Of a CSV with a line for each lesson of an attempt."""

TOTAL_COLUMNS = (*COUNTS, *HAS)


def line(found: Line, now_us: int) -> Json:
    assignment = shapes.assignment(found.assignment, now_us)
    return {
        **assignment,
        **_has(totals_of(found.measures)),
        "lessons": [_lesson(measure) for measure in found.measures],
    }


def lesson_lines(row: Json) -> list[Json]:
    """A row about an attempt as one for each of its lessons."""
    whose = {column: row[column] for column in ("course", "user", "number", "attempt")}
    return [{**whose, **lesson} for lesson in row["lessons"]]


def totals(found: Totals) -> Json:
    return {
        "assignments": found.assignments,
        "assigned": found.by_status[Status.ASSIGNED],
        "in_progress": found.by_status[Status.IN_PROGRESS],
        "completed": found.by_status[Status.COMPLETED],
        "overdue": found.overdue,
        "attempts": found.attempts,
        **_has(found),
    }


def cells_of_line(row: Json, columns: Sequence[str]) -> list[str]:
    """A row of a report as fields of a CSV."""
    return [_cell(row[column]) for column in columns]


def _lesson(found: Measure) -> Json:
    return {
        "lesson": found.lesson,
        "title": found.title,
        "revision": found.revision,
        "status": found.status,
        **_has(totals_of([found])),
        "started_at": moment_or_none(found.started_us),
        "last_viewed_at": moment_or_none(found.last_viewed_us),
        "completed_at": moment_or_none(found.completed_us),
    }


def _has(found: Totals) -> Json:
    return {
        "unique_seconds": found.seen_cells,
        "credited_seconds": found.credited_cells,
        "duration_seconds": found.cells,
        "coverage_fraction": _fraction(found.seen_cells, found.cells),
        "watch_seconds": seconds(found.watch_ms),
        "effective_seconds": seconds(found.effective_ms),
        "skips": found.skips,
        "speeds": _speeds(found.paces.items()),
    }


def _fraction(seen_cells: int, cells: int) -> float:
    """Rounded down, so that only the whole is 1."""
    scale = 10**FRACTION_DIGITS
    return seen_cells * scale // cells / scale if cells else 0.0


def _speeds(paces: Iterable[tuple[int, Pace]]) -> list[Json]:
    return [
        {
            "speed": speed / NORMAL_SPEED,
            "watch_seconds": seconds(pace.watch_ms),
            "effective_seconds": seconds(pace.effective_ms),
        }
        for speed, pace in sorted(paces)
    ]


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list():
            return " ".join(f"{one['speed']:g}:{one['watch_seconds']:g}" for one in value)
        case str():
            return value
    return f"{value:.12g}" if isinstance(value, float) else str(value)
