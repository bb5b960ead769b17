"""What a command that looks at both Redis and Postgres works with."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from service.counters.connection import connect
from service.counters.constants import constants_of
from service.db.history import History
from service.db.ledger import Ledger
from workers.audit import Audit
from workers.schema import verify_stored_partitions
from workers.servers import database_url_of, redis_url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from service.rules.constants import Constants
    from service.settings import Settings

REDIS_TIMEOUT_SECONDS = 30.0
"""A large read takes longer than a request may."""


class Stores(NamedTuple):
    settings: Settings
    redis: Redis
    history: History
    ledger: Ledger

    @property
    def constants(self) -> Constants:
        return constants_of(self.settings)

    @property
    def keeps_all(self) -> bool:
        return not self.settings.events_keep_days

    @property
    def audit(self) -> Audit:
        return Audit(self.redis, self.history, self.ledger, self.constants, keeps_all=self.keeps_all)


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[Stores]:
    """Raises CannotStart, SettingsError."""
    database_url = database_url_of(settings)
    ledger = await Ledger.connect(database_url)
    history = await History.connect(database_url)
    redis = connect(redis_url_of(settings), REDIS_TIMEOUT_SECONDS)
    try:
        await verify_stored_partitions(ledger, settings.partitions)
        yield Stores(settings, redis, history, ledger)
    finally:
        await redis.aclose()
        await history.close()
        await ledger.close()
