"""Reads of users who left Redis: the same numbers, from their snapshots in Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.counters import coverage
from service.counters.reader import RecentPair
from service.counters.records import PairRecord, UserRecord
from service.db.failures import asking

if TYPE_CHECKING:
    from service.db.history import History, StoredPair

WHAT = "where this user's counters are"


class StoredReads:
    """Each gives None where Postgres knows nothing either. Raises PostgresUnavailable."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def user(self, name: str) -> UserRecord | None:
        with asking(WHAT):
            totals = await self._history.user(name)
        return UserRecord(*totals) if totals else None

    async def pair(self, name: str, slug: str) -> tuple[PairRecord, bytes] | None:
        with asking(WHAT):
            stored = await self._history.pair(name, slug)
        return (_record(stored), stored.coverage) if stored else None

    async def recent_pairs(self, name: str, limit: int, after: tuple[int, str] | None) -> list[RecentPair]:
        with asking(WHAT):
            found = await self._history.recent_pairs(name, limit, after)
        return [RecentPair(stored.slug, _record(stored)) for stored in found]


def _record(stored: StoredPair) -> PairRecord:
    return PairRecord(*stored.record)._replace(verified_cells=coverage.verified_cells(stored.coverage))
