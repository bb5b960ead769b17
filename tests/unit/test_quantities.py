"""From what clients write to the integers inside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.events.quantities import event_time_us, microseconds, thousandths
from service.limits import POSITION_MAX_S

NOW_US = 1_800_000_000_000_000


@st.composite
def written(draw: st.DrawFn) -> Decimal:
    """A position as a client may write it: up to nine digits behind the point."""
    places = draw(st.integers(0, 9))
    return Decimal(draw(st.integers(0, POSITION_MAX_S * 10**places))).scaleb(-places)


@st.composite
def halves(draw: st.DrawFn) -> Decimal:
    """At, just below and just above the middle between two thousandths."""
    middle = Decimal(draw(st.integers(0, POSITION_MAX_S * 1000 - 1)) * 10 + 5).scaleb(-4)
    return middle + draw(st.integers(-3, 3)) * Decimal(10) ** -draw(st.integers(5, 9))


def half_up(number: Decimal) -> int:
    return int((number * 1000).to_integral_value(ROUND_HALF_UP))


@given(written() | halves())
def test_a_position_is_rounded_half_up_as_it_is_written(number: Decimal) -> None:
    assert thousandths(float(str(number))) == half_up(number)


@given(st.integers(0, POSITION_MAX_S * 1000))
def test_a_thousandth_comes_back_as_it_went(ms: int) -> None:
    assert thousandths(ms / 1000) == ms


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1.0005, 1001),
        (1.0004999, 1000),
        (0.0005, 1),
        (0.0004999, 0),
        (-0.0, 0),
        (5e-324, 0),
        (172_800.0, 172_800_000),
    ],
)
def test_what_binary_floating_point_cannot_spell_is_still_read_as_written(
    number: float, expected: int
) -> None:
    assert thousandths(number) == expected


@given(
    st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30)),  # noqa: DTZ001 - the offset is drawn beside
    st.integers(-14 * 60, 14 * 60),
)
def test_a_time_means_the_same_moment_at_every_offset(moment: datetime, offset_minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    expected = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert microseconds(aware.isoformat()) == expected
    assert microseconds(aware.astimezone(UTC).isoformat().replace("+00:00", "Z")) == expected


@given(st.integers(946_684_800_000, 4_102_444_800_000))
def test_seconds_since_1970_keep_their_milliseconds(ms: int) -> None:
    assert microseconds(ms / 1000) == ms * 1000


@pytest.mark.parametrize(
    "when", ["2026-11-20T10:00:00", "2026-11-20", "yesterday", "", "1700000000", "10:00Z"]
)
def test_text_without_an_offset_or_a_date_is_no_time(when: str) -> None:
    with pytest.raises(ValueError, match=r"offset|Invalid isoformat"):
        microseconds(when)


@given(
    st.integers(1, 2 * NOW_US),
    st.none() | st.integers(1, 2 * NOW_US),
)
def test_an_event_happened_between_the_first_moment_and_now(ts_us: int, sent_at_us: int | None) -> None:
    assert 1 <= event_time_us(ts_us, sent_at_us, NOW_US) <= NOW_US


def test_a_clock_that_is_wrong_by_a_day_tells_the_right_time_when_it_says_when_it_sent() -> None:
    a_day_ahead_us = NOW_US + 86_400_000_000
    assert event_time_us(a_day_ahead_us - 5_000_000, a_day_ahead_us, NOW_US) == NOW_US - 5_000_000


def test_without_a_time_of_its_own_an_event_happened_when_it_was_received() -> None:
    assert event_time_us(None, 5, NOW_US) == NOW_US


def test_a_time_in_the_future_is_now() -> None:
    assert event_time_us(NOW_US + 1, None, NOW_US) == NOW_US
