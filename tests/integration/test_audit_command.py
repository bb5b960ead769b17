"""`playhead audit` and `playhead recover` on the running service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest_asyncio
from redis.asyncio import Redis

from service.counters import keys
from service.counters.partitions import partition_of
from service.settings import Settings
from tests.integration.serving import Serving, ended, run
from tests.integration.waiting import until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator

    import pytest

PARTITIONS = Settings.model_fields["partitions"].default


@pytest_asyncio.fixture(scope="module")
async def serving(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    with ended(Serving(tmp_path_factory.mktemp("audit") / "data")) as one:
        one.start()
        watched = simulated(one)
        assert watched.returncode == 0, watched.stderr
        yield one
        one.stop()


def simulated(one: Serving, *words: str) -> subprocess.CompletedProcess[str]:
    return run(
        "simulate",
        *("--url", one.url, "--seconds", "2", "--events-per-second", "600", "--batch", "20", *words),
        variables=one.variables,
    )


async def test_the_audit_agrees_while_events_come_in(serving: Serving) -> None:
    watching = asyncio.create_task(asyncio.to_thread(simulated, serving))
    audited = await asyncio.to_thread(run, "audit", variables=serving.variables)
    assert (await watching).returncode == 0
    assert audited.returncode == 0, audited.stdout
    assert ": 0 counters drifted" in audited.stdout


async def test_an_emptied_redis_comes_back_and_the_audit_agrees(serving: Serving) -> None:
    """Within seconds, by itself; meanwhile events are refused, and afterwards everybody stands where they stood."""

    async def readiness() -> int:
        async with aiohttp.ClientSession() as http, http.get(f"{serving.url}/readyz") as answer:
            return answer.status

    async def bob() -> object:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{serving.url}/v1/users/bob/movies/dune") as answer,
        ):
            return await answer.json()

    async def is_ready() -> bool:
        return await readiness() == 200

    async with aiohttp.ClientSession() as http:
        await http.post(
            f"{serving.url}/v1/events", json=[{"user": "bob", "slug": "dune", "at": at} for at in (9, 19)]
        )
    before = await bob()
    await asyncio.to_thread(run, "audit", variables=serving.variables)  # which waits for what Postgres lacks
    async with Redis.from_url(serving.redis_url) as redis:
        await redis.flushall()
    await until(is_ready, "a recovered playhead")
    assert await bob() == before
    assert simulated(serving).returncode == 0
    audited = await asyncio.to_thread(run, "audit", variables=serving.variables)
    assert audited.returncode == 0, audited.stdout
    level = await asyncio.to_thread(run, "recover", variables=serving.variables)
    assert (level.returncode, level.stdout.split(",")[0]) == (0, "0 lost events")


async def test_a_drift_is_named_and_fails_the_audit(serving: Serving) -> None:
    async with aiohttp.ClientSession() as http:
        await http.post(f"{serving.url}/v1/events", json={"user": "ann", "slug": "dune", "at": 100})
    coverage = keys.coverage(partition_of("ann", PARTITIONS), "ann", "dune")
    async with Redis.from_url(serving.redis_url) as redis:
        await redis.setbit(coverage, 5, 1)
        audited = await asyncio.to_thread(run, "audit", variables=serving.variables)
        await redis.setbit(coverage, 5, 0)
    assert audited.returncode == 1
    assert coverage in audited.stdout
    assert "[(5, 6), (90, 100)]" in audited.stdout
    async with (
        aiohttp.ClientSession() as http
    ):  # the wrong bit may have got into a snapshot: this makes a new one
        await http.post(f"{serving.url}/v1/events", json={"user": "ann", "slug": "dune", "at": 110})
    rebuilt = await asyncio.to_thread(run, "rebuild", "--verify", variables=serving.variables)
    assert rebuilt.returncode == 0, rebuilt.stdout
    sampled = await asyncio.to_thread(run, "audit", "--sample", "16", variables=serving.variables)
    assert sampled.returncode == 0, sampled.stdout


def test_rebuild_says_that_it_only_compares(serving: Serving) -> None:
    refused = run("rebuild", variables=serving.variables)
    assert refused.returncode == 1
    assert "--verify" in refused.stderr
