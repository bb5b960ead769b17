"""When something is due, and when it is due again: days and months, in a time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.courses.dates import (
    end_of_day_us,
    months_later,
    renewable_before_us,
    renewal_dates,
)
from service.courses.model import Attempt, Opening, Renewal
from service.courses.zones import zone_of

BERLIN, TOKYO, HAVANA, CAIRO = map(
    ZoneInfo, ("Europe/Berlin", "Asia/Tokyo", "America/Havana", "Africa/Cairo")
)


def utc(time_us: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)).isoformat()[:16]


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        ("2026-03-15", 1, "2026-04-15"),
        ("2026-01-31", 1, "2026-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-02-29", 48, "2028-02-29"),
        ("2025-02-28", 12, "2026-02-28"),
        ("2026-12-31", 2, "2027-02-28"),
        ("2026-10-31", 13, "2027-11-30"),
        ("2026-03-31", -1, "2026-02-28"),
        ("2026-01-15", -1, "2025-12-15"),
        ("2026-01-15", -13, "2024-12-15"),
        ("2026-05-05", 0, "2026-05-05"),
    ],
)
def test_months_later(day: str, months: int, then: str) -> None:
    assert months_later(date.fromisoformat(day), months) == date.fromisoformat(then)


@pytest.mark.parametrize(
    ("day", "zone", "end"),
    [
        ("2026-12-31", UTC, "2027-01-01T00:00"),
        ("2026-12-31", BERLIN, "2026-12-31T23:00"),
        ("2026-12-31", TOKYO, "2026-12-31T15:00"),
        ("2026-03-29", BERLIN, "2026-03-29T22:00"),  # 23 hours, from 28 March 23:00 on
        ("2026-10-25", BERLIN, "2026-10-25T23:00"),  # 25 hours
        ("2026-03-07", HAVANA, "2026-03-08T05:00"),  # its midnight does not exist: 0:00 is 1:00
        ("2026-04-23", CAIRO, "2026-04-23T22:00"),  # the same, also where the next day is a Friday
    ],
)
def test_a_day_ends_when_the_next_one_begins(day: str, zone: ZoneInfo, end: str) -> None:
    assert utc(end_of_day_us(date.fromisoformat(day), zone)) == end


@pytest.mark.parametrize(
    ("completed", "months", "lead_days", "zone", "opens", "due"),
    [
        ("2026-03-15T12:00", 12, 30, UTC, "2027-02-13T00:00", "2027-03-16T00:00"),
        ("2026-03-15T12:00", 12, 0, UTC, "2027-03-15T00:00", "2027-03-16T00:00"),
        ("2024-02-29T12:00", 12, 0, UTC, "2025-02-28T00:00", "2025-03-01T00:00"),
        ("2024-02-29T12:00", 48, 0, UTC, "2028-02-29T00:00", "2028-03-01T00:00"),
        ("2026-01-31T12:00", 1, 0, UTC, "2026-02-28T00:00", "2026-03-01T00:00"),
        ("2026-03-14T23:30", 12, 0, BERLIN, "2027-03-14T23:00", "2027-03-15T23:00"),  # the 15th there
        ("2026-03-14T14:59", 12, 0, TOKYO, "2027-03-13T15:00", "2027-03-14T15:00"),
        ("2026-03-14T15:00", 12, 0, TOKYO, "2027-03-14T15:00", "2027-03-15T15:00"),
        ("2026-06-15T12:00", 6, 7, BERLIN, "2026-12-07T23:00", "2026-12-15T23:00"),  # summer to winter
    ],
)
def test_renewal_dates(
    completed: str, months: int, lead_days: int, zone: ZoneInfo, opens: str, due: str
) -> None:
    found = renewal_dates(us(completed), Renewal(months, lead_days), zone)
    assert (utc(found.opens_us), utc(found.due_us)) == (opens, due)


@given(
    st.integers(us("2020-01-01") // 1_000_000, us("2040-01-01") // 1_000_000),
    st.integers(-40 * 24 * 3600, 40 * 24 * 3600),
    st.integers(1, 30),
    st.integers(0, 60),
    st.sampled_from([UTC, BERLIN, TOKYO, HAVANA]),
)
def test_what_is_renewable_is_what_should_be_open_by_now(
    now_seconds: int, around_seconds: int, months: int, lead_days: int, zone: ZoneInfo
) -> None:
    """The bound by which Postgres finds attempts says the same as the dates of each of them."""
    renewal, now_us = Renewal(months, lead_days), now_seconds * 1_000_000
    before_us = renewable_before_us(now_us, renewal, zone)
    for completed_us in (before_us - 1, before_us, before_us + around_seconds * 1_000_000):
        opens_us = renewal_dates(completed_us, renewal, zone).opens_us
        assert (completed_us < before_us) == (opens_us <= now_us)


@pytest.mark.parametrize(
    ("due_us", "completed_us", "closed_us", "now_us", "is_overdue"),
    [
        (None, None, None, 100, False),
        (50, None, None, 49, False),
        (50, None, None, 50, True),
        (50, None, None, 99, True),
        (50, 40, None, 99, False),
        (50, 60, None, 99, False),
        (50, None, 70, 99, False),
    ],
)
def test_overdue(
    due_us: int | None, completed_us: int | None, closed_us: int | None, now_us: int, is_overdue: bool
) -> None:
    """What was completed, however late, or is no longer open, is not waited for."""
    attempt = Attempt(
        1, "safety", "ann", 1, 0, Opening.RULE, due_us, completed_us=completed_us, closed_us=closed_us
    )
    assert attempt.is_overdue(now_us) is is_overdue


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+12"])
def test_zones_are_known_by_their_names(name: str) -> None:
    assert str(zone_of(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Europe",
        "Europe/",
        "europe/berlin",
        "localtime",
        "../etc/passwd",
        "Europe/Atlantis",
        "U" * 65,
        "Z\0",
    ],
)
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        zone_of(name)
