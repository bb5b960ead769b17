"""Attempts: one is open at most, the others stay as they were; the next one comes by hand or by rule."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from service.courses.assigning.assigning import Wish
from service.courses.model import Opening, Renewal, Status, Terms
from service.courses.store import Courses
from service.errors import Conflict
from tests.courses.school import DAY_US, INTRO, NOW, RULES, YEARLY, assign, at, complete, note, put, seen

MONTHS_OFF = 7


async def open_attempts(database_url: str) -> list[int]:
    """How many open attempts each assignment has."""
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(
        "SELECT count(*) FROM attempts WHERE closed_at IS NULL GROUP BY course, user_id"
    )
    await connection.close()
    return [row["count"] for row in rows]


async def test_watching_starts_an_attempt_and_its_last_lesson_completes_it(courses: Courses) -> None:
    await put(courses)
    attempt = (await assign(courses)).attempt.attempt
    begun = await note(courses, attempt, seen("intro", 94, NOW + 20, since_us=NOW + 10))
    assert (begun.status, begun.started_us, begun.last_viewed_us) == (Status.IN_PROGRESS, NOW + 10, NOW + 20)
    half = await note(courses, attempt, seen("intro", 95, NOW + 30))
    assert (half.status, half.started_us, half.last_viewed_us) == (Status.IN_PROGRESS, NOW + 10, NOW + 30)
    whole = await note(courses, attempt, seen("rules", 58, NOW + 40))
    assert (whole.status, whole.completed_us) == (Status.COMPLETED, NOW + 40)
    assert (await courses.assignments.get("safety", "ann")).last_completed_us == NOW + 40


async def test_no_attempt_is_completed_before_it_was_opened(courses: Courses) -> None:
    """What a device kept for a year and tells now must not be due for renewal at once."""
    await put(courses)
    attempt = (await assign(courses)).attempt.attempt
    done = await complete(courses, attempt, NOW - 366 * DAY_US)
    assert (done.status, done.completed_us) == (Status.COMPLETED, done.opened_us)


async def test_what_is_noted_late_or_again_changes_nothing(courses: Courses) -> None:
    await put(courses)
    attempt = (await assign(courses)).attempt.attempt
    done = await complete(courses, attempt, NOW + 100)
    records = (await courses.attempts.get(attempt))[1]
    assert await complete(courses, attempt, NOW + 100) == done
    late = await note(courses, attempt, seen("intro", 4, NOW + 50), seen("rules", 61, NOW + 200))
    assert late == replace(done, started_us=NOW + 50, last_viewed_us=NOW + 200)
    after = (await courses.attempts.get(attempt))[1]
    for one in (records, after):
        assert [(record.seen_cells, record.completed_us) for record in one] == [
            (100, NOW + 100),
            (61, NOW + 100),
        ]


async def test_of_what_is_noted_together_the_most_is_kept(courses: Courses) -> None:
    await put(courses)
    attempt = (await assign(courses)).attempt.attempt
    await note(courses, attempt, seen("intro", 3, NOW + 5), seen("intro", 4, NOW + 9), seen("intro", 2, NOW))
    [record] = (await courses.attempts.get(attempt))[1]
    assert (record.seen_cells, record.started_us, record.last_viewed_us) == (4, NOW, NOW + 9)


async def test_a_lesson_counts_from_the_first_video_of_it_that_was_completed(courses: Courses) -> None:
    await put(courses)
    attempt = (await assign(courses)).attempt.attempt
    await note(courses, attempt, seen("intro", 100))
    await put(courses, "safety", replace(INTRO, slug="intro-v2"), RULES)
    await note(courses, attempt, seen("intro", 100, NOW + 10, revision=2))
    done = await note(courses, attempt, seen("rules", 61, NOW + 5))
    assert (done.completed_us, done.last_viewed_us) == (NOW + 5, NOW + 10)


async def test_the_last_two_lessons_completed_at_the_same_moment_complete_the_attempt(
    courses: Courses,
) -> None:
    await put(courses)
    for number in range(12):
        attempt = (await assign(courses, f"user {number}")).attempt.attempt
        await asyncio.gather(
            note(courses, attempt, seen("intro", 100)), note(courses, attempt, seen("rules", 61))
        )
        assert (await courses.attempts.get(attempt))[0].status is Status.COMPLETED


async def test_two_devices_at_the_same_moment_lose_nothing(courses: Courses) -> None:
    await put(courses)
    attempt = (await assign(courses)).attempt.attempt
    notes = [note(courses, attempt, seen("intro", cells, NOW + cells)) for cells in range(1, 101)]
    notes += [note(courses, attempt, seen("rules", cells, NOW + cells)) for cells in range(1, 61)]
    await asyncio.gather(*notes)
    found, records = await courses.attempts.get(attempt)
    assert [(record.lesson, record.seen_cells) for record in records] == [("intro", 100), ("rules", 60)]
    assert (found.status, found.started_us, found.last_viewed_us) == (Status.COMPLETED, NOW + 1, NOW + 100)


async def test_old_coverage_stays_with_the_old_video(courses: Courses) -> None:
    """Ninety cells of each of two videos complete neither; what was completed before its video changed stays so."""
    await put(courses)
    attempt = (await assign(courses)).attempt.attempt
    await note(courses, attempt, seen("intro", 90), seen("rules", 61))
    await put(courses, "safety", replace(INTRO, slug="intro-v2"), replace(RULES, slug="rules-v2"))
    assert (await note(courses, attempt, seen("intro", 90, revision=2))).completed_us is None
    whole = await note(courses, attempt, seen("intro", 95, NOW + 5, revision=2))
    assert whole.completed_us == NOW + 5
    records = (await courses.attempts.get(attempt))[1]
    assert [(record.lesson, record.revision, record.seen_cells) for record in records] == [
        ("intro", 1, 90),
        ("intro", 2, 95),
        ("rules", 1, 61),
    ]


async def test_a_completed_attempt_stays_so_when_its_course_gets_more_lessons(courses: Courses) -> None:
    await put(courses, "safety", INTRO)
    attempt = (await assign(courses)).attempt.attempt
    await note(courses, attempt, seen("intro", 100))
    await put(courses)
    more = await note(courses, attempt, seen("rules", 1, NOW + 5))
    assert (more.status, more.completed_us) == (Status.COMPLETED, NOW)


async def test_what_cannot_be_noted_is_said_and_keeps_back_nothing_else(courses: Courses) -> None:
    """Lessons of other courses, revisions that never were, attempts that never were or are closed; of many at once."""
    await put(courses)
    await put(courses, "fire", replace(INTRO, lesson="exits"))
    ann, bob = [(await assign(courses, user)).attempt.attempt for user in ("ann", "bob")]
    gone = (await assign(courses, "eve")).attempt.attempt
    await courses.assignments.unassign("safety", "eve", NOW)
    noted = [
        seen("intro", 100)._replace(attempt=ann),
        seen("exits", 5)._replace(attempt=ann),
        seen("none", 5)._replace(attempt=ann),
        seen("intro", 5, revision=2)._replace(attempt=bob),
        seen("intro", 5)._replace(attempt=ann + 1000),
        seen("intro", 5)._replace(attempt=gone),
        seen("intro", 7, NOW + 5)._replace(attempt=bob),
        seen("rules", 61, NOW + 9)._replace(attempt=ann),
    ]
    assert await courses.attempts.note(noted) == [
        None,
        "unknown_lesson",
        "unknown_lesson",
        "unknown_lesson",
        "unknown_attempt",
        "attempt_closed",
        None,
        None,
    ]
    found = [
        (one.user, one.attempt.status, one.last_completed_us)
        for one in await courses.assignments.of_course("safety", 9)
    ]
    assert found == [("ann", Status.COMPLETED, NOW + 9), ("bob", Status.IN_PROGRESS, None)]
    assert [one.seen_cells for one in (await courses.attempts.get(bob))[1]] == [7]
    assert (await courses.attempts.get(gone))[1] == []


async def test_nothing_noted_changes_nothing(courses: Courses) -> None:
    assert await courses.attempts.note([]) == []


async def test_a_renewal_by_hand_starts_afresh_and_keeps_what_was(courses: Courses) -> None:
    await put(courses)
    first = (await assign(courses)).attempt
    await note(courses, first.attempt, seen("intro", 40))
    second = await courses.attempts.renew("safety", "ann", 1, NOW + DAY_US, NOW + 5)
    assert (second.number, second.opened_by, second.due_us) == (2, Opening.RENEWAL, NOW + DAY_US)
    assert await courses.attempts.renew("safety", "ann", 1, None, NOW + 9) == second
    kept, [record] = await courses.attempts.get(first.attempt)
    assert (kept.status, kept.closed_us, record.seen_cells) == (Status.IN_PROGRESS, NOW + 5, 40)
    assert (await courses.attempts.get(second.attempt))[1] == []
    late = await courses.attempts.note([seen("intro", 50)._replace(attempt=first.attempt)])
    assert late == ["attempt_closed"]
    assert (await courses.attempts.get(first.attempt))[1] == [record]
    assert [one.number for one in await courses.attempts.of("safety", "ann", 10, 1000)] == [2, 1]
    assert [one.number for one in await courses.attempts.of("safety", "ann", 1, 2)] == [1]


async def test_a_renewal_names_the_attempt_that_it_renews(courses: Courses) -> None:
    await put(courses)
    await assign(courses)
    for after in (0, 2, 7):
        expected = "wrong_attempt" if after else None
        if expected is None:
            assert (await courses.attempts.renew("safety", "ann", after, None, NOW)).number == 1
            continue
        with pytest.raises(Conflict) as refused:
            await courses.attempts.renew("safety", "ann", after, None, NOW)
        assert refused.value.reason == expected
    await courses.assignments.unassign("safety", "ann", NOW)
    with pytest.raises(Conflict) as refused:
        await courses.attempts.renew("safety", "ann", 1, None, NOW)
    assert refused.value.reason == "not_assigned"


async def test_renewals_at_the_same_moment_open_one_attempt(
    courses: Courses, module_database_url: str
) -> None:
    """By hand, by rule and by other processes, while others assign."""
    await put(courses, renewal=YEARLY)
    others = [await Courses.connect(module_database_url) for _ in range(3)]
    users = [f"user {number}" for number in range(8)]
    for user in users:
        await complete(courses, (await assign(courses, user)).attempt.attempt)
    later = at("2027-02-15")
    await asyncio.gather(
        *(one.attempts.renew_due(later, 3) for one in others * 3),
        *(courses.attempts.renew("safety", user, 1, None, later) for user in users[:4]),
        courses.assignments.assign([Wish("safety", user) for user in users], later),
    )
    while await courses.attempts.renew_due(later, 3):
        pass
    found = await courses.assignments.of_course("safety", 10)
    assert [one.attempt.number for one in found] == [2] * len(users)
    assert await open_attempts(module_database_url) == [1] * len(users)
    for one in others:
        await one.close()


async def test_postgres_itself_refuses_a_second_open_attempt(
    courses: Courses, module_database_url: str
) -> None:
    await put(courses)
    await assign(courses)
    connection = await asyncpg.connect(module_database_url)
    insert = (
        "INSERT INTO attempts (course, user_id, number, opened_at, opened_by)"
        " VALUES ('safety', 'ann', 2, now(), 'rule')"
    )
    with pytest.raises(asyncpg.UniqueViolationError, match="uq_attempts_open"):
        await connection.execute(insert)
    await connection.close()


async def test_a_rule_opens_the_next_attempt_on_its_day(courses: Courses) -> None:
    await put(courses, renewal=YEARLY)
    await complete(courses, (await assign(courses)).attempt.attempt, at("2026-03-15T12:00"))
    last_moment = at("2027-02-13") - 1
    assert await courses.attempts.renew_due(last_moment, 10) == 0
    assert await courses.attempts.renew_due(last_moment + 1, 10) == 1
    assert await courses.attempts.renew_due(last_moment + 1, 10) == 0
    attempt = (await courses.assignments.get("safety", "ann")).attempt
    assert (attempt.number, attempt.opened_by, attempt.opened_us) == (2, Opening.RULE, last_moment + 1)
    assert (attempt.due_us, attempt.status) == (at("2027-03-16"), Status.ASSIGNED)


async def test_a_rule_counts_the_last_moment_of_a_day_to_that_day(courses: Courses) -> None:
    """Who completed it at midnight did so on the day that began then."""
    await put(courses, renewal=YEARLY)
    midnight = at("2026-03-16")
    for user, completed_us in (("early", midnight - 1), ("late", midnight)):
        await complete(courses, (await assign(courses, user)).attempt.attempt, completed_us)
    for day, numbers in (("2027-02-13", [2, 1]), ("2027-02-14", [2, 2])):
        await courses.attempts.renew_due(at(day), 10)
        found = await courses.assignments.of_course("safety", 10)
        assert [one.attempt.number for one in found] == numbers


async def test_after_days_of_being_off_nothing_is_missed_and_nothing_comes_twice(courses: Courses) -> None:
    await put(courses, renewal=Renewal(every_months=1, lead_days=5))
    for number in range(25):
        user = f"user {number:02}"
        await complete(courses, (await assign(courses, user)).attempt.attempt, NOW + number * DAY_US)
    later = at(f"2026-{3 + MONTHS_OFF}-01")
    opened = [await courses.attempts.renew_due(later, 10) for _ in range(4)]
    assert opened == [10, 10, 5, 0]
    found = await courses.assignments.of_course("safety", 100)
    assert {(one.attempt.number, one.attempt.is_overdue(later)) for one in found} == {(2, True)}


async def test_a_course_that_cannot_be_renewed_keeps_back_no_other(
    courses: Courses, module_database_url: str
) -> None:
    for course in ("broken", "safety"):
        terms = Terms("Title", renewal=YEARLY)
        await courses.catalogue.put(course, terms, [replace(INTRO, lesson=course)], NOW)
        attempt = (await assign(courses, course=course)).attempt.attempt
        await note(courses, attempt, seen(course, 100))
    connection = await asyncpg.connect(module_database_url)
    await connection.execute("UPDATE courses SET time_zone = 'Nowhere/Land' WHERE course = 'broken'")
    await connection.close()
    with pytest.raises(ValueError, match="Nowhere"):
        await courses.attempts.renew_due(at("2028-01-01"), 10)
    assert (await courses.assignments.get("safety", "ann")).attempt.number == 2
    assert (await courses.assignments.get("broken", "ann")).attempt.number == 1


async def test_no_rule_renews_what_is_not_completed_not_assigned_archived_or_without_rule(
    courses: Courses,
) -> None:
    await put(courses, renewal=YEARLY)
    await put(courses, "free", replace(INTRO, lesson="free"))
    await courses.catalogue.put("old", Terms("Old", renewal=YEARLY), [replace(INTRO, lesson="old")], NOW)
    for user in ("begun", "gone", "done"):
        await assign(courses, user)
    await assign(courses, "ann", course="free")
    await assign(courses, "ann", course="old")
    for course in ("safety", "free", "old"):
        for one in await courses.assignments.of_course(course, 10):
            if one.user == "begun":
                await note(courses, one.attempt.attempt, seen("intro", 99))
            elif course == "safety":
                await complete(courses, one.attempt.attempt)
            else:
                await note(courses, one.attempt.attempt, seen(course, 100))
    await courses.assignments.unassign("safety", "gone", NOW)
    await courses.catalogue.archive("old", NOW)
    assert await courses.attempts.renew_due(at("2036-01-01"), 10) == 1
    assert (await courses.assignments.get("safety", "done")).attempt.number == 2
    await put(courses, "free", replace(INTRO, lesson="free"), renewal=YEARLY)
    assert await courses.attempts.renew_due(at("2036-01-01"), 10) == 1
