"""Taking a credit back: what stood on it alone does not stand any more, and everything else stays as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from service.courses.assigning.noting import Progress, counted_of, credited_of, judge, needs_of, records_of
from service.courses.queries import query
from service.courses.rows import attempt_of
from service.courses.watching.viewed import progress_of

if TYPE_CHECKING:
    from service.courses.assigning.noting import Counted
    from service.courses.credits.crediting import GivenCredit
    from service.courses.model import Attempt, LessonRecord
    from service.db.connections import Connection


async def withdraw(connection: Connection, credit: GivenCredit, now_us: int, by: str | None) -> None:
    """Inside a transaction that has locked the assignment. The attempt may be closed by now."""
    row = await connection.fetchrow(query("select_attempt"), credit.attempt)
    assert row is not None
    attempt = attempt_of(row)
    await connection.execute(query("take_credit_back"), credit.credit, now_us, by, None)
    has = await _record(connection, credit)
    if has is None:
        return
    left = await _left(connection, credit, attempt)
    withdrawn_us = None if _stands(has, left, credit) else has.completed_us
    await _correct(connection, has, left, withdrawn_us)
    await connection.execute(query("take_credit_back"), credit.credit, now_us, by, withdrawn_us)
    await judge(connection, [attempt if withdrawn_us is None else replace(attempt, completed_us=None)])
    await connection.execute(query("correct_completion"), attempt.course, attempt.user)


async def _record(connection: Connection, credit: GivenCredit) -> LessonRecord | None:
    for record in await records_of(connection, [credit.attempt]):
        if (record.lesson, record.revision) == (credit.lesson, credit.revision):
            return record
    return None


async def _left(connection: Connection, credit: GivenCredit, attempt: Attempt) -> Counted | None:
    """What counts without it; None where nothing of the video was watched, nor is credited."""
    key = (credit.attempt, credit.lesson, credit.revision)
    watched = (await progress_of(connection, [credit.attempt])).get(key)
    credited = (await credited_of(connection, [credit.attempt])).get(key)
    if watched is None:
        if credited is None:
            return None
        watched = Progress(*key, 0, 0, 0, credited.created_us, None)
    [needs] = (await needs_of(connection, [watched], {attempt.attempt: attempt})).values()
    return counted_of(watched, credited, needs)


def _stands(has: LessonRecord, left: Counted | None, credit: GivenCredit) -> bool:
    """Whether the lesson is as complete as it was: also where it was so before the credit was given."""
    if has.completed_us is None or has.completed_us < credit.created_us:
        return True
    return left is not None and left.completed_us is not None


async def _correct(
    connection: Connection, has: LessonRecord, left: Counted | None, withdrawn_us: int | None
) -> None:
    key = (has.attempt, has.lesson, has.revision)
    if left is None and has.last_viewed_us is None:
        await connection.execute(query("delete_attempt_lesson"), *key)
        return
    cells, started_us = (left.seen_cells, left.started_us) if left else (has.seen_cells, has.started_us)
    completed_us = has.completed_us if withdrawn_us is None else None
    await connection.execute(query("correct_attempt_lesson"), *key, cells, started_us, completed_us)
