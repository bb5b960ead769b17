"""Which attempts user courses become: one each, two where it was set back, and what is there goes on."""

from __future__ import annotations

from typing import Any

from service.moving.old_rows import CourseRow
from service.moving.stints import SOON_US, Plan, Standing, Stint, Way, plan_of

DAY_US = 86_400_000_000


def row(name: str, created: int = 1, **days: int) -> CourseRow:
    """Times in days."""
    plain = CourseRow(
        name,
        "safety",
        "ann",
        is_completed=False,
        created_us=created * DAY_US,
        updated_us=99 * DAY_US,
        due_us=None,
        started_us=None,
        completed_us=None,
        viewed_us=None,
        last_completed_us=None,
        file=0,
        line=1,
    )
    dates: dict[str, Any] = {f"{field}_us": day * DAY_US for field, day in days.items()}
    return plain._replace(**dates)


def days(plan: Plan) -> list[tuple[str | None, int | None, int, int | None, int | None]]:
    """Of each stint who shows it, which attempt it is, and the days when it was opened, completed and closed."""
    return [
        (one.user_course, one.attempt, one.opened_us // DAY_US, day(one.completed_us), day(one.closes_us))
        for one in plan.stints
    ]


def day(time_us: int | None) -> int | None:
    return None if time_us is None else time_us // DAY_US


def standing(
    opened: int, *, number: int = 1, user_course: str | None = "a", is_open: bool = True
) -> Standing:
    return Standing(7, number, opened * DAY_US, is_open, user_course)


def test_a_user_course_is_an_attempt() -> None:
    plan = plan_of([row("a", 5, due=9, started=6, viewed=7)], None)
    assert plan.stints == [
        Stint(
            "a", None, 5 * DAY_US, 5 * DAY_US, due_us=9 * DAY_US, started_us=6 * DAY_US, viewed_us=7 * DAY_US
        )
    ]
    assert plan.ways == [Way("a", 1, None, 0)]


def test_one_that_was_set_back_is_two() -> None:
    plan = plan_of([row("a", 5, last_completed=20)], None)
    assert days(plan) == [(None, None, 5, 20, 20), ("a", None, 20, None, None)]
    assert plan.ways == [Way("a", 2, 20 * DAY_US, 1)]


def test_one_that_was_completed_again_since_too() -> None:
    plan = plan_of([row("a", 5, last_completed=20, completed=30)], None)
    assert days(plan) == [(None, None, 5, 20, 20), ("a", None, 20, 30, None)]


def test_two_dates_of_one_completion_are_one() -> None:
    once = row("a", 5, last_completed=20)._replace(completed_us=20 * DAY_US + SOON_US)
    assert days(plan_of([once], None)) == [("a", None, 5, 20, None)]
    assert days(plan_of([row("a", 5, last_completed=20, completed=19)], None)) == [("a", None, 5, 19, None)]


def test_several_follow_each_other_each_closed_by_the_next() -> None:
    plan = plan_of([row("b", 30, completed=50), row("a", 5, completed=20), row("c", 40)], None)
    assert days(plan) == [("a", None, 5, 20, 30), ("b", None, 30, 50, 50), ("c", None, 40, None, None)]


def test_completed_without_a_date_is_when_it_was_last_seen() -> None:
    said = row("a", 5, viewed=8)._replace(is_completed=True)
    assert days(plan_of([said], None)) == [("a", None, 5, 8, None)]
    assert days(plan_of([said._replace(viewed_us=None)], None)) == [("a", None, 5, 99, None)]


def test_what_is_known_goes_on() -> None:
    plan = plan_of([row("a", 5, due=60)], standing(5))
    assert days(plan) == [("a", 7, 5, None, None)]
    assert plan.known == {"a"}


def test_known_and_set_back_since_it_is_closed_and_the_next_one_opened() -> None:
    plan = plan_of([row("a", 5, last_completed=20)], standing(5))
    assert days(plan) == [(None, 7, 5, 20, 20), ("a", None, 20, None, None)]
    again = plan_of([row("a", 5, last_completed=20)], standing(20, number=2))
    assert days(again) == [("a", 7, 20, None, None)]
    assert again.ways == [Way("a", 1, 20 * DAY_US, 0)]


def test_a_newer_one_closes_the_one_that_is_known() -> None:
    plan = plan_of([row("a", 5), row("b", 40)], standing(5))
    assert days(plan) == [("a", 7, 5, None, 40), ("b", None, 40, None, None)]
    alone = plan_of([row("b", 40)], standing(5))
    assert days(alone) == [("a", 7, 5, None, 40), ("b", None, 40, None, None)]
    assert alone.known == set()


def test_an_older_one_comes_too_late() -> None:
    plan = plan_of([row("z", 2), row("a", 5)], standing(5))
    assert [one.user_course for one in plan.refused] == ["z"]
    assert plan_of([row("z", 2)], standing(5)).refused == [row("z", 2)]


def test_what_playhead_assigned_itself_is_taken_over_by_the_last_one() -> None:
    plan = plan_of([row("a", 5), row("b", 40)], standing(50, user_course=None))
    assert days(plan) == [("b", 7, 50, None, None)]
    assert [one.user_course for one in plan.refused] == ["a"]


def test_one_that_shows_a_closed_attempt_counts_nowhere() -> None:
    plan = plan_of([row("old", 1), row("a", 5)], standing(5, number=2), closed=["old"])
    assert plan.ways == [Way("old", 0, None, 0), Way("a", 1, 5 * DAY_US, 0)]
    assert plan.known == {"old", "a"}


def test_who_was_unassigned_stays_so() -> None:
    plan = plan_of([row("a", 5), row("b", 40)], standing(5, is_open=False))
    assert days(plan) == [("a", 7, 5, None, None)]
    assert [one.user_course for one in plan.refused] == ["b"]


def test_the_order_of_rows_does_not_matter() -> None:
    rows: list[Any] = [row("a", 5, last_completed=8), row("b", 30), row("c", 40, last_completed=60)]
    assert plan_of(rows, None) == plan_of(reversed(rows), None)
