"""Credits: what was watched before an assignment counts for it once, by session, until it is taken back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg
import pytest

from service.courses.cells import spans_of
from service.courses.credits.credit import seen_with
from service.courses.model import CreditPolicy, Status, Terms
from service.errors import Conflict, NotFound
from tests.courses.school import DAY_US, INTRO, NOW, RULES, assign, at, note, put, seen
from tests.courses.viewings import Viewings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.courses.credits.crediting import GivenCredit
    from service.courses.model import Attempt
    from service.courses.store import Courses

BEFORE = NOW - 10 * DAY_US
GIVEN = NOW + DAY_US
DRAFT_ELSEWHERE = replace(RULES, lesson="rules elsewhere")


@pytest.fixture
async def viewings(courses: Courses, module_database_url: str) -> AsyncIterator[Viewings]:
    assert courses
    made = await Viewings.connect(module_database_url)
    yield made
    await made.close()


async def assigned(courses: Courses, viewings: Viewings, *, terms: Terms | None = None) -> int:
    """Ann's attempt, for which the scopes from 1 on count."""
    await put(courses)
    if terms is not None:
        await courses.catalogue.put("safety", terms, (INTRO, RULES), NOW)
    attempt = (await assign(courses)).attempt.attempt
    await viewings.own(attempt, "intro", "intro-v1", 1)
    await viewings.own(attempt, "rules", "rules-v1", 1)
    return attempt


async def read(courses: Courses, attempt: int) -> tuple[Attempt, dict[str, int]]:
    """With how many cells of each lesson count."""
    found, records = await courses.attempts.get(attempt)
    return found, {record.lesson: record.seen_cells for record in records}


def shares(credit: GivenCredit) -> list[tuple[str, int, tuple[tuple[int, int], ...]]]:
    return [(share.session, share.scope, spans_of(share.seen)) for share in credit.shares]


async def test_a_credit_is_the_union_of_cells_and_says_which_session_gave_what(
    courses: Courses, viewings: Viewings
) -> None:
    await viewings.add("intro-v1", (0, 40), session="a", at_us=BEFORE)
    await viewings.add("intro-v1", (30, 60), (90, 130), session="b", at_us=BEFORE + 1)
    attempt = await assigned(courses, viewings)
    [credit] = await courses.credits.give(attempt, GIVEN, "eve")
    assert shares(credit) == [("a", 0, ((0, 40),)), ("b", 0, ((40, 60), (90, 100)))]
    assert (credit.lesson, credit.created_by, credit.until_us) == ("intro", "eve", NOW)
    assert credit.since_us == at("2025-03-01")
    assert credit.credit is not None
    assert await courses.credits.get(credit.credit) == credit
    found, cells = await read(courses, attempt)
    assert (found.status, found.started_us, found.last_viewed_us) == (Status.IN_PROGRESS, GIVEN, None)
    assert cells == {"intro": 70}


async def test_crediting_twice_changes_nothing_and_what_came_late_is_added(
    courses: Courses, viewings: Viewings
) -> None:
    await viewings.add("intro-v1", (0, 40), session="a", at_us=BEFORE)
    attempt = await assigned(courses, viewings)
    first = await courses.credits.give(attempt, GIVEN)
    before = await courses.attempts.get(attempt)
    assert await courses.credits.give(attempt, GIVEN + 1) == []
    assert await courses.attempts.get(attempt) == before
    await viewings.add("intro-v1", (20, 50), session="late", at_us=BEFORE - 5)
    [added] = await courses.credits.give(attempt, GIVEN + 2)
    assert shares(added) == [("late", 0, ((40, 50),))]
    listed = await courses.credits.of_attempt(attempt, 10, 2**62)
    assert [one.credit for one in listed] == [added.credit, first[0].credit]
    assert await courses.credits.of_user("ann", 10, 2**62) == listed
    assert (await read(courses, attempt))[1] == {"intro": 50}


async def test_credits_that_are_given_at_the_same_moment_never_overlap(
    courses: Courses, viewings: Viewings
) -> None:
    await viewings.add("intro-v1", (0, 40), session="a", at_us=BEFORE)
    attempt = await assigned(courses, viewings)
    given = await asyncio.gather(*(courses.credits.give(attempt, GIVEN) for _ in range(8)))
    assert sorted(len(found) for found in given) == [0] * 7 + [1]


async def test_what_a_credit_lacks_is_watched_and_completes_the_lesson(
    courses: Courses, viewings: Viewings
) -> None:
    """Complete is a lesson when the last of the two came, and not when the first did."""
    await viewings.add("intro-v1", (0, 60), at_us=BEFORE)
    await viewings.add("rules-v1", (0, 61), at_us=BEFORE)
    attempt = await assigned(courses, viewings)
    await viewings.add("intro-v1", (55, 80), scope=1, at_us=NOW + 5)
    await courses.credits.give(attempt, GIVEN)
    found, cells = await read(courses, attempt)
    assert cells == {"intro": 80, "rules": 61}
    assert (found.status, found.started_us, found.last_viewed_us) == (Status.IN_PROGRESS, NOW + 5, NOW + 5)
    rest = seen("intro", 0, GIVEN + 9)._replace(seen=seen_with(0, ()) | (1 << 100) - (1 << 60))
    assert (await note(courses, attempt, rest)).completed_us == GIVEN + 9


async def test_a_credit_that_is_enough_completes_when_it_is_given(
    courses: Courses, viewings: Viewings
) -> None:
    for slug in ("intro-v1", "rules-v1"):
        await viewings.add(slug, (0, 100), at_us=BEFORE)
    attempt = await assigned(courses, viewings)
    assert [one.lesson for one in await courses.credits.give(attempt, GIVEN, lessons=["rules"])] == ["rules"]
    assert (await read(courses, attempt))[0].status is Status.IN_PROGRESS
    await courses.credits.give(attempt, GIVEN + 1)
    assert (await read(courses, attempt))[0].completed_us == GIVEN + 1
    assert (await courses.assignments.get("safety", "ann")).last_completed_us == GIVEN + 1


async def test_a_trial_changes_nothing(courses: Courses, viewings: Viewings) -> None:
    await viewings.add("intro-v1", (0, 40), at_us=BEFORE)
    attempt = await assigned(courses, viewings)
    before = await courses.attempts.get(attempt)
    [tried] = await courses.credits.give(attempt, GIVEN, is_trial=True)
    assert (tried.credit, shares(tried)) == (None, [("s", 0, ((0, 40),))])
    assert await courses.attempts.get(attempt) == before
    assert await courses.credits.of_attempt(attempt, 10, 2**62) == []


async def test_what_counted_for_an_attempt_at_the_lesson_is_no_credit(
    courses: Courses, viewings: Viewings
) -> None:
    """Whichever attempt; and what an earlier one could have been credited is none for a later one. What was watched
    while the course was taken away is one, and so is what counted for another course.
    """
    first = await assigned(courses, viewings)
    await put(courses, "elsewhere", DRAFT_ELSEWHERE)
    theirs = (await assign(courses, course="elsewhere")).attempt.attempt
    await viewings.own(theirs, DRAFT_ELSEWHERE.lesson, "rules-v1", 0)
    renewed = (await courses.attempts.renew("safety", "ann", 1, None, NOW + 1)).attempt
    await viewings.end(first, 3)
    await viewings.own(renewed, "intro", "intro-v1", 6)
    for scope in range(8):
        await viewings.add("intro-v1", (scope, scope + 1), scope=scope, at_us=NOW)
    await viewings.add("rules-v1", (0, 5), scope=4, at_us=NOW)
    intro, rules = await courses.credits.give(renewed, GIVEN)
    assert spans_of(intro.seen) == ((4, 6),)
    assert spans_of(rules.seen) == ((0, 5),)


async def test_window_cap_and_flags_are_those_of_the_course(courses: Courses, viewings: Viewings) -> None:
    await viewings.add("intro-v1", (0, 20), session="old", at_us=at("2026-01-31T23:59"))
    await viewings.add("intro-v1", (20, 60), session="new", at_us=at("2026-02-01"), flagged=(30, 40))
    terms = Terms("Safety", credit=CreditPolicy(window_months=1, cap_permille=250))
    attempt = await assigned(courses, viewings, terms=terms)
    [credit] = await courses.credits.give(attempt, GIVEN)
    assert shares(credit) == [("new", 0, ((20, 30), (40, 55)))]
    assert (credit.policy, credit.since_us) == (terms.credit, at("2026-02-01"))
    more = replace(terms, credit=CreditPolicy(window_months=2, includes_flagged=True))
    await courses.catalogue.put("safety", more, (INTRO, RULES), NOW)
    [rest] = await courses.credits.give(attempt, GIVEN)
    assert shares(rest) == [("old", 0, ((0, 20),)), ("new", 0, ((30, 40), (55, 60)))]


async def test_a_video_that_was_replaced_under_the_same_name_is_another_one(
    courses: Courses, viewings: Viewings
) -> None:
    await put(courses, now_us=NOW - 20 * DAY_US)
    await put(courses, "safety", replace(INTRO, revision=2), RULES, now_us=NOW - 5 * DAY_US)
    await viewings.add("intro-v1", (0, 50), session="before", at_us=BEFORE)
    await viewings.add("intro-v1", (0, 20), session="after", at_us=NOW - DAY_US)
    attempt = (await assign(courses)).attempt.attempt
    [credit] = await courses.credits.give(attempt, GIVEN)
    assert (credit.revision, shares(credit)) == (2, [("after", 0, ((0, 20),))])


async def test_taken_back_a_credit_leaves_what_was_watched(courses: Courses, viewings: Viewings) -> None:
    await viewings.add("intro-v1", (0, 60), at_us=BEFORE)
    attempt = await assigned(courses, viewings)
    await viewings.add("intro-v1", (50, 70), scope=1, at_us=NOW + 5)
    [credit] = await courses.credits.give(attempt, GIVEN)
    assert (await read(courses, attempt))[1] == {"intro": 70}
    gone = await take_back(courses, credit)
    assert (gone.taken_back_us, gone.taken_back_by, gone.withdrawn_us) == (GIVEN + 9, "eve", None)
    found, cells = await read(courses, attempt)
    assert (cells, found.status, found.started_us) == ({"intro": 20}, Status.IN_PROGRESS, NOW + 5)
    assert await take_back(courses, credit, GIVEN + 99) == gone
    [again] = await courses.credits.give(attempt, GIVEN + 100)
    assert shares(again) == shares(credit)
    assert (await read(courses, attempt))[1] == {"intro": 70}


async def take_back(courses: Courses, credit: GivenCredit, now_us: int = GIVEN + 9) -> GivenCredit:
    assert credit.credit is not None
    return await courses.credits.take_back(credit.credit, now_us, "eve")


async def test_a_completion_that_stood_on_a_credit_is_withdrawn_with_it(
    courses: Courses, viewings: Viewings
) -> None:
    for slug in ("intro-v1", "rules-v1"):
        await viewings.add(slug, (0, 100), at_us=BEFORE)
    attempt = await assigned(courses, viewings)
    intro, rules = await courses.credits.give(attempt, GIVEN)
    gone = await take_back(courses, rules)
    assert gone.withdrawn_us == GIVEN
    found, cells = await read(courses, attempt)
    assert (found.status, found.completed_us, cells) == (Status.IN_PROGRESS, None, {"intro": 100})
    assert (await courses.assignments.get("safety", "ann")).last_completed_us is None
    await take_back(courses, intro)
    fresh = (await courses.attempts.get(attempt))[0]
    assert (fresh.status, fresh.started_us) == (Status.ASSIGNED, None)


async def test_what_was_completed_without_a_credit_stays_completed(
    courses: Courses, viewings: Viewings
) -> None:
    """Before it was given, or by watching on since; also where the threshold rose later."""
    attempt = await assigned(courses, viewings)
    for slug, cells in (("intro-v1", 95), ("rules-v1", 20)):
        await viewings.add(slug, (0, cells), scope=1, at_us=NOW + 5)
        await viewings.add(slug, (0, 100), at_us=BEFORE)
    await note(courses, attempt, seen("intro", 95, NOW + 5), seen("rules", 20, NOW + 5))
    intro, rules = await courses.credits.give(attempt, GIVEN)
    done = (await read(courses, attempt))[0]
    assert done.completed_us == GIVEN
    await viewings.add("rules-v1", (0, 61), scope=1, at_us=GIVEN + 5)
    await put(courses, "safety", replace(INTRO, threshold_permille=1000), RULES)
    assert (await take_back(courses, intro)).withdrawn_us is None
    assert (await take_back(courses, rules)).withdrawn_us is None
    found, cells_now = await read(courses, attempt)
    assert (found.completed_us, cells_now) == (GIVEN, {"intro": 95, "rules": 61})


async def test_a_closed_attempt_is_credited_nothing_but_gives_back(
    courses: Courses, viewings: Viewings
) -> None:
    await viewings.add("intro-v1", (0, 50), at_us=BEFORE)
    attempt = await assigned(courses, viewings)
    [credit] = await courses.credits.give(attempt, GIVEN)
    await courses.attempts.renew("safety", "ann", 1, None, GIVEN + 1)
    with pytest.raises(Conflict, match="closed"):
        await courses.credits.give(attempt, GIVEN + 2)
    await take_back(courses, credit)
    assert (await read(courses, attempt))[1] == {}


async def test_what_is_not_there_is_not_found(courses: Courses, viewings: Viewings) -> None:
    attempt = await assigned(courses, viewings)
    for asked in (
        courses.credits.give(attempt + 999, NOW),
        courses.credits.give(attempt, NOW, lessons=["nothing"]),
        courses.credits.get(999_999_999),
        courses.credits.take_back(999_999_999, NOW),
    ):
        with pytest.raises(NotFound):
            await asked


async def test_whoever_is_erased_leaves_no_credit(
    courses: Courses, viewings: Viewings, module_database_url: str
) -> None:
    await viewings.add("intro-v1", (0, 50), at_us=BEFORE)
    attempt = await assigned(courses, viewings)
    await viewings.add("intro-v1", (50, 60), scope=1)
    await courses.credits.give(attempt, GIVEN)
    await courses.assignments.erase("ann")
    connection = await asyncpg.connect(module_database_url)
    for table in ("credits", "credit_shares", "attempt_speeds"):
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
    await connection.close()


async def test_how_long_at_which_speed_is_kept_with_each_note(
    courses: Courses, viewings: Viewings, module_database_url: str
) -> None:
    attempt = await assigned(courses, viewings)
    await viewings.add("intro-v1", (0, 60), session="a", scope=1)
    await viewings.add("intro-v1", (0, 30), session="b", scope=2, speed=2000)
    await viewings.add("intro-v1", (30, 40), session="c", scope=2, speed=2000)
    await viewings.add("intro-v1", (0, 90), session="before", scope=0)
    await note(courses, attempt, seen("intro", 60))
    connection = await asyncpg.connect(module_database_url)
    rows = await connection.fetch("SELECT speed, watch_ms, effective_ms FROM attempt_speeds ORDER BY speed")
    await connection.close()
    assert [tuple(row) for row in rows] == [(1000, 60_000, 60_000), (2000, 40_000, 20_000)]
