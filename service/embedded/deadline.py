"""Waiting, always with a bound."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE_SECONDS = 0.01
"""Valkey is up within 100 ms: a longer pause would be felt at every start."""


def holds_within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether `condition` came true in time; it is asked at least once."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(PAUSE_SECONDS)
    return True
