"""Which attempts the user courses of one user and course become, one after the other. No I/O, no clock.

The old system set a user course back in place each year, or made another one; either way what came before is an
attempt that is closed, and what came since is the next. Points count in whichever is open, so each attempt has its
stint: it is opened, its points are counted, and it is closed. Times are in us since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from service.moving.old_rows import CourseRow

SOON_US = 60_000_000
"""Nobody completes a course anew so soon: two dates of one completion are no two of them."""

NOWHERE = 0
"""The stint of points whose attempt is closed already: what they would count could only count for a later one."""


class Standing(NamedTuple):
    """The last attempt that playhead has. `user_course` is what it is called; None where the old system has no name."""

    attempt: int
    number: int
    opened_us: int
    is_open: bool
    user_course: str | None


@dataclass(frozen=True, slots=True)
class Stint:
    """`attempt` is None where it is to be opened; `user_course` is what shows it once it is,
    made at `created_us`.

    `closes_us` is when the next one took its place, and None of the last one.
    """

    user_course: str | None
    attempt: int | None
    opened_us: int
    created_us: int | None = None
    due_us: int | None = None
    started_us: int | None = None
    viewed_us: int | None = None
    completed_us: int | None = None
    last_completed_us: int | None = None
    closes_us: int | None = None


class Way(NamedTuple):
    """Points of the user course up to `until_us` count in `stint_before`, others in `stint`. Turns count from 1."""

    user_course: str
    stint: int
    until_us: int | None
    stint_before: int


@dataclass(slots=True)
class Plan:
    """`known` are the user courses that were there before; `refused` come too late, since later attempts are there."""

    stints: list[Stint] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    refused: list[CourseRow] = field(default_factory=list)


def plan_of(rows: Iterable[CourseRow], standing: Standing | None, closed: Iterable[str] = ()) -> Plan:
    """`rows` are all of one user and course; `closed` those user courses that show an attempt which is closed."""
    plan, shut = Plan(), set(closed)
    left: list[CourseRow] = []
    for row in sorted(rows, key=lambda one: (one.created_us, one.user_course)):
        if row.user_course in shut:
            plan.known.add(row.user_course)
            plan.ways.append(Way(row.user_course, NOWHERE, None, NOWHERE))
        else:
            left.append(row)
    if standing is not None and left:
        left = _go_on(plan, left, standing)
    for place, row in enumerate(left):
        after = left[place + 1] if place + 1 < len(left) else None
        _add(plan, row, None, row.created_us, after)
    return plan


def _go_on(plan: Plan, rows: Sequence[CourseRow], standing: Standing) -> list[CourseRow]:
    """The row that shows the attempt which is there takes it over; gives those after it, which are to be opened."""
    places = [place for place, row in enumerate(rows) if row.user_course == standing.user_course]
    if not places and standing.user_course is not None:
        later = [row for row in rows if row.created_us > standing.opened_us] if standing.is_open else []
        plan.refused.extend(row for row in rows if row not in later)
        if later:
            plan.stints.append(
                Stint(
                    standing.user_course, standing.attempt, standing.opened_us, closes_us=later[0].created_us
                )
            )
        return later
    place = places[0] if places else len(rows) - 1
    row, later = rows[place], list(rows[place + 1 :])
    plan.refused.extend(rows[:place])
    plan.known.add(row.user_course)
    if not standing.is_open:
        plan.refused.extend(later)
        later = []
    _add(plan, row, standing, standing.opened_us, later[0] if later else None)
    return later


def _add(
    plan: Plan, row: CourseRow, standing: Standing | None, opened_us: int, after: CourseRow | None
) -> None:
    """The one or two stints of this row: two where it was set back since the attempt was opened."""
    attempt = standing.attempt if standing else None
    until_us = standing.opened_us if standing and standing.number > 1 else None
    before = NOWHERE
    back_us = _set_back_us(row)
    if back_us is not None and back_us > opened_us and (standing is None or standing.is_open):
        plan.stints.append(
            Stint(
                None,
                attempt,
                opened_us,
                completed_us=back_us,
                last_completed_us=back_us,
                closes_us=back_us,
            )
        )
        attempt, opened_us, until_us, before = None, back_us, back_us, len(plan.stints)
    completed_us = _completed_us(row)
    closes_us = None if after is None else max(after.created_us, opened_us, completed_us or 0)
    plan.stints.append(
        Stint(
            row.user_course,
            attempt,
            opened_us,
            row.created_us,
            row.due_us,
            row.started_us,
            row.viewed_us,
            completed_us,
            row.last_completed_us or completed_us,
            closes_us,
        )
    )
    plan.ways.append(Way(row.user_course, len(plan.stints), until_us, before))


def _set_back_us(row: CourseRow) -> int | None:
    """When it was, if it was: completed once, and not, or again, since."""
    if row.last_completed_us is None:
        return None
    completed_us = _completed_us(row)
    is_one = completed_us is not None and completed_us <= row.last_completed_us + SOON_US
    return None if is_one else row.last_completed_us


def _completed_us(row: CourseRow) -> int | None:
    """A status of Completed without a date is one of when it was last viewed, or changed."""
    if row.completed_us is not None or not row.is_completed:
        return row.completed_us
    return row.last_completed_us or row.viewed_us or row.updated_us
