"""Renewals by rule: the attempts that are due to be opened are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from service import clock
from service.limits import RENEW_RUN_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.courses.assigning.attempts import Attempts

_log = structlog.get_logger()

PAUSE_SECONDS = 60.0
"""Days begin at midnight somewhere; a look that finds nothing costs one statement a course with a rule."""


class Renewals:
    """Each process may have one: what is due is opened once. After days of being off it is all opened at once."""

    def __init__(self, attempts: Attempts, now_us: Callable[[], int] = clock.now_us) -> None:
        self._attempts = attempts
        self._now_us = now_us

    async def step(self) -> bool:
        """Driven by `workers.loop.drive`."""
        opened = await self._attempts.renew_due(self._now_us(), RENEW_RUN_MAX)
        if opened:
            _log.info("attempts_renewed", attempts=opened)
        return opened > 0
