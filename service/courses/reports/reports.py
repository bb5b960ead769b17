"""Reports: what users have of their courses, from what is kept of attempts; nothing is counted for them.

A report walks assignments by their indexes, some hundred at a time, and asks what their last attempts have. So it
costs what it looks at: a page a hundredth of a second, a row about a course a second for some ten thousand users.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from service.courses.reports.measuring import measures_of
from service.courses.reports.reporting import Line, Totals
from service.courses.reports.summing import Summing
from service.courses.rows import assignment_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from service.courses.database import Database
    from service.courses.model import Assignment
    from service.courses.reports.reporting import Question
    from service.courses.reports.summing import LessonName

Row = TypeVar("Row")

CHUNK = 500
"""Assignments that are read together: some ten milliseconds."""

RUN = 2000
"""Assignments that are added up together: some ten milliseconds of this process, which answers others meanwhile."""

LOOKED_AT_MAX = 10_000
"""Assignments that are looked at for one page of those that a filter takes: it may be short, and another follow."""

Place = tuple[str, str]
"""The user and the course of the last assignment before; empty ones before the first."""

START: Place = ("", "")


class Page(NamedTuple, Generic[Row]):
    """`following` is from where on the next page is; None on the last one."""

    rows: list[Row]
    following: Place | None


class Reports:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def lines(self, question: Question, now_us: int, limit: int, after: Place = START) -> Page[Line]:
        """Assignments with what their last attempts have: by name, from after this place on."""
        size = CHUNK if question.is_selective else limit + 1
        taken: list[Assignment] = []
        following: Place | None = after
        looked_at = 0
        while following is not None and len(taken) <= limit and looked_at < LOOKED_AT_MAX:
            chunk = await self._chunk(question, following, size)
            taken += [found for found in chunk if question.takes(found, now_us)]
            following = _place(chunk[-1]) if len(chunk) == size else None
            looked_at += size
        if len(taken) > limit:
            following = _place(taken[limit - 1])
        return Page(await self._measured(taken[:limit]), following)

    async def totals(self, question: Question, now_us: int) -> Totals:
        """Of all assignments that the question is about, together."""
        totals, summing = Totals(), Summing()
        async for run in self._runs(question, now_us):
            for found in run:
                totals.count(found, now_us)
            for lesson in (await self._summed(summing, run, now_us)).values():
                totals.add_measure(lesson)
        return totals

    async def lessons(self, question: Question, now_us: int) -> dict[LessonName, Totals]:
        """Of each lesson, in their order; none that nobody has."""
        lessons: dict[LessonName, Totals] = {}
        summing = Summing()
        async for run in self._runs(question, now_us):
            for name, found in (await self._summed(summing, run, now_us)).items():
                lessons.setdefault(name, Totals()).add(found)
        return lessons

    async def users(self, users: Collection[str], question: Question, now_us: int) -> dict[str, Totals]:
        """Of each of these users, all that the question is about; nothing of who has none of it."""
        rows = await self._database.rows(
            "select_assignments_of_users", list(users), question.course, question.with_unassigned
        )
        found = [one for one in map(assignment_of, rows) if question.takes(one, now_us)]
        totals: dict[str, Totals] = {}
        for first in range(0, len(found), CHUNK):
            for line in await self._measured(found[first : first + CHUNK]):
                totals.setdefault(line.assignment.user, Totals()).add_line(line, now_us)
        return totals

    async def assigned_users(self, limit: int, after: str = "") -> list[str]:
        """Everybody who was ever assigned a course, by name, from after this one on."""
        rows = await self._database.rows("select_assigned_users", after, limit)
        return [row["user_id"] for row in rows]

    async def _runs(self, question: Question, now_us: int) -> AsyncIterator[list[Assignment]]:
        """All that the question is about, some thousand at a time."""
        following: Place | None = START
        while following is not None:
            chunk = await self._chunk(question, following, RUN)
            if taken := [found for found in chunk if question.takes(found, now_us)]:
                yield taken
            following = _place(chunk[-1]) if len(chunk) == RUN else None

    async def _summed(
        self, summing: Summing, run: Collection[Assignment], now_us: int
    ) -> dict[LessonName, Totals]:
        async with self._database.transaction() as connection:
            return await summing.sum(connection, run, now_us)

    async def _chunk(self, question: Question, after: Place, size: int) -> list[Assignment]:
        user, course = after
        name: str
        arguments: tuple[str, ...]
        match question.course, question.team, question.user:
            case None, None, None:
                name, arguments = "select_assignments", (course, user)
            case str(named), None, None:
                name, arguments = "select_assignments_of_course", (named, user)
            case None, str(team), None:
                name, arguments = "select_assignments_of_team", (team, user, course)
            case str(named), str(team), None:
                name, arguments = "select_assignments_of_team_in_course", (team, named, user)
            case None, _, str(whose):
                name, arguments = "select_assignments_of_user", (whose, course)
            case str(named), _, str(whose):
                return await self._one(named, whose, question) if after == START else []
        rows = await self._database.rows(name, *arguments, question.with_unassigned, size)
        return [assignment_of(row) for row in rows]

    async def _one(self, course: str, user: str, question: Question) -> list[Assignment]:
        row = await self._database.row("select_assignment", course, user)
        if row is None or (row["unassigned_at"] is not None and not question.with_unassigned):
            return []
        return [assignment_of(row)]

    async def _measured(self, assignments: Collection[Assignment]) -> list[Line]:
        if not assignments:
            return []
        async with self._database.transaction() as connection:
            measures = await measures_of(connection, [one.attempt.attempt for one in assignments])
        return [Line(one, measures.get(one.attempt.attempt, ())) for one in assignments]


def _place(last: Assignment) -> Place:
    return (last.user, last.course)
