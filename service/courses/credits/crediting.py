"""Giving credits: what a user watched of an attempt's lessons while these were not assigned, session by session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.counters.coverage import bitmap_of, seen_of
from service.courses.assigning.noting import Credited, credited_of
from service.courses.credits.credit import Watching, credit_of, seen_with, window_us
from service.courses.queries import query
from service.courses.zones import zone_of
from service.db.digests import digest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import asyncpg

    from service.courses.assigning.noting import Key
    from service.courses.credits.credit import Credit
    from service.courses.model import Assignment, Attempt, Course, CreditPolicy, Lesson
    from service.db.connections import Connection

VIEWINGS_MAX = 1000
"""Sessions of one user with one movie that are looked at: the earliest. Nobody watches anything so often."""

Place = tuple[str, int]
"""A session and a scope: a viewing, among those of one movie and user."""


@dataclass(frozen=True, slots=True)
class GivenShare:
    """What one session gave to a credit, and no share before it."""

    slug: str
    session: str
    scope: int
    first_us: int
    last_us: int
    seen: int


@dataclass(frozen=True, slots=True)
class GivenCredit:
    """What an attempt is credited of one video of a lesson at one time. Without a number it was only tried.

    `since_us` and `until_us` are the window of its `policy`; `withdrawn_us` is the completion that stood on it.
    """

    credit: int | None
    attempt: int
    course: str
    user: str
    lesson: str
    revision: int
    policy: CreditPolicy
    since_us: int
    until_us: int
    created_us: int
    created_by: str | None
    seen: int
    shares: tuple[GivenShare, ...] = ()
    taken_back_us: int | None = None
    taken_back_by: str | None = None
    withdrawn_us: int | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """For which attempt credits are asked for, by whom, when, and of what was watched until when."""

    attempt: Attempt
    course: Course
    until_us: int
    since_us: int
    now_us: int
    by: str | None


def grant_of(assignment: Assignment, course: Course, now_us: int, by: str | None) -> Grant:
    """The window ends with the assignment, or where the attempt came after it."""
    until_us = max(assignment.assigned_us, assignment.attempt.opened_us)
    since_us = window_us(course.terms.credit, until_us, zone_of(course.terms.time_zone))
    return Grant(assignment.attempt, course, until_us, since_us, now_us, by)


async def find_credits(
    connection: Connection, grant: Grant, lessons: Collection[Lesson]
) -> list[GivenCredit]:
    """What there is to be credited of these lessons, beside what was credited already."""
    watched = await _watched(connection, grant, lessons)
    standing = await credited_of(connection, [grant.attempt.attempt])
    found = (_find(grant, lesson, watched.get(lesson.lesson, {}), standing) for lesson in lessons)
    return [credit for credit in found if credit.shares]


async def keep_credits(connection: Connection, grant: Grant, found: Sequence[GivenCredit]) -> dict[str, int]:
    """Gives the number of each, by lesson."""
    policy = grant.course.terms.credit
    rows = await connection.fetch(
        query("insert_credits"),
        grant.attempt.attempt,
        grant.attempt.user,
        grant.now_us,
        grant.by,
        policy.window_months,
        policy.cap_permille,
        policy.includes_flagged,
        grant.since_us,
        grant.until_us,
        [credit.lesson for credit in found],
        [credit.revision for credit in found],
        [bitmap_of(credit.seen) for credit in found],
        [credit.seen.bit_count() for credit in found],
    )
    numbers = {row["lesson"]: row["credit"] for row in rows}
    shares = [
        (numbers[credit.lesson], place, *_columns(share))
        for credit in found
        for place, share in enumerate(credit.shares)
    ]
    await connection.execute(query("insert_credit_shares"), *map(list, zip(*shares, strict=True)))
    return numbers


def _columns(share: GivenShare) -> tuple[object, ...]:
    return (share.slug, share.session, share.scope, share.first_us, share.last_us, bitmap_of(share.seen))


async def _watched(
    connection: Connection, grant: Grant, lessons: Collection[Lesson]
) -> dict[str, dict[Place, asyncpg.Record]]:
    """Viewings by lesson. Where a lesson's earlier video was the same movie, only those of its video of now."""
    names = [lesson.lesson for lesson in lessons]
    dates = await connection.fetch(query("select_revision_dates"), names)
    made_us = {row["lesson"]: row["made_at"] if row["is_known_movie"] else 0 for row in dates}
    rows = await connection.fetch(
        query("select_creditable_viewings"),
        grant.attempt.user,
        names,
        [digest(lesson.slug) for lesson in lessons],
        grant.since_us,
        VIEWINGS_MAX,
        grant.attempt.attempt,
    )
    watched: dict[str, dict[Place, asyncpg.Record]] = {}
    for row in rows:
        if row["first_at"] >= made_us[row["lesson"]]:
            watched.setdefault(row["lesson"], {})[row["session"], row["scope"]] = row
    return watched


def _find(
    grant: Grant, lesson: Lesson, watched: Mapping[Place, asyncpg.Record], standing: Mapping[Key, Credited]
) -> GivenCredit:
    policy = grant.course.terms.credit
    key = (grant.attempt.attempt, lesson.lesson, lesson.revision)
    given = standing.get(key, Credited(0, 0)).seen
    credit = credit_of(map(_watching, watched.values()), policy, lesson.duration_ms, grant.since_us, given)
    return GivenCredit(
        None,
        grant.attempt.attempt,
        grant.course.course,
        grant.attempt.user,
        lesson.lesson,
        lesson.revision,
        policy,
        grant.since_us,
        grant.until_us,
        grant.now_us,
        grant.by,
        seen_with(0, credit),
        tuple(_shares(credit, watched)),
    )


def _watching(row: asyncpg.Record) -> Watching:
    return Watching(
        row["session"], row["last_at"], seen_of(row["seen"]), seen_of(row["flagged"]), row["scope"]
    )


def _shares(credit: Credit, watched: Mapping[Place, asyncpg.Record]) -> Iterable[GivenShare]:
    for share in credit:
        row = watched[share.session, share.scope]
        yield GivenShare(row["slug"], share.session, share.scope, row["first_at"], row["last_at"], share.seen)
