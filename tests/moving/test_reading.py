"""Courses and lessons in the old shapes, as they stand at this moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.courses.model import Status
from service.events.event import Event
from service.moving import ids
from service.moving.history import History, PointsAsked
from service.moving.reading import Named, Reading, place_of
from tests.courses.school import DAY_US, INTRO, NOW, RULES, assign, complete, put
from tests.moving.statements import counted

if TYPE_CHECKING:
    from service.moving.model import UserCourse, UserLesson
    from tests.courses.cinema import Cinema

OWN = ids.id_of_course("safety", "ann")
INTRO_ID, RULES_ID = (ids.id_of_lesson(lesson, "ann") for lesson in ("intro", "rules"))


@pytest.fixture
def reading(cinema: Cinema) -> Reading:
    return Reading(cinema.courses.database, cinema.watching.watched)


async def given(cinema: Cinema, user: str = "ann", now_us: int = NOW) -> int:
    await put(cinema.courses)
    made = await assign(cinema.courses, user, now_us=now_us)
    await cinema.level(user=user)
    return made.attempt.attempt


async def named_before(cinema: Cinema, attempt: int | None = None, name: str = "old") -> None:
    """As an import leaves it: the old system's ids of what Ann has of the course and of its first lesson."""
    async with cinema.courses.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO user_courses VALUES ($1, 'safety', 'ann', $2, $3)", name, attempt, NOW - DAY_US
        )
        await connection.execute(
            "INSERT INTO user_lessons VALUES ($1, $2, 'intro', 'ann')", f"{name} intro", name
        )


async def course(reading: Reading, name: str = OWN) -> UserCourse:
    [found] = await reading.user_courses([name])
    assert found
    return found


async def lesson(reading: Reading, name: str = INTRO_ID) -> UserLesson:
    [found] = await reading.user_lessons([name])
    assert found
    return found


async def test_what_was_watched_a_moment_ago_shows(cinema: Cinema, reading: Reading) -> None:
    attempt = await given(cinema)
    assert (await course(reading)).status is Status.ASSIGNED
    await cinema.play("intro-v1", 0, 30, at_us=NOW + 40_000_000)
    await cinema.play("intro-v1", 10, 20, at_us=NOW + 60_000_000)
    found = await course(reading)
    assert (found.status, found.attempt, found.created_us) == (Status.IN_PROGRESS, attempt, NOW)
    assert (found.started_us, found.last_viewed_us) == (NOW + 60_000_000, NOW + 60_000_000)
    [[intro, rules]] = await reading.lessons_of([found])
    assert (intro.user_lesson, intro.progress_ms, intro.furthest_ms) == (INTRO_ID, 20_000, 30_000)
    assert (intro.status, intro.last_viewed_us) == (Status.IN_PROGRESS, NOW + 60_000_000)
    assert (rules.user_lesson, rules.progress_ms, rules.status) == (RULES_ID, 0, Status.ASSIGNED)
    assert await lesson(reading) == intro


async def test_a_course_is_completed_with_its_last_lesson(cinema: Cinema, reading: Reading) -> None:
    """Before anything of it is noted."""
    await given(cinema)
    await cinema.play("intro-v1", 0, 100, at_us=NOW + 200_000_000)
    assert (await lesson(reading)).status is Status.COMPLETED
    assert (await course(reading)).status is Status.IN_PROGRESS
    await cinema.play("rules-v1", 0, 60, at_us=NOW + 300_000_000)
    found = await course(reading)
    assert (found.status, found.completed_us) == (Status.COMPLETED, NOW + 300_000_000)
    assert found.last_completed_us == NOW + 300_000_000


async def test_ids_of_the_old_system_are_kept(cinema: Cinema, reading: Reading) -> None:
    await given(cinema)
    await named_before(cinema)
    assert (await course(reading, "old")) == (await course(reading))
    assert (await course(reading)).user_course == "old"
    [[intro, rules]] = await reading.lessons_of([await course(reading)])
    assert (intro.user_lesson, rules.user_lesson) == ("old intro", RULES_ID)
    assert await lesson(reading, "old intro") == intro == await lesson(reading)


async def test_a_renewed_course_keeps_its_id_and_begins_anew(cinema: Cinema, reading: Reading) -> None:
    attempt = await given(cinema)
    await named_before(cinema)
    await cinema.play("intro-v1", 0, 100)
    await complete(cinema.courses, attempt)
    await cinema.courses.attempts.renew("safety", "ann", 1, None, NOW + DAY_US)
    await cinema.level()
    found = await course(reading, "old")
    assert (found.status, found.completed_us, found.last_completed_us) == (Status.ASSIGNED, None, NOW)
    assert (await lesson(reading, "old intro")).progress_ms == 0


async def test_a_closed_year_may_keep_an_id_of_its_own(cinema: Cinema, reading: Reading) -> None:
    attempt = await given(cinema)
    await cinema.play("intro-v1", 0, 100)
    await complete(cinema.courses, attempt)
    await named_before(cinema, attempt, "2025")
    await cinema.courses.attempts.renew("safety", "ann", 1, None, NOW + DAY_US)
    await cinema.level()
    closed = await course(reading, "2025")
    assert (closed.status, closed.attempt, closed.is_last) == (Status.COMPLETED, attempt, False)
    [[intro]] = await reading.lessons_of([closed])
    assert (intro.user_lesson, intro.furthest_ms) == ("2025 intro", 100_000)
    both = await reading.of_course("safety", 10)
    assert [one.user_course for one in both] == ["2025", OWN]
    assert (
        both == await reading.of_course("safety", 10, user="ann") == (await reading.of_user("ann", 10))[::-1]
    )


async def test_lists_are_by_when_they_were_made_and_go_on_where_they_ended(
    cinema: Cinema, reading: Reading
) -> None:
    users = ["cem", "ann", "bob", "dan"]
    for place, user in enumerate(users):
        await given(cinema, user, NOW + place // 2 * DAY_US)
    await named_before(cinema, (await course(reading)).attempt, "2025")
    ordered = [("ann", "2025"), ("ann", ""), ("cem", ""), ("bob", ""), ("dan", "")]
    for descending in (False, True):
        expected = ordered[::-1] if descending else ordered
        for size in (1, 2, 5):
            heard: list[UserCourse] = []
            while page := await reading.of_course(
                "safety", size, after=place_of(heard[-1]) if heard else None, descending=descending
            ):
                heard += page
            assert [(one.user, "" if one.is_last else one.user_course) for one in heard] == expected
        bounded = await reading.of_course("safety", 9, descending=descending, since_us=NOW, until_us=NOW)
        assert sorted(one.user for one in bounded) == ["ann", "cem"]


async def test_what_is_not_there_is_none(cinema: Cinema, reading: Reading) -> None:
    await given(cinema)
    await cinema.courses.assignments.unassign("safety", "ann", NOW)
    for name in (OWN, "nobody's", "", ids.id_of_course("safety", "bob"), ids.id_of_course("x", "ann")):
        assert await reading.user_courses([name]) == [None]
    for name in (INTRO_ID, "nobody's", ids.id_of_lesson("intro", "bob"), ids.id_of_lesson("x", "ann")):
        assert await reading.user_lessons([name]) == [None]
        assert await reading.named(name) is None
    assert await reading.of_course("safety", 10) == await reading.of_user("ann", 10) == []


async def test_a_lesson_that_left_is_found_and_not_listed(cinema: Cinema, reading: Reading) -> None:
    await given(cinema)
    await named_before(cinema)
    await cinema.play("intro-v1", 0, 30)
    await put(cinema.courses, "safety", RULES)
    [[only]] = await reading.lessons_of([await course(reading)])
    assert only.lesson == "rules"
    assert (await lesson(reading, "old intro")).progress_ms == 30_000


async def test_a_point_is_counted_for_the_video_of_now(cinema: Cinema, reading: Reading) -> None:
    await given(cinema)
    await named_before(cinema)
    expected = Named("ann", "intro", INTRO.slug, INTRO.duration_ms)
    assert await reading.named("old intro") == await reading.named(INTRO_ID) == expected


async def test_many_cost_as_many_statements_as_one(
    cinema: Cinema, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        await given(cinema, f"user {number}")
    counts = []
    for size in (1, 20):
        with counted(monkeypatch) as said:
            found = await reading.of_course("safety", size)
            lessons = await reading.lessons_of(found)
            again = await reading.user_lessons([one.user_lesson for of in lessons for one in of])
        assert [len(found), sum(map(len, lessons))] == [size, 2 * size]
        assert again == [one for of in lessons for one in of]
        counts.append(len(said))
    assert counts[0] == counts[1] > 5


async def test_points_are_told_from_the_raw_events_latest_first(cinema: Cinema, reading: Reading) -> None:
    """The latest one is live until it is kept, and then is there once; those of other movies are not there."""
    await given(cinema)
    history = History(cinema.courses.database)
    for end in (10, 20, 30):
        await cinema.play("intro-v1", end - 10, end, at_us=NOW + end * 1_000_000)
    await cinema.play("rules-v1", 0, 5, at_us=NOW)
    await cinema.bench.settle()
    await cinema.play("intro-v1", 30, 40, at_us=NOW + 40_000_000)
    intro, rules = await lesson(reading), await lesson(reading, RULES_ID)
    first, other = await history.points([PointsAsked(intro, 3), PointsAsked(rules, 3)])
    assert [one.at_ms for one in first] == [40_000, 30_000, 20_000]
    assert [one.at_ms for one in other] == [5_000]
    assert (first[0].place, first[1].at_us) == (None, NOW + 30_000_000)
    await cinema.bench.settle()
    [kept] = await history.points([PointsAsked(intro, 2)])
    assert [one.at_ms for one in kept] == [40_000, 30_000]
    assert kept[1].place is not None
    [rest] = await history.points([PointsAsked(intro, 9, kept[1].place)])
    assert [one.at_ms for one in rest] == [20_000, 10_000]
    assert len({one.point for one in [*kept, *rest]}) == 4


async def test_points_have_the_ids_by_which_both_systems_know_them(cinema: Cinema, reading: Reading) -> None:
    await given(cinema)
    said = Event("ann", "intro-v1", "heartbeat", 5_000, NOW, NOW, session="old/x", id="p 1")
    await cinema.bench.send([said, said._replace(at_ms=9_000, session="", id="p 2")])
    await cinema.bench.settle()
    [points] = await History(cinema.courses.database).points([PointsAsked(await lesson(reading), 9)])
    assert [one.point == "p 1" for one in points] == [False, True]
    assert "p 2" not in {one.point for one in points}
