"""What many attempts have of each lesson together, added up where it is kept: for reports about thousands of them.

The same rules as in `measuring`, which has them attempt by attempt; tests hold one to the other.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from service.courses.model import Status, cells_of
from service.courses.queries import query
from service.courses.reports.reporting import Pace, Totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import asyncpg

    from service.courses.model import Assignment
    from service.db.connections import Connection

NO_VIDEO = 0
"""Of a lesson that was not there yet."""


class LessonName(NamedTuple):
    course: str
    lesson: str
    title: str


class Videos:
    """The lessons of a course and all their videos: which of them counted at which time."""

    def __init__(self, rows: Sequence[asyncpg.Record]) -> None:
        self._rows = rows
        self.titles = {row["lesson"]: row["title"] for row in rows}
        self._cells = {(row["lesson"], row["revision"]): cells_of(row["duration_ms"]) for row in rows}
        times = {row["made_at"] for row in rows} | {row["removed_at"] for row in rows if row["removed_at"]}
        self._changes_us = sorted(times)

    def cells(self, lesson: str, revision: int) -> int:
        return self._cells.get((lesson, revision), 0)

    def epoch(self, time_us: int | None) -> int:
        """The same for all times between which nothing changed; None is now."""
        return bisect_right(self._changes_us, time_us) if time_us is not None else len(self._changes_us) + 1

    def at(self, time_us: int | None) -> dict[str, int]:
        """The revision of each lesson, in their order; None is now."""
        found: dict[str, int] = {}
        for row in self._rows:
            removed_us = row["removed_at"]
            if removed_us is not None and (time_us is None or removed_us <= time_us):
                continue
            is_made = time_us is None or row["made_at"] <= time_us
            known = found.setdefault(row["lesson"], NO_VIDEO)
            found[row["lesson"]] = row["revision"] if is_made else known
        return found


class Summing:
    """For one report: what it knows of courses is of its beginning."""

    def __init__(self) -> None:
        self._videos: dict[str, Videos] = {}

    async def sum(
        self, connection: Connection, assignments: Iterable[Assignment], now_us: int
    ) -> dict[LessonName, Totals]:
        """Of each lesson of these; those of one course in their order."""
        groups: dict[tuple[str, int, bool], list[Assignment]] = defaultdict(list)
        for one in assignments:
            videos = await self._videos_of(connection, one.course)
            groups[one.course, videos.epoch(_time_us(one)), one.attempt.is_overdue(now_us)].append(one)
        totals: dict[LessonName, Totals] = defaultdict(Totals)
        for (course, _, is_overdue), group in groups.items():
            videos = self._videos[course]
            for lesson, found in (await _sum_group(connection, videos, group, is_overdue=is_overdue)).items():
                totals[LessonName(course, lesson, videos.titles[lesson])].add(found)
        return totals

    async def _videos_of(self, connection: Connection, course: str) -> Videos:
        if course not in self._videos:
            self._videos[course] = Videos(await connection.fetch(query("select_videos"), course))
        return self._videos[course]


def _time_us(assignment: Assignment) -> int | None:
    """As of when its last attempt is told; None is now."""
    attempt = assignment.attempt
    return attempt.closed_us if attempt.completed_us is None else attempt.completed_us


async def _sum_group(
    connection: Connection, videos: Videos, group: Sequence[Assignment], *, is_overdue: bool
) -> dict[str, Totals]:
    """Of attempts at one course, for which the same videos count."""
    attempts = [one.attempt.attempt for one in group]
    revisions = videos.at(_time_us(group[0]))
    rows = await connection.fetch(query("sum_records"), attempts, list(revisions), list(revisions.values()))
    records: dict[str, list[asyncpg.Record]] = {lesson: [] for lesson in revisions}
    for row in rows:
        records[row["lesson"]].append(row)
    begun = await _add_times(connection, attempts, totals := {lesson: Totals() for lesson in revisions})
    tries = sum(one.attempt.number for one in group)
    for lesson, revision in revisions.items():
        has, one = records[lesson], totals[lesson]
        with_record = _sum(has, "records")
        of_lesson = len(group) if revision else with_record
        completed = _sum(has, "completed")
        started = min(begun.get(lesson, 0), of_lesson)
        one.assignments, one.attempts = of_lesson, tries
        one.by_status[Status.COMPLETED] = completed
        one.by_status[Status.IN_PROGRESS] = started - completed
        one.by_status[Status.ASSIGNED] = of_lesson - started
        one.overdue = of_lesson - completed if is_overdue else 0
        one.cells = (of_lesson - with_record) * videos.cells(lesson, revision)
        for row in has:
            cells = row["records"] * videos.cells(lesson, row["revision"])
            one.cells += cells
            one.seen_cells += min(row["seen_cells"], cells)
            one.credited_cells += min(row["credited_cells"], cells)
    return {lesson: one for lesson, one in totals.items() if one.assignments}


async def _add_times(
    connection: Connection, attempts: Sequence[int], totals: dict[str, Totals]
) -> dict[str, int]:
    """Gives how many have begun each lesson."""
    begun: dict[str, int] = {}
    for row in await connection.fetch(query("sum_times"), attempts):
        if one := totals.get(row["lesson"]):
            one.watch_ms, one.effective_ms = row["watch_ms"], row["effective_ms"]
            begun[row["lesson"]] = row["begun"]
    for row in await connection.fetch(query("sum_speeds"), attempts):
        if one := totals.get(row["lesson"]):
            one.paces[row["speed"]] = Pace(row["watch_ms"], row["effective_ms"])
    for row in await connection.fetch(query("sum_skips"), attempts):
        if one := totals.get(row["lesson"]):
            one.skips = row["skips"]
    return begun


def _sum(rows: Iterable[Any], column: str) -> int:
    return sum(row[column] for row in rows)
