"""Attempts have of the counters what was watched while they were open: not before, not after, and none of it twice."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest

from service.courses.cells import spans_of
from service.courses.model import LessonDraft
from service.errors import NotFound, RedisUnavailable
from tests.courses.school import DAY_US, INTRO, NOW, RULES, assign, complete, put

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.courses.cinema import Cinema

NEW_INTRO = LessonDraft("intro", "intro-v2", "Introduction", duration_ms=100_000)


async def opened(cinema: Cinema, user: str = "ann", course: str = "safety") -> int:
    """An attempt that counts."""
    made = await assign(cinema.courses, user, course=course)
    await cinema.level(course, user)
    return made.attempt.attempt


async def put_and_level(cinema: Cinema, *drafts: LessonDraft, course: str = "safety") -> None:
    await put(cinema.courses, course, *drafts)
    await cinema.watching.levelling.level_course(course)


async def unassign(cinema: Cinema, course: str = "safety") -> None:
    await cinema.courses.assignments.unassign(course, "ann", NOW)
    await cinema.level(course)


async def own(cinema: Cinema, attempt: int) -> dict[tuple[str, int], Sequence[tuple[int, int]]]:
    return {(one.lesson, one.revision): spans_of(one.own) for one in await cinema.lessons(attempt)}


async def test_what_was_watched_before_and_after_is_not_the_attempts(cinema: Cinema) -> None:
    await put(cinema.courses)
    await cinema.play("intro-v1", 0, 10)
    attempt = await opened(cinema)
    assert await own(cinema, attempt) == {("intro", 1): (), ("rules", 1): ()}
    await cinema.play("intro-v1", 5, 30)
    await unassign(cinema)
    await cinema.play("intro-v1", 60, 70)
    assert await own(cinema, attempt) == {("intro", 1): ((5, 30),)}
    assert (await cinema.lesson(attempt)).watch_ms == 25_000


async def test_assigned_again_it_goes_on_without_what_was_in_between(cinema: Cinema) -> None:
    await put(cinema.courses)
    attempt = await opened(cinema)
    await cinema.play("intro-v1", 0, 10)
    await unassign(cinema)
    await cinema.play("intro-v1", 20, 30)
    assert await opened(cinema) == attempt
    await cinema.play("intro-v1", 40, 50)
    assert (await own(cinema, attempt))["intro", 1] == ((0, 10), (40, 50))


async def test_a_renewal_begins_afresh_and_keeps_what_was(cinema: Cinema) -> None:
    await put(cinema.courses)
    first = await opened(cinema)
    await cinema.play("intro-v1", 0, 10)
    second = (await cinema.courses.attempts.renew("safety", "ann", 1, None, NOW)).attempt
    await cinema.level()
    await cinema.play("intro-v1", 20, 30)
    assert (await own(cinema, first))["intro", 1] == ((0, 10),)
    assert (await own(cinema, second))["intro", 1] == ((20, 30),)
    assert (await cinema.lesson(second)).verified_cells == 0


@pytest.mark.parametrize("slug", ["intro-v2", "intro-v1"])
async def test_another_video_counts_from_when_it_is_put(cinema: Cinema, slug: str) -> None:
    """Also where it has the name of the old one."""
    await put(cinema.courses)
    attempt = await opened(cinema)
    await cinema.play("intro-v1", 0, 10)
    changed = LessonDraft("intro", slug, "Introduction", duration_ms=90_000, revision=2)
    await put_and_level(cinema, changed, RULES)
    await cinema.play(slug, 20, 30)
    assert await own(cinema, attempt) == {
        ("intro", 1): ((0, 10),),
        ("intro", 2): ((20, 30),),
        ("rules", 1): (),
    }
    assert (await cinema.lesson(attempt)).revision == 2


async def test_a_lesson_that_leaves_its_course_keeps_what_was_watched(cinema: Cinema) -> None:
    await put(cinema.courses)
    attempt = await opened(cinema)
    await cinema.play("rules-v1", 0, 10)
    await put_and_level(cinema, INTRO)
    await cinema.play("rules-v1", 20, 30)
    await put_and_level(cinema, INTRO, RULES)
    await cinema.play("rules-v1", 40, 50)
    assert (await own(cinema, attempt))["rules", 1] == ((0, 10), (40, 50))


async def test_a_new_title_cuts_nothing(cinema: Cinema) -> None:
    await put(cinema.courses)
    attempt = await opened(cinema)
    await cinema.play("intro-v1", 0, 10)
    await put_and_level(cinema, LessonDraft("intro", "intro-v1", "Hello", duration_ms=100_000), RULES)
    assert [scope.number for scope in (await cinema.scopes.read([("ann", "intro-v1")]))[0]] == [0]
    assert (await own(cinema, attempt))["intro", 1] == ((0, 10),)


async def test_two_courses_may_show_one_movie(cinema: Cinema) -> None:
    """Each attempt has its own stretch of what was watched; what both were open for is both's."""
    await put(cinema.courses)
    await put(cinema.courses, "other", LessonDraft("hello", "intro-v1", "Hello", duration_ms=100_000))
    first = await opened(cinema)
    await cinema.play("intro-v1", 0, 10)
    second = await opened(cinema, course="other")
    await cinema.play("intro-v1", 20, 30)
    await unassign(cinema)
    await cinema.play("intro-v1", 40, 50)
    assert (await own(cinema, first))["intro", 1] == ((0, 10), (20, 30))
    assert await own(cinema, second) == {("hello", 1): ((20, 30), (40, 50))}


async def test_whoever_never_watched_costs_the_counters_nothing(cinema: Cinema) -> None:
    await put(cinema.courses)
    attempt = await opened(cinema)
    await unassign(cinema)
    assert await cinema.bench.redis.keys("*user*") == []
    assert await cinema.courses.database.rows("select_ranges", [attempt]) == []


async def test_closing_notes_what_the_attempt_has(cinema: Cinema) -> None:
    """Following may be far behind: what was watched last completes it all the same."""
    await put(cinema.courses)
    attempt = await opened(cinema)
    await cinema.play("intro-v1", 0, 100, at_us=NOW + DAY_US)
    await cinema.play("rules-v1", 0, 60, at_us=NOW + 2 * DAY_US)
    await unassign(cinema)
    closed, records = await cinema.courses.attempts.get(attempt)
    assert [(record.lesson, record.seen_cells) for record in records] == [("intro", 100), ("rules", 60)]
    assert closed.completed_us == closed.last_viewed_us == NOW + 2 * DAY_US
    assert (await cinema.courses.assignments.get("safety", "ann")).last_completed_us == NOW + 2 * DAY_US


async def test_noting_at_once_completes(cinema: Cinema) -> None:
    await put(cinema.courses)
    attempt = await opened(cinema)
    await cinema.play("intro-v1", 0, 100)
    await cinema.play("rules-v1", 0, 61)
    await cinema.watching.watched.note(attempt)
    assert (await cinema.courses.attempts.get(attempt))[0].completed_us == NOW


async def test_levelling_again_and_at_once_changes_nothing(cinema: Cinema) -> None:
    await put(cinema.courses)
    users = [f"user {number}" for number in range(20)]
    for user in users:
        await cinema.play("intro-v1", 0, 10, user=user)
    attempts = [(await assign(cinema.courses, user)).attempt.attempt for user in users]
    pairs = [("safety", user) for user in users]
    await asyncio.gather(*(cinema.watching.levelling.level_assignments(pairs) for _ in range(3)))
    for user in users:
        await cinema.play("intro-v1", 20, 30, user=user)
    await cinema.watching.levelling.level(attempts)
    assert [await own(cinema, attempt) for attempt in attempts] == [
        {("intro", 1): ((20, 30),), ("rules", 1): ()}
    ] * 20
    assert await cinema.watching.levelling.level_rest() == 0


async def test_a_cut_from_before_a_change_does_not_count_for_what_came_of_it(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between cut and writing the course is taken away, watched, and given back: that is none of the attempt's."""
    await put(cinema.courses)
    await cinema.play("intro-v1", 0, 10)
    attempt = (await assign(cinema.courses)).attempt.attempt
    cut, turns = cinema.scopes.cut, 0

    async def cut_slowly(pairs: Sequence[tuple[str, str]]) -> list[int]:
        nonlocal turns
        numbers = await cut(pairs)
        turns += 1
        if turns == 1:
            await cinema.courses.assignments.unassign("safety", "ann", NOW)
            await cinema.play("intro-v1", 20, 30)
            await assign(cinema.courses)
        return numbers

    monkeypatch.setattr(cinema.scopes, "cut", cut_slowly)
    await cinema.level()
    await cinema.play("intro-v1", 40, 50)
    assert (await own(cinema, attempt))["intro", 1] == ((40, 50),)
    assert turns == 2


async def test_what_a_crash_left_is_levelled_by_whoever_comes(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the cut, after it, or before the writing is committed: done again, it is as if nothing was."""
    await put(cinema.courses)
    await cinema.play("intro-v1", 0, 10)
    attempt = (await assign(cinema.courses)).attempt.attempt
    cut = cinema.scopes.cut

    async def fail(pairs: Sequence[tuple[str, str]], *, takes_effect: bool) -> list[int]:
        if takes_effect:
            await cut(pairs)
        raise RedisUnavailable("Redis did not answer")

    for takes_effect in (False, True):
        with monkeypatch.context() as broken:
            broken.setattr(cinema.scopes, "cut", partial(fail, takes_effect=takes_effect))
            with pytest.raises(RedisUnavailable):
                await cinema.level()
    await cinema.play("intro-v1", 20, 30)
    assert await cinema.watching.levelling.level_rest() == 1
    await cinema.play("intro-v1", 40, 50)
    assert (await own(cinema, attempt))["intro", 1] == ((40, 50),)
    assert await cinema.watching.levelling.level_rest() == 0


async def test_a_course_put_while_it_is_assigned_is_level_in_the_end(cinema: Cinema) -> None:
    await put(cinema.courses, "safety", INTRO)

    async def change() -> None:
        await put_and_level(cinema, INTRO, RULES)

    async def give(user: str) -> int:
        return await opened(cinema, user)

    _, *attempts = await asyncio.gather(change(), *(give(f"user {number}") for number in range(8)))
    await cinema.watching.levelling.level_rest()
    for attempt in attempts:
        assert attempt is not None
        ranges = await cinema.courses.database.rows("select_ranges", [attempt])
        assert sorted((one["lesson"], one["scope_last"]) for one in ranges) == [
            ("intro", None),
            ("rules", None),
        ]


async def test_of_an_attempt_that_is_not_there_nothing_is_told(cinema: Cinema) -> None:
    assert await cinema.lessons(99) == []
    with pytest.raises(NotFound):
        await cinema.lesson(99)


async def test_a_completed_attempt_that_was_taken_away_is_followed_by_the_next(cinema: Cinema) -> None:
    await put(cinema.courses)
    first = await opened(cinema)
    await complete(cinema.courses, first)
    await unassign(cinema)
    assert await opened(cinema) != first
