"""A cluster for all tests of this folder, and the pieces of playhead on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.counters.cluster import Cluster
from service.counters.connection import connect, verify
from service.db.history import History
from service.db.ledger import Ledger
from tests.cluster.crowd import PARTITIONS, Crowd
from tests.cluster.nodes import Nodes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(scope="package")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    nodes = Nodes(tmp_path_factory.mktemp("cluster"))
    try:
        yield await nodes.start()
    finally:
        await nodes.end()


@pytest.fixture
async def nodes(running: Nodes) -> AsyncIterator[Nodes]:
    """Emptied; whatever a test does to them is mended."""
    yield running
    await running.restore()


@pytest.fixture
async def cluster(nodes: Nodes) -> AsyncIterator[Cluster]:
    client = connect(nodes.url, 5)
    assert isinstance(client, Cluster)
    await verify(client, PARTITIONS)
    yield client
    await client.aclose()


@pytest.fixture
async def crowd(nodes: Nodes, database_url: str) -> AsyncIterator[Crowd]:
    ledger, history = await Ledger.connect(database_url), await History.connect(database_url)
    crowd = Crowd(nodes.url, ledger, history, database_url)
    yield crowd
    await crowd.end()
    await history.close()
    await ledger.close()
