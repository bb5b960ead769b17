"""Compare tells every difference between the two sides, and none where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.moving.comparing import Difference
from service.moving.old_rows import Names
from service.moving.old_side import Kind, OldExports
from tests.courses.school import DAY_US, NOW, assign
from tests.moving.sides import DUE_US, USERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from tests.moving.sides import Both


def lesson(identity: str, field: str, old: Any, new: Any) -> Difference:
    return Difference(Kind.LESSON, identity, field, old, new)


def course(identity: str, field: str, old: Any, new: Any) -> Difference:
    return Difference(Kind.COURSE, identity, field, old, new)


async def test_two_equal_sides_have_no_difference(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.moving.old_side.PAGE_ROWS", 2)
    monkeypatch.setattr("service.moving.comparing.PAGE_ROWS", 2)
    comparison = both.comparison()
    assert [one async for one in comparison.differences()] == []
    assert comparison.counts.compared == {Kind.COURSE: 3, Kind.LESSON: 6}
    assert comparison.counts.looked_again == 0


async def test_each_planted_difference_is_told_and_nothing_else(both: Both) -> None:
    date = "2026-03-02T10:00:05Z"
    at_us, day_after = NOW + DAY_US, NOW + DAY_US + 5_000_000
    plants: list[tuple[str, dict[str, Any], Callable[[str], Difference]]] = [
        ("UserLesson", {"progress": 48.9}, lambda one: lesson(one, "progress", 48.9, 50.0)),
        ("UserLesson", {"maxProgress": 51.0}, lambda one: lesson(one, "maxProgress", 51.0, 50.0)),
        ("UserLesson", {"status": "Completed"}, lambda one: lesson(one, "status", "Completed", "InProgress")),
        ("UserLesson", {"dateStarted": date}, lambda one: lesson(one, "dateStarted", day_after, at_us)),
        ("UserLesson", {"dateLastViewed": None}, lambda one: lesson(one, "dateLastViewed", None, at_us)),
        ("UserLesson", {"dateCompleted": date}, lambda one: lesson(one, "dateCompleted", day_after, None)),
    ]
    row = await both.old.connection.fetchrow("""SELECT * FROM "UserLesson" WHERE id = 'ul ann intro'""")
    assert row
    for _, values, expected in plants:
        [(name, value)] = values.items()
        shown = "NULL" if value is None else repr(value)
        where = "WHERE id = 'ul ann intro'"
        await both.old.connection.execute(f'UPDATE "UserLesson" SET "{name}" = {shown} {where}')
        assert await both.differences() == [expected("ul ann intro")]
        await both.old.connection.execute(f'UPDATE "UserLesson" SET "{name}" = $1 {where}', row[name])
    assert await both.differences() == []


async def test_differences_of_courses_are_told(both: Both) -> None:
    await both.change("UserCourse", "ann", dueDate=None, lastCompletedDate="2025-03-01T10:00:00Z")
    await both.change("UserCourse", "bob", status="InProgress", createdAt="2026-03-01T10:00:02Z")
    assert await both.differences() == sorted(
        [
            course("uc ann safety", "dueDate", None, DUE_US),
            course("uc ann safety", "lastCompletedDate", NOW - 365 * DAY_US, None),
            course("uc bob safety", "status", "InProgress", "Completed"),
            course("uc bob safety", "createdAt", NOW + 2_000_000, NOW),
        ],
        key=str,
    )
    assert len(await both.differences(tolerance_us=2_000_000)) == 3


async def test_who_is_on_one_side_only_is_told(both: Both) -> None:
    await both.old.assign("safety", "dan", "2026-03-01T10:00:00Z")
    await assign(both.cinema.courses, "eve")
    await both.old.connection.execute("""DELETE FROM "UserLesson" WHERE id = 'ul cleo rules'""")
    await both.cinema.bench.connection.execute("DELETE FROM user_lessons WHERE user_lesson = 'ul cleo intro'")
    found = await both.differences()
    there = {(one.id, one.old, one.new) for one in found if one.field == "exists"}
    assert len(there) == len(found) == 5
    assert {one for one in there if one[0].startswith(("uc ", "ul "))} == {
        ("uc dan safety", True, False),
        ("ul cleo intro", True, False),
        ("ul cleo rules", False, True),
    }
    others = {one for one in there if not one[0].startswith(("uc ", "ul "))}
    assert sorted((one[0].partition("-")[0], *one[1:]) for one in others) == [
        ("course", False, True),  # Eve's
        ("lesson", False, True),  # Cleo's first one, under another name
    ]


async def test_what_agrees_when_it_is_looked_at_again_is_none(both: Both) -> None:
    """Who plays while both sides are read differs for a moment."""
    await both.change("UserLesson", "cleo", progress=7.0)
    looked: list[int] = []
    comparison = both.comparison()
    found = comparison._old.again

    async def mended(rows: Any, keys: Any) -> Any:
        looked.append(len(rows))
        await both.change("UserLesson", "cleo", progress=0.0)
        return await found(rows, keys)

    comparison._old.again = mended  # type: ignore[method-assign]
    assert [one async for one in comparison.differences()] == []
    assert (looked, comparison.counts.looked_again) == ([1], 1)


async def test_memory_is_bounded_by_settling_early(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.moving.comparing.PENDING_MAX", 1)
    monkeypatch.setattr("service.moving.old_side.PAGE_ROWS", 1)
    for user in USERS:
        await both.change("UserLesson", user, maxProgress=3.0)
    comparison = both.comparison()
    assert len([one async for one in comparison.differences()]) == 6
    assert comparison.counts.differing == {Kind.LESSON: 6}


async def test_exports_are_compared_as_the_old_system_is(both: Both, tmp_path: Path) -> None:
    await both.change("UserLesson", "ann", maxProgress=77.0)
    await both.change("UserCourse", "bob", dueDate=None)
    await both.old.connection.execute("""DELETE FROM "UserCourse" WHERE "user" = 'cleo'""")
    await both.old.connection.execute("""DELETE FROM "UserLesson" WHERE id = 'ul cleo rules'""")
    files = await both.old.export(tmp_path)
    with files["lessons"].open("ab") as file:
        file.write(
            b'{"id": "ul dan intro", "userCourseId": "?", "lessonId": "intro", "createdAt": "2026-03-01T10:00Z"}'
        )
        file.write(b'\n{"id": 7}\nnonsense\n')
    expected = {
        Kind.COURSE: [
            course("uc bob safety", "dueDate", None, DUE_US),
            course("uc cleo safety", "exists", False, True),
        ],
        Kind.LESSON: [
            lesson("ul ann intro", "maxProgress", 77.0, 50.0),
            lesson("ul ann rules", "maxProgress", 77.0, 0.0),
            lesson("ul cleo rules", "exists", False, True),
            lesson("ul dan intro", "exists", True, False),
        ],
    }
    courses, lessons = [files["courses"]], [files["lessons"]]
    side = OldExports(courses, lessons, Names())
    assert await both.differences(side) == sorted(expected[Kind.COURSE] + expected[Kind.LESSON], key=str)
    assert side.unreadable == 1  # what is no JSON was never a row
    assert await both.differences(OldExports(courses, [], Names())) == expected[Kind.COURSE]
    assert await both.differences(OldExports([], lessons, Names())) == expected[Kind.LESSON]
