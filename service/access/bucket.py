"""How fast a key may be used: a bucket that fills steadily and is drawn from by all HTTP processes together.

Each process decides by its own view of the bucket, and tells what it drew a few times a second (`lua/draw.lua`), so no
request waits for Redis. Between two tellings processes do not see each other: together they may let through one bucket
each. That is paid back, since the shared level goes below zero, so the average over time is exact.

A request is let in while anything is left, whatever its size, and may draw the bucket below zero: otherwise a batch
that is larger than the bucket could never come in.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from service import clock
from service.errors import RateExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW_SECONDS = 2
"""A full bucket lasts so long: players that come back together, or a page with several reads, are no flood."""


class Bucket:
    """`unit` is what is drawn, by its plural; `seconds` any steady clock."""

    def __init__(
        self, unit: str, per_second: int, seconds: Callable[[], float] = clock.steady_seconds
    ) -> None:
        self.unit, self.per_second = unit, per_second
        self.size = per_second * WINDOW_SECONDS
        self._seconds = seconds
        self._level, self._at = float(self.size), seconds()
        self._untold = 0
        self.is_in_use = False
        """Whether anybody came to it since the last telling; where nobody did, there is nothing to tell or to learn."""

    def check(self) -> None:
        """Raises RateExceeded while nothing is left."""
        self.is_in_use = True
        level = self._current_level()
        if level <= 0:
            wait_seconds = max(1, math.ceil(-level / self.per_second))
            raise RateExceeded(self.unit, self.size, WINDOW_SECONDS, wait_seconds)

    def draw(self, count: int) -> None:
        self._level = self._current_level() - count
        self._untold += count

    def take_untold(self) -> int:
        """What was drawn here since the last time, to be told to the others."""
        self.is_in_use = False
        untold, self._untold = self._untold, 0
        return untold

    def give_back(self, untold: int) -> None:
        """It could not be told."""
        self.is_in_use = True
        self._untold += untold

    def correct(self, level: float) -> None:
        """`level` is that of the shared bucket, which knows nothing yet of what was drawn here meanwhile."""
        self._level, self._at = level - self._untold, self._seconds()

    def _current_level(self) -> float:
        now = self._seconds()
        self._level = min(self.size, self._level + (now - self._at) * self.per_second)
        self._at = now
        return self._level
