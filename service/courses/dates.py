"""Dates: which is the first or the last, and, in days and months of a time zone, when something is due, and again.

Only whole days are due, so that every place in a zone has all of its last day. A day is over when the next one begins;
where that moment does not exist, since clocks are put forward at midnight, the day is over when they are.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import tzinfo

    from service.courses.model import Renewal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def earliest(times_us: Iterable[int | None]) -> int | None:
    """Of those that there are; None where there is none."""
    return min((time_us for time_us in times_us if time_us is not None), default=None)


def latest(times_us: Iterable[int | None]) -> int | None:
    return max((time_us for time_us in times_us if time_us is not None), default=None)


class RenewalDates(NamedTuple):
    """When the next attempt is opened, and when it is due."""

    opens_us: int
    due_us: int


def end_of_day_us(day: date, zone: tzinfo) -> int:
    """The first moment that no longer belongs to this day."""
    return start_of_day_us(day + timedelta(days=1), zone)


def day_of(time_us: int, zone: tzinfo) -> date:
    return _moment(time_us, zone).date()


def months_later(day: date, months: int) -> date:
    """The same day of another month, or the last one of a month that is shorter: 29 February is 28 a year later."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def months_earlier_us(time_us: int, months: int, zone: tzinfo) -> int:
    """The start of the day that lies so many months before."""
    return start_of_day_us(months_later(day_of(time_us, zone), -months), zone)


def renewal_dates(completed_us: int, renewal: Renewal, zone: tzinfo) -> RenewalDates:
    """Counted from the completion, not from when it was due: nobody loses time by being early."""
    due_day = months_later(day_of(completed_us, zone), renewal.every_months)
    opens_day = due_day - timedelta(days=renewal.lead_days)
    return RenewalDates(start_of_day_us(opens_day, zone), end_of_day_us(due_day, zone))


def renewable_before_us(now_us: int, renewal: Renewal, zone: tzinfo) -> int:
    """Whoever completed before this moment has a next attempt to be opened by now, and nobody else."""
    due_day = day_of(now_us, zone) + timedelta(days=renewal.lead_days)
    last = months_later(due_day, -renewal.every_months)
    while months_later(last + timedelta(days=1), renewal.every_months) <= due_day:
        last += timedelta(days=1)  # several ends of a month may have the same day in a shorter one
    return end_of_day_us(last, zone)


def start_of_day_us(day: date, zone: tzinfo) -> int:
    return (datetime.combine(day, time(), zone) - _EPOCH) // _MICROSECOND


def _moment(time_us: int, zone: tzinfo) -> datetime:
    return (_EPOCH + timedelta(microseconds=time_us)).astimezone(zone)
