"""From what clients write to the integers inside: seconds to ms, speeds to thousandths, times to us."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from math import floor

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def thousandths(number: float) -> int:
    """A number times 1000, rounded half up as it is written in decimal: 1.0005 gives 1001.

    Binary floating point spells 1.0005 as 1.00049999..., so what lies near a half is rounded from its shortest
    decimal spelling, the one that the client wrote.
    """
    scaled = number * 1000
    whole = floor(scaled)
    above = scaled - whole
    if 0.4999 < above < 0.5001:
        return int((Decimal(repr(number)) * 1000).to_integral_value(ROUND_HALF_UP))
    return whole + (above >= 0.5)


def microseconds(when: str | float) -> int:
    """A time as RFC 3339 text or as seconds since 1970, in us since 1970 UTC.

    Raises ValueError, with a reason fit to be shown, for text that is no time or has no UTC offset.
    """
    if isinstance(when, str):
        moment = datetime.fromisoformat(when)
        if moment.tzinfo is None:
            raise ValueError("no UTC offset")
        return (moment - _EPOCH) // _MICROSECOND
    return floor(when * 1_000_000 + 0.5)


def event_time_us(ts_us: int | None, sent_at_us: int | None, received_us: int) -> int:
    """When an event happened by our clock (design 2, "Order, clocks, retries").

    The client's `ts`, corrected by its clock error where it says when it sent; the time of receipt where it gave no
    `ts`; never in the future, and never 0, which means none inside.
    """
    if ts_us is None:
        return received_us
    if sent_at_us is not None:
        ts_us += received_us - sent_at_us
    return max(1, min(ts_us, received_us))
