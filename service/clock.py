"""The one reader of the clock."""

from __future__ import annotations

import time


def now_us() -> int:
    """The wall clock, in microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000


def steady_seconds() -> float:
    """A clock that nobody sets, to measure with."""
    return time.monotonic()
