"""Levelling of what nobody levelled: attempts that a rule opened, and those that a crash left in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from service import metrics

if TYPE_CHECKING:
    from service.courses.watching.levelling import Levelling

_log = structlog.get_logger()

PAUSE_SECONDS = 1.0
"""So long, at most, a renewal by rule counts for the attempt before. A look that finds nothing reads an empty index."""


class RestLevelling:
    """Each process may have one: what one has levelled the others find so."""

    def __init__(self, levelling: Levelling) -> None:
        self._levelling = levelling

    async def step(self) -> bool:
        """Driven by `workers.loop.drive`."""
        levelled = await self._levelling.level_rest()
        if levelled:
            metrics.LEVELLED.inc(levelled)
            _log.info("attempts_levelled", attempts=levelled)
        return levelled > 0
