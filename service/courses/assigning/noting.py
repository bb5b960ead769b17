"""Keeping what was counted for attempts, many at once: what each has of its lessons, and whether that completes it.

What counts of a lesson are the cells that were seen and those that the attempt is credited, which are looked up here.
A lesson that was completed once stays so for its attempt, whatever becomes of its video or threshold; and so does the
attempt, whatever lessons its course gets. Nothing goes back, so notes may come late, twice and in any order.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from service.counters.coverage import seen_of
from service.courses.assigning.opening import lock
from service.courses.cells import all_of
from service.courses.completion import LessonState, needed_cells, status_of
from service.courses.dates import latest
from service.courses.model import Status, cells_of
from service.courses.queries import query
from service.courses.rows import attempt_of, record_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from service.courses.model import Attempt, LessonRecord
    from service.db.connections import Connection


class Progress(NamedTuple):
    """What was counted of one revision of a lesson, for one attempt: all of it, not what is new.

    Bit n of `seen` is cell n. What was only credited so far was started then, and has no last view.
    """

    attempt: int
    lesson: str
    revision: int
    seen: int
    watch_ms: int
    effective_ms: int
    started_us: int
    last_viewed_us: int | None


class Credited(NamedTuple):
    """What an attempt is credited of one revision; `created_us` is when the last of it was."""

    seen: int
    created_us: int


class Counted(NamedTuple):
    """What is kept of one revision of a lesson, in the order of its columns."""

    attempt: int
    lesson: str
    revision: int
    seen_cells: int
    watch_ms: int
    effective_ms: int
    started_us: int
    last_viewed_us: int | None
    completed_us: int | None


class Unkept(StrEnum):
    """Why something was not kept."""

    UNKNOWN_ATTEMPT = "unknown_attempt"
    ATTEMPT_CLOSED = "attempt_closed"
    UNKNOWN_LESSON = "unknown_lesson"


class Needs(NamedTuple):
    """How many cells a lesson has, and how many of them complete it."""

    cells: int
    needed_cells: int


Key: TypeAlias = tuple[int, str, int]
"""Attempt, lesson and revision."""

Needed: TypeAlias = dict[tuple[str, str, int], Needs]
"""By course, lesson and revision."""


async def note(
    connection: Connection, progress: Sequence[Progress], *, with_closed: bool = False
) -> list[Unkept | None]:
    """Inside a transaction. Gives why each was not kept; None where it was.

    `with_closed`: who knows that it was watched while the attempt was open may note it later, too.
    """
    attempts = await _locked(connection, {one.attempt for one in progress})
    needed = await needs_of(connection, progress, attempts)
    outcomes = [_refusal(one, attempts, needed, with_closed=with_closed) for one in progress]
    kept = _folded(one for one, refused in zip(progress, outcomes, strict=True) if refused is None)
    if kept:
        credited = await credited_of(connection, {one.attempt for one in kept})
        counted = [
            counted_of(
                one, credited.get(one[:3]), needed[attempts[one.attempt].course, one.lesson, one.revision]
            )
            for one in kept
        ]
        await connection.execute(query("upsert_attempt_lessons"), *map(list, zip(*counted, strict=True)))
        noted = sorted({one.attempt for one in kept})
        await connection.execute(query("upsert_attempt_speeds"), noted)
        await judge(connection, [attempts[number] for number in noted])
    return outcomes


async def records_of(connection: Connection, attempts: Collection[int]) -> list[LessonRecord]:
    """What these attempts have of their lessons, by attempt, lesson and revision."""
    return [record_of(row) for row in await connection.fetch(query("select_attempt_lessons"), list(attempts))]


async def credited_of(connection: Connection, attempts: Collection[int]) -> dict[Key, Credited]:
    """What these attempts are credited, by attempt, lesson and revision."""
    credited: dict[Key, Credited] = {}
    for row in await connection.fetch(query("select_standing_credits"), list(attempts)):
        key = (row["attempt"], row["lesson"], row["revision"])
        known = credited.get(key, Credited(0, 0))
        seen, created_us = known.seen | seen_of(row["seen"]), max(known.created_us, row["created_at"])
        credited[key] = Credited(seen, created_us)
    return credited


async def _locked(connection: Connection, numbers: Collection[int]) -> dict[int, Attempt]:
    """As they are once nobody else may change them."""
    found = await connection.fetch(query("select_attempts_noted"), list(numbers))
    await lock(connection, [(row["course"], row["user_id"]) for row in found])
    rows = await connection.fetch(query("select_attempts_noted"), list(numbers))
    return {row["attempt"]: attempt_of(row) for row in rows}


async def needs_of(
    connection: Connection, progress: Iterable[Progress], attempts: Mapping[int, Attempt]
) -> Needed:
    keys = sorted(
        {
            (attempts[one.attempt].course, one.lesson, one.revision)
            for one in progress
            if one.attempt in attempts
        }
    )
    rows = await connection.fetch(
        query("select_judged_revisions"),
        [course for course, _, _ in keys],
        [lesson for _, lesson, _ in keys],
        [revision for _, _, revision in keys],
    )
    return {
        (row["course"], row["lesson"], row["revision"]): Needs(
            cells_of(row["duration_ms"]), needed_cells(row["duration_ms"], row["threshold_permille"])
        )
        for row in rows
    }


def _refusal(
    one: Progress, attempts: Mapping[int, Attempt], needed: Needed, *, with_closed: bool
) -> Unkept | None:
    attempt = attempts.get(one.attempt)
    if attempt is None:
        return Unkept.UNKNOWN_ATTEMPT
    if attempt.closed_us is not None and not with_closed:
        return Unkept.ATTEMPT_CLOSED
    return None if (attempt.course, one.lesson, one.revision) in needed else Unkept.UNKNOWN_LESSON


def _folded(kept: Iterable[Progress]) -> list[Progress]:
    """One for each revision of each attempt."""
    folded: dict[Key, Progress] = {}
    for one in kept:
        known = folded.setdefault(one[:3], one)
        folded[one[:3]] = one._replace(
            seen=known.seen | one.seen,
            watch_ms=max(known.watch_ms, one.watch_ms),
            effective_ms=max(known.effective_ms, one.effective_ms),
            started_us=min(known.started_us, one.started_us),
            last_viewed_us=latest([known.last_viewed_us, one.last_viewed_us]),
        )
    return list(folded.values())


def counted_of(one: Progress, credited: Credited | None, needs: Needs) -> Counted:
    """What was seen completes a lesson with its last view; where it takes a credit, not before that was given."""
    whole = all_of(needs.cells)
    counts, started_us, done_us = one.seen & whole, one.started_us, one.last_viewed_us
    is_complete = counts.bit_count() >= needs.needed_cells
    if credited is not None:
        counts |= credited.seen & whole
        started_us = min(started_us, credited.created_us)
        done_us = done_us if is_complete else latest([done_us, credited.created_us])
        is_complete = counts.bit_count() >= needs.needed_cells
    return Counted(
        *one[:3],
        counts.bit_count(),
        one.watch_ms,
        one.effective_ms,
        started_us,
        one.last_viewed_us,
        done_us if is_complete else None,
    )


async def judge(connection: Connection, attempts: Sequence[Attempt]) -> None:
    """Bring the dates of attempts, and of their assignments, level with what they have of their lessons."""
    records: dict[int, list[LessonRecord]] = {attempt.attempt: [] for attempt in attempts}
    for record in await records_of(connection, records):
        records[record.attempt].append(record)
    lessons: dict[str, list[str]] = {attempt.course: [] for attempt in attempts}
    for row in await connection.fetch(query("select_lessons"), list(lessons)):
        lessons[row["course"]].append(row["lesson"])
    completed_us = [
        _completion_us(attempt, records[attempt.attempt], lessons[attempt.course]) for attempt in attempts
    ]
    await connection.execute(
        query("update_attempts"),
        list(records),
        [min((record.started_us for record in has), default=None) for has in records.values()],
        [latest(record.last_viewed_us for record in has) for has in records.values()],
        completed_us,
    )
    newly = [
        (attempt.course, attempt.user, done_us)
        for attempt, done_us in zip(attempts, completed_us, strict=True)
        if attempt.completed_us is None and done_us is not None
    ]
    if newly:
        await connection.execute(query("complete_assignments"), *map(list, zip(*newly, strict=True)))


def _completion_us(attempt: Attempt, has: Sequence[LessonRecord], lessons: Sequence[str]) -> int | None:
    """When the attempt was completed: with the last of its course's lessons, each by whichever revision came first.

    Not before it was opened, also where a device tells late what was played before: renewals count from it.
    """
    if attempt.completed_us is not None:
        return attempt.completed_us
    begun = {record.lesson for record in has}
    first_us: dict[str, int] = {}
    for record in has:
        if record.completed_us is not None:
            earlier_us = first_us.get(record.lesson, record.completed_us)
            first_us[record.lesson] = min(earlier_us, record.completed_us)
    states = [LessonState(lesson in begun, lesson in first_us) for lesson in lessons]
    if status_of(states) is not Status.COMPLETED:
        return None
    return max(attempt.opened_us, *(first_us[lesson] for lesson in lessons))
