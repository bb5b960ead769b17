"""What several tests of the way to Postgres share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.db.history import History
from service.db.ledger import Ledger
from tests.integration.bench import Bench, bench_on
from tests.integration.town import PARTITION, Town

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis


@pytest.fixture
async def bench(redis: Redis, database_url: str) -> AsyncIterator[Bench]:
    async with bench_on(redis, database_url) as made:
        yield made


@pytest.fixture
async def town(redis: Redis, database_url: str) -> AsyncIterator[Town]:
    ledger, history = await Ledger.connect(database_url), await History.connect(database_url)
    await ledger.checkpoints([PARTITION])
    town = Town(redis, ledger, history)
    await town.flush()
    yield town
    await history.close()
    await ledger.close()
