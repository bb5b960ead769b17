"""The one reader of the clock."""

from __future__ import annotations

import time

_most_ahead_ns = time.time_ns() - time.monotonic_ns()
"""By how much the wall clock was ever ahead of the monotonic one, in this process."""


def now_us() -> int:
    """The wall clock, in microseconds since 1970-01-01 UTC, but for this: within a process it never goes back.

    Where the wall clock is set back, time goes on from where it was until the process ends, so that heartbeats without
    `ts` do not come before the ones that their session has already sent. Where it is set forward, that is followed.
    """
    global _most_ahead_ns  # noqa: PLW0603 - the clock of the process
    wall_ns, steady_ns = time.time_ns(), time.monotonic_ns()
    _most_ahead_ns = max(_most_ahead_ns, wall_ns - steady_ns)
    return (steady_ns + _most_ahead_ns) // 1000


def steady_seconds() -> float:
    """A clock that nobody sets, to measure with."""
    return time.monotonic()
