"""What attempts have of each of their lessons, put together from where it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.courses.model import cells_of
from service.courses.queries import query
from service.courses.reports.reporting import Measure, Pace

if TYPE_CHECKING:
    from collections.abc import Collection

    import asyncpg

    from service.db.connections import Connection

Lesson = tuple[int, str]
"""An attempt, and a lesson."""


async def measures_of(connection: Connection, attempts: Collection[int]) -> dict[int, list[Measure]]:
    """By attempt, each in the order of its course."""
    numbers = list(attempts)
    rows = await connection.fetch(query("select_measures"), numbers)
    skips = {_lesson(row): row["skips"] for row in await connection.fetch(query("count_skips"), numbers)}
    credited = {
        (*_lesson(row), row["revision"]): row["seen_cells"]
        for row in await connection.fetch(query("sum_credits"), numbers)
    }
    paces: dict[Lesson, dict[int, Pace]] = {}
    for row in await connection.fetch(query("select_lesson_speeds"), numbers):
        paces.setdefault(_lesson(row), {})[row["speed"]] = Pace(row["watch_ms"], row["effective_ms"])
    found: dict[int, list[Measure]] = {}
    for row in rows:
        lesson = _lesson(row)
        measure = _measure(
            row, credited.get((*lesson, row["revision"]), 0), skips.get(lesson, 0), paces.get(lesson, {})
        )
        found.setdefault(row["attempt"], []).append(measure)
    return found


def _lesson(row: asyncpg.Record) -> Lesson:
    return row["attempt"], row["lesson"]


def _measure(row: asyncpg.Record, credited_cells: int, skips: int, paces: dict[int, Pace]) -> Measure:
    """A video that was corrected to be shorter has no more than all of its cells."""
    cells = cells_of(row["duration_ms"])
    return Measure(
        row["lesson"],
        row["title"],
        row["revision"],
        cells,
        min(row["seen_cells"], cells),
        min(credited_cells, cells),
        row["watch_ms"],
        row["effective_ms"],
        row["started_at"],
        row["last_viewed_at"],
        row["completed_at"],
        skips,
        paces,
    )
