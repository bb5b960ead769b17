"""Who was given which course: again and again, many at once, taken away, and given back."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from service.courses.assigning.assigning import UNSAID, DueDay, Effect, Wish
from service.courses.assigning.assignments import Refusal
from service.courses.model import Opening, Status, Terms
from service.errors import NotFound
from tests.courses.school import DAY_US, INTRO, NOW, assign, at, complete, note, put, seen
from tests.integration.waiting import until

if TYPE_CHECKING:
    from service.courses.store import Courses

DUE = NOW + 30 * DAY_US


async def test_an_assignment_begins_with_its_first_attempt(courses: Courses) -> None:
    await put(courses)
    made = await assign(courses, due=DUE)
    assert (made.first_assigned_us, made.assigned_us, made.unassigned_us) == (NOW, NOW, None)
    attempt = made.attempt
    assert (attempt.number, attempt.opened_us, attempt.opened_by) == (1, NOW, Opening.ASSIGNMENT)
    assert (attempt.due_us, attempt.status, attempt.closed_us) == (DUE, Status.ASSIGNED, None)
    assert (attempt.is_overdue(DUE - 1), attempt.is_overdue(DUE)) == (False, True)


async def test_assigning_again_changes_at_most_when_it_is_due(courses: Courses) -> None:
    await put(courses)
    first = await assign(courses, due=DUE)
    wishes = {UNSAID: Effect.UNCHANGED, DUE: Effect.UNCHANGED, DUE + 1: Effect.CHANGED, None: Effect.CHANGED}
    for due, effect in wishes.items():
        assert await courses.assignments.assign([Wish("safety", "ann", due)], NOW + 5) == [effect]  # type: ignore[arg-type]
    last = await courses.assignments.get("safety", "ann")
    assert (last.assigned_us, last.attempt.attempt, last.attempt.due_us) == (NOW, first.attempt.attempt, None)


async def test_a_day_ends_in_the_zone_that_is_named_or_where_the_course_is_at_home(courses: Courses) -> None:
    terms = Terms("Safety", "Asia/Tokyo")
    await courses.catalogue.put("safety", terms, [INTRO], NOW)
    day = date(2026, 12, 31)
    home = await assign(courses, due=DueDay(day, None))
    assert home.attempt.due_us == at("2026-12-31T15:00")
    named = await assign(courses, due=DueDay(day, ZoneInfo("America/New_York")))
    assert named.attempt.due_us == at("2027-01-01T05:00")


async def test_each_wish_of_many_is_answered_and_one_bad_one_spoils_nothing(courses: Courses) -> None:
    await put(courses)
    await courses.catalogue.put("old", Terms("Old"), [], NOW)
    await courses.catalogue.archive("old", NOW)
    wishes = [Wish("safety", "ann"), Wish("none", "ann"), Wish("old", "ann"), Wish("safety", "bob")]
    first, unknown, archived, last = await courses.assignments.assign(wishes, NOW)
    assert (first, last) == (Effect.ASSIGNED, Effect.ASSIGNED)
    assert isinstance(unknown, Refusal)
    assert isinstance(archived, Refusal)
    assert (unknown.reason, archived.reason) == ("unknown_course", "archived_course")
    assert await courses.assignments.assign(wishes, NOW + 5) == [
        Effect.UNCHANGED,
        unknown,
        archived,
        Effect.UNCHANGED,
    ]


async def test_of_the_same_wish_twice_the_last_is_done(courses: Courses) -> None:
    await put(courses)
    wishes = [Wish("safety", "ann", DUE), Wish("safety", "ann", DUE + 1), Wish("safety", "ann")]
    assert await courses.assignments.assign(wishes, NOW) == [
        Effect.UNCHANGED,
        Effect.UNCHANGED,
        Effect.ASSIGNED,
    ]
    assert (await courses.assignments.get("safety", "ann")).attempt.due_us == DUE + 1


async def test_an_unassigned_attempt_is_kept_and_goes_on_when_it_is_assigned_again(courses: Courses) -> None:
    await put(courses)
    first = await assign(courses, due=DUE)
    await note(courses, first.attempt.attempt, seen("intro", 40))
    gone = await courses.assignments.unassign("safety", "ann", NOW + 5)
    assert (gone.unassigned_us, gone.attempt.closed_us) == (NOW + 5, NOW + 5)
    assert gone.attempt.status is Status.IN_PROGRESS
    assert not gone.attempt.is_overdue(DUE)
    assert await courses.assignments.unassign("safety", "ann", NOW + 9) == gone
    back = await assign(courses, due=DUE + 1, now_us=NOW + 10)
    assert (back.first_assigned_us, back.assigned_us, back.unassigned_us) == (NOW, NOW + 10, None)
    assert (back.attempt.attempt, back.attempt.closed_us, back.attempt.due_us) == (
        first.attempt.attempt,
        None,
        DUE + 1,
    )
    _, [record] = await courses.attempts.get(back.attempt.attempt)
    assert record.seen_cells == 40


async def test_who_had_completed_it_begins_a_new_attempt_when_it_is_assigned_again(courses: Courses) -> None:
    await put(courses)
    first = await assign(courses)
    done = await complete(courses, first.attempt.attempt)
    await courses.assignments.unassign("safety", "ann", NOW + 5)
    back = await assign(courses, now_us=NOW + 10)
    assert (back.attempt.number, back.attempt.status, back.attempt.due_us) == (2, Status.ASSIGNED, None)
    assert back.last_completed_us == done.completed_us
    earlier, records = await courses.attempts.get(first.attempt.attempt)
    assert (earlier.status, earlier.closed_us, len(records)) == (Status.COMPLETED, NOW + 5, 2)


async def test_the_same_assignments_made_at_the_same_moment_are_made_once(courses: Courses) -> None:
    """In runs that overlap, in any order: nobody waits for each other in a circle."""
    await put(courses)
    users = [f"user {number:03}" for number in range(60)]
    runs = [users, users[::-1], users[20:] + users[:20], users[30:], users[:40]]
    outcomes = await asyncio.gather(
        *(courses.assignments.assign([Wish("safety", user) for user in run], NOW) for run in runs * 2)
    )
    effects = [effect for outcome in outcomes for effect in outcome]
    assert effects.count(Effect.ASSIGNED) == len(users)
    assert effects.count(Effect.UNCHANGED) == len(effects) - len(users)
    found = await courses.assignments.of_course("safety", 100)
    assert [(one.user, one.attempt.number) for one in found] == [(user, 1) for user in users]


@pytest.mark.parametrize("are_there", [True, False])
async def test_runs_that_go_the_other_way_round_wait_for_each_other_in_no_circle(
    courses: Courses, module_database_url: str, are_there: bool
) -> None:
    """Both are held up at the user in the middle, having passed the one at their own end.

    Postgres looks the users up one by one, as it does where there are many.
    """
    connection, looking = (
        await asyncpg.connect(module_database_url),
        await asyncpg.connect(module_database_url),
    )
    for setting in ("enable_hashjoin", "enable_mergejoin"):
        await looking.execute(f"ALTER DATABASE {database_of(module_database_url)} SET {setting} = off")
    await put(courses)
    if are_there:
        await courses.assignments.assign([Wish("safety", user) for user in "abc"], NOW)

    async def are_both_waiting() -> bool:
        waiting = "wait_event_type = 'Lock' AND datname = current_database()"
        count: int = await looking.fetchval(f"SELECT count(*) FROM pg_stat_activity WHERE {waiting}")
        return count == 2

    held = connection.transaction()
    await held.start()
    if are_there:
        await connection.execute("SELECT FROM assignments WHERE user_id = 'b' FOR UPDATE")
    else:
        await connection.execute("INSERT INTO assignments VALUES ('safety', 'b', now(), now())")
    runs = [
        asyncio.create_task(courses.assignments.assign([Wish("safety", user) for user in users], NOW))
        for users in ("abc", "cba")
    ]
    await until(are_both_waiting, "both runs wait")
    await held.rollback()
    effects = [effect for outcome in await asyncio.gather(*runs) for effect in outcome]
    assert effects.count(Effect.ASSIGNED) == (0 if are_there else 3)
    await connection.close()
    await looking.execute(f"ALTER DATABASE {database_of(module_database_url)} RESET ALL")
    await looking.close()


def database_of(url: str) -> str:
    return urlsplit(url).path[1:]


async def test_assigning_and_unassigning_at_the_same_moment_end_in_one_of_the_two(courses: Courses) -> None:
    await put(courses)
    await assign(courses)
    for turn in range(10):
        await asyncio.gather(
            assign(courses, now_us=NOW + turn),
            courses.assignments.unassign("safety", "ann", NOW + turn),
            assign(courses, now_us=NOW + turn),
            courses.assignments.unassign("safety", "ann", NOW + turn),
        )
        found = await courses.assignments.get("safety", "ann")
        assert (found.unassigned_us is None) == (found.attempt.closed_us is None)
        assert found.attempt.number == 1


async def test_lists_go_by_name_and_leave_out_what_was_taken_away(courses: Courses) -> None:
    await courses.catalogue.put("a", Terms("A"), [], NOW)
    await courses.catalogue.put("b", Terms("B"), [], NOW)
    await courses.teams.put("team", "Team", NOW)
    await courses.teams.add("team", ["ann", "bob", "idle"])
    wishes = [Wish(course, user) for course in ("a", "b") for user in ("ann", "bob", "eve")]
    await courses.assignments.assign(wishes, NOW)
    await courses.assignments.unassign("a", "bob", NOW)
    lists = courses.assignments
    assert [one.user for one in await lists.of_course("a", 10)] == ["ann", "eve"]
    assert [one.user for one in await lists.of_course("a", 10, "ann", with_unassigned=True)] == ["bob", "eve"]
    assert [one.course for one in await lists.of_user("bob", 10)] == ["b"]
    assert [one.course for one in await lists.of_user("bob", 1, with_unassigned=True)] == ["a"]
    team = [(one.user, one.course) for one in await lists.of_team("team", 10)]
    assert team == [("ann", "a"), ("ann", "b"), ("bob", "b")]
    rest = await lists.of_team("team", 10, ("ann", "a"), with_unassigned=True)
    assert [(one.user, one.course) for one in rest] == [("ann", "b"), ("bob", "a"), ("bob", "b")]


async def test_who_is_erased_leaves_nothing(courses: Courses) -> None:
    await put(courses)
    await courses.teams.put("team", "Team", NOW)
    await courses.teams.add("team", ["ann", "bob"])
    first = await assign(courses)
    await complete(courses, first.attempt.attempt)
    await assign(courses, "bob")
    assert await courses.assignments.erase("ann") == 1
    assert await courses.assignments.erase("ann") == 0
    with pytest.raises(NotFound):
        await courses.assignments.get("safety", "ann")
    with pytest.raises(NotFound):
        await courses.attempts.get(first.attempt.attempt)
    assert await courses.teams.members("team", 5) == ["bob"]
    assert [one.user for one in await courses.assignments.of_course("safety", 5)] == ["bob"]


async def test_what_was_never_assigned_is_not_found(courses: Courses) -> None:
    await put(courses)
    for call in (
        courses.assignments.get("safety", "ann"),
        courses.assignments.unassign("safety", "ann", NOW),
        courses.attempts.renew("safety", "ann", 1, None, NOW),
    ):
        with pytest.raises(NotFound):
            await call
