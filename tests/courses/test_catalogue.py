"""Courses as they are put, read and archived; lessons, and the videos that they have had."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from service.courses.model import CreditPolicy, LessonDraft, SkipPolicy, Terms
from service.courses.store import Courses
from service.errors import Conflict, NotFound, PostgresUnavailable
from tests.courses.school import INTRO, NOW, RULES, YEARLY, put

TERMS = Terms("Sécurité 🦺", "Europe/Berlin", SkipPolicy.BLOCK, CreditPolicy(6, 500, True), YEARLY)


def names(course: object) -> list[str]:
    return [lesson.lesson for lesson in course.lessons]  # type: ignore[attr-defined]


async def test_what_was_put_is_read_again(courses: Courses) -> None:
    made = await courses.catalogue.put("safety", TERMS, [INTRO, RULES], NOW)
    assert made == await courses.catalogue.get("safety")
    assert made.terms == TERMS
    assert [(lesson.lesson, lesson.slug, lesson.revision) for lesson in made.lessons] == [
        ("intro", "intro-v1", 1),
        ("rules", "rules-v1", 1),
    ]
    assert (made.created_us, made.updated_us, made.archived_us) == (NOW, NOW, None)


async def test_putting_it_again_changes_nothing(courses: Courses) -> None:
    first = await courses.catalogue.put("safety", TERMS, [INTRO, RULES], NOW)
    assert await courses.catalogue.put("safety", TERMS, [INTRO, RULES], NOW + 5) == first


async def test_lessons_change_their_order_and_their_titles_but_stay_what_they_are(courses: Courses) -> None:
    await put(courses)
    again = await put(courses, "safety", RULES, replace(INTRO, title="Welcome"), now_us=NOW + 5)
    assert names(again) == ["rules", "intro"]
    assert [lesson.revision for lesson in again.lessons] == [1, 1]
    assert again.updated_us == NOW + 5


async def test_another_video_is_another_revision_and_the_old_one_stays(courses: Courses) -> None:
    await put(courses)
    await put(courses, "safety", replace(INTRO, slug="intro-v2", duration_ms=90_000), RULES, now_us=NOW + 5)
    history = await courses.catalogue.lesson("intro")
    assert (history.lesson.revision, history.lesson.slug) == (2, "intro-v2")
    assert [(one.revision, one.slug, one.duration_ms, one.made_us) for one in history.revisions] == [
        (1, "intro-v1", 100_000, NOW),
        (2, "intro-v2", 90_000, NOW + 5),
    ]


async def test_a_duration_is_corrected_under_its_revision(courses: Courses) -> None:
    await put(courses)
    await put(courses, "safety", replace(INTRO, duration_ms=99_000, revision=1))
    history = await courses.catalogue.lesson("intro")
    assert [(one.revision, one.duration_ms) for one in history.revisions] == [(1, 99_000)]


async def test_a_lesson_that_is_left_out_is_kept_and_may_come_back(courses: Courses) -> None:
    await put(courses)
    assert names(await put(courses, "safety", INTRO, now_us=NOW + 5)) == ["intro"]
    gone = await courses.catalogue.lesson("rules")
    assert (gone.course, gone.removed_us, len(gone.revisions)) == ("safety", NOW + 5, 1)
    assert names(await put(courses)) == ["intro", "rules"]
    assert (await courses.catalogue.lesson("rules")).removed_us is None


async def test_a_lesson_belongs_to_one_course_for_ever(courses: Courses) -> None:
    await put(courses)
    for _ in range(2):
        with pytest.raises(Conflict, match="another course's") as refused:
            await put(courses, "fire", INTRO)
        assert refused.value.reason == "lesson_elsewhere"
        await put(courses, "safety", RULES)
    with pytest.raises(NotFound):
        await courses.catalogue.get("fire")


async def test_of_two_courses_that_take_a_name_at_the_same_moment_one_gets_it(courses: Courses) -> None:
    async def take(course: str) -> bool:
        try:
            await put(courses, course, INTRO)
        except Conflict:
            return False
        return True

    for _ in range(5):
        taken = await asyncio.gather(*(take(f"course {n}") for n in range(6)))
        assert sum(taken) == 1


async def test_puts_at_the_same_moment_leave_one_of_them_whole(courses: Courses) -> None:
    drafts = [
        [LessonDraft(f"{n}-{place}", f"slug {n}", "title", 1000 * n) for place in range(n)]
        for n in range(1, 7)
    ]
    await asyncio.gather(*(put(courses, "safety", *some) for some in drafts))
    assert names(await courses.catalogue.get("safety")) in [
        [draft.lesson for draft in some] for some in drafts
    ]


async def test_an_archived_course_is_read_and_put_back(courses: Courses) -> None:
    await put(courses)
    await put(courses, "fire", LessonDraft("exits", "exits", "Exits", 1000))
    gone = await courses.catalogue.archive("fire", NOW + 5)
    assert (gone.archived_us, await courses.catalogue.get("fire")) == (NOW + 5, gone)
    assert (await courses.catalogue.archive("fire", NOW + 9)).archived_us == NOW + 5
    assert [course.course for course in await courses.catalogue.page(10)] == ["safety"]
    assert [course.course for course in await courses.catalogue.page(10, with_archived=True)] == [
        "fire",
        "safety",
    ]
    back = await put(courses, "fire", LessonDraft("exits", "exits", "Exits", 1000))
    assert back.archived_us is None


async def test_pages_go_by_name_and_show_each_course_with_its_own_lessons(courses: Courses) -> None:
    for number in range(7):
        await put(courses, f"course {number}", LessonDraft(f"lesson {number}", "slug", "title", 1000))
    after, found = "", []
    while page := await courses.catalogue.page(3, after):
        found += page
        after = page[-1].course
    assert [course.course for course in found] == [f"course {number}" for number in range(7)]
    assert [names(course) for course in found] == [[f"lesson {number}"] for number in range(7)]


async def test_what_was_never_put_is_not_found(courses: Courses) -> None:
    for reading in (
        courses.catalogue.get("none"),
        courses.catalogue.archive("none", NOW),
        courses.catalogue.lesson("none"),
    ):
        with pytest.raises(NotFound):
            await reading


async def test_without_postgres_it_is_said_to_be_away() -> None:
    away = await Courses.connect("postgresql://127.0.0.1:1/none")
    with pytest.raises(PostgresUnavailable, match="where courses are"):
        await away.catalogue.get("safety")
    await away.close()
