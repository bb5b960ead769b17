"""Whatever happens around playhead: what was acknowledged is counted once, and what cannot be kept is refused."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.faults.learners import UNTIMED
from tests.faults.surroundings import HOUR_BACK, NO_CONNECTIONS, NO_MEMORY, network_faults, surrounded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.faults.faults import Fault
    from tests.faults.storm import Storm

BEAT_SECONDS = 0.2


@pytest.fixture(scope="module")
async def storm(tmp_path_factory: pytest.TempPathFactory, seed: int) -> AsyncIterator[Storm]:
    """Of all tests here: what one of them leaves behind must not hurt the next."""
    async with surrounded(tmp_path_factory.mktemp("surroundings"), seed) as made:
        yield made


async def suffers(storm: Storm, seed: int, *faults: Fault) -> None:
    findings = await storm.rage(faults)
    assert not findings, (f"FAULTS_SEED={seed}", findings)
    assert not storm.findings.wrong, (f"FAULTS_SEED={seed}", storm.findings.wrong)


async def test_a_network_that_fails(storm: Storm, seed: int) -> None:
    """Connections to either server are cut, held, forgotten, half-closed and delayed, and answers lost on the way."""
    await suffers(storm, seed, *network_faults(random.Random(seed)))
    assert sum(answers.unanswered for answers in storm.crowd.answers) == 0, "clients see no broken connection"


async def test_a_redis_without_memory(storm: Storm, seed: int) -> None:
    """It refuses what needs memory: clients get 503, nothing is half-applied, and it goes on when there is some."""
    refused = sum(answers.refused for answers in storm.crowd.answers)
    await suffers(storm, seed, NO_MEMORY)
    assert sum(answers.refused for answers in storm.crowd.answers) > refused


async def test_a_postgres_without_connections(storm: Storm, seed: int) -> None:
    """Events are acknowledged all the while, and reach Postgres when it has a connection again.

    Calls about courses are refused meanwhile.
    """
    refused = refused_events(storm)
    await suffers(storm, seed, NO_CONNECTIONS)
    assert refused_events(storm) == refused


def refused_events(storm: Storm) -> int:
    told_learners = sum(learner.answers.refused for learner in storm.crowd.learners)
    return sum(answers.refused for answers in storm.crowd.answers) - told_learners


async def test_a_clock_that_jumps_back_an_hour(storm: Storm, seed: int) -> None:
    """Heartbeats without `ts` count as they come, all the while, and of all others nothing changes."""
    enough = asyncio.Event()
    watching = asyncio.create_task(watch(storm.serving.url, enough))
    await suffers(storm, seed, HOUR_BACK)
    enough.set()
    sent_seconds, behind_seconds = await watching
    assert sent_seconds > 3
    assert behind_seconds < 1.5


async def watch(url: str, enough: asyncio.Event) -> tuple[float, float]:
    """In real time. Gives the last moment, and by how much the whole seconds that were counted ever were behind."""
    began, at, behind_seconds = time.monotonic(), 0.0, 0.0
    async with aiohttp.ClientSession(url, raise_for_status=True) as client:
        while not enough.is_set():
            at = round(time.monotonic() - began, 3)
            event = {"user": UNTIMED, "slug": UNTIMED, "session": "clock", "at": at}
            async with client.post("/v1/events", json=event) as response:
                counted = (await response.json())["state"]["watch_seconds"]
            behind_seconds = max(behind_seconds, at - counted)
            await asyncio.sleep(BEAT_SECONDS)
    return at, behind_seconds
