"""Upkeep of the day partitions: made ahead, and dropped when they are older than is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from service import clock

if TYPE_CHECKING:
    from service.db.ledger import Ledger

_log = structlog.get_logger()

DAYS_AHEAD = 3
"""So that no flush has to make one, even when nobody looks after this for a weekend."""

PAUSE_SECONDS = 3600.0


class Days:
    def __init__(self, ledger: Ledger, keep_days: int) -> None:
        self._ledger = ledger
        self._keep_days = keep_days

    async def step(self) -> bool:
        """Driven by `workers.loop.drive`. Days are those of UTC, by the time of receipt."""
        today = datetime.fromtimestamp(clock.now_us() / 1_000_000, UTC).date()
        await self._ledger.ensure_days(today, today + timedelta(days=DAYS_AHEAD))
        if self._keep_days:
            dropped = await self._ledger.drop_days_before(today - timedelta(days=self._keep_days))
            if dropped:
                _log.info("days_dropped", days=dropped, keep_days=self._keep_days)
        return False
