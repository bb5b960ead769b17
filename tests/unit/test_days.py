"""Names and bounds of day partitions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from service.db.days import day_bounds, day_name, named_day


def test_a_day_is_named_by_its_digits() -> None:
    assert day_name(date(2026, 3, 9)) == "events_20260309"


@pytest.mark.parametrize("day", [date(2000, 1, 1), date(2024, 2, 29), date(2026, 12, 31), date(2099, 12, 31)])
def test_a_name_says_its_day(day: date) -> None:
    assert named_day(day_name(day)) == day


def test_names_sort_as_their_days_do() -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(800)]
    assert sorted(map(day_name, days)) == [day_name(day) for day in days]


@pytest.mark.parametrize(
    "name",
    [
        "events",
        "events_",
        "events_2026030",
        "events_202603099",
        "events_20260230",
        "events_20261301",
        "events_00000101",
        "events_2026030٣",
        "events_20260309 ",
        "events_20260309\n",
        "old_events_20260309",
        "events_20260309_old",
        "users",
    ],
)
def test_other_names_are_no_days(name: str) -> None:
    assert named_day(name) is None


def test_a_day_lasts_from_midnight_to_midnight_utc() -> None:
    midnight = datetime(2024, 2, 29, tzinfo=UTC)
    assert day_bounds(date(2024, 2, 29)) == (midnight, datetime(2024, 3, 1, tzinfo=UTC))


def test_days_join_without_a_gap() -> None:
    day = date(2026, 3, 28)
    assert day_bounds(day)[1] == day_bounds(day + timedelta(days=1))[0]
