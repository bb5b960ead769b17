"""`playhead serve` on a given cluster and a given Postgres, from outside."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import ClientSession

from tests.cluster.crowd import PARTITIONS, name_in, slot_of
from tests.cluster.nodes import Node
from tests.faults.victims import find
from tests.integration.serving import Serving, ended, run
from tests.integration.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.cluster.nodes import Nodes

VIEWERS = [name_in(partition, number) for partition in range(PARTITIONS) for number in range(3)]


@pytest.fixture
async def serving(nodes: Nodes, database_url: str, tmp_path: Path) -> AsyncIterator[Serving]:
    serving = Serving(
        tmp_path / "data", redis_url=nodes.url, database_url=database_url, replicas_min=1, shutdown_seconds=2
    )
    await asyncio.to_thread(serving.launch)
    yield serving
    await asyncio.to_thread(serving.stop)


async def test_the_whole_service_survives_the_loss_of_a_master(serving: Serving, nodes: Nodes) -> None:
    """Segments of ten seconds from every viewer, sent until they are acknowledged: `watch_seconds` counts them."""
    async with ClientSession(serving.url) as session:
        await until(lambda: _is(session, 200, "ready", True), "it is ready")
        await _watch(session, range(10))
        master, replica = await nodes.pair_of(slot_of(0))
        master.kill()
        watching = asyncio.create_task(_watch(session, range(10, 20)))
        await until(lambda: _is(session, 503, "reason", "replicas_missing"), "the new master has no replica")
        master.start()
        await until(master.follows, "the old master follows the new one")
        await watching
        await until(lambda: _is(session, 200, "ready", True), "it is ready again")
        async with session.get("/v1/movies/dune") as answer:
            movie = await answer.json()
        assert (movie["watch_seconds"], movie["viewers"], movie["events"]) == (
            200 * len(VIEWERS),
            len(VIEWERS),
            20 * len(VIEWERS),
        )
    assert await replica.role() == "master"
    audited = await asyncio.to_thread(run, "audit", variables=serving.variables)
    assert audited.returncode == 0, audited.stdout + audited.stderr
    assert f"{20 * len(VIEWERS)} raw events" in audited.stdout
    shown = await asyncio.to_thread(run, "inspect", "movie", "dune", "--json", variables=serving.variables)
    assert orjson.loads(shown.stdout)["redis"]["events"] == 20 * len(VIEWERS)


IMPATIENT = (
    "from service.cli.main import main; from workers import readiness, supervisor;"
    " supervisor.START_SECONDS, readiness.SAY_SECONDS = 8.0, 0.5; main()"
)


async def test_a_start_that_must_wait_goes_on_and_says_for_what(tmp_path: Path, database_url: str) -> None:
    """Not ready for longer than a start may take, it answers, says why, and takes events once it may."""
    master, replica = (Node(tmp_path / name, clustered=False) for name in ("master", "replica"))
    redis_url = f"redis://{master.address}"
    with ended(
        Serving(tmp_path / "data", redis_url=redis_url, database_url=database_url, replicas_min=1)
    ) as serving:
        serving.program = [sys.executable, "-c", IMPATIENT]
        try:
            for node in (master, replica):
                node.start()
                await until(node.answers, "it answers")
            serving.launch()

            async def has_said_so() -> bool:
                return len(serving.said("not_ready")) > 20  # ten seconds

            await until(has_said_so, "it says that it is not ready", 60)
            assert "PLAYHEAD_REPLICAS_MIN" in serving.said("not_ready")[-1]["detail"]
            await replica.command("REPLICAOF", "127.0.0.1", master.port)

            async def is_ready() -> bool:
                return bool(serving.said("ready"))

            await until(is_ready, "it is ready")
            async with ClientSession(serving.url) as session:
                assert await _send(session, [{"user": "ann", "slug": "dune", "at": 10}]) == []
            assert serving.poll() is None
        finally:
            await asyncio.to_thread(serving.stop)
            for node in (master, replica):
                await node.end()


async def test_http_processes_that_start_while_redis_is_away_say_so(
    tmp_path: Path, database_url: str
) -> None:
    """Nobody is cut off: they answer 503 until it is back, and whoever was there goes on."""
    redis = Node(tmp_path / "redis", clustered=False)
    with ended(
        Serving(tmp_path / "data", redis_url=f"redis://{redis.address}", database_url=database_url)
    ) as serving:
        try:
            redis.start()
            await until(redis.answers, "it answers")
            await asyncio.to_thread(serving.start)
            redis.kill()
            arbiters = find(serving.pid, "arbiter")
            for pid in find(serving.pid, "http worker"):
                os.kill(pid, signal.SIGKILL)
            event = {"user": "ann", "slug": "dune", "at": 10}

            async def both_say_so() -> bool:
                return len(serving.said("redis_unavailable")) >= 2

            await until(both_say_so, "both of the next ones have started, and say so")
            async with ClientSession(serving.url) as session:
                assert await _is(session, 503, "reason", "redis_unavailable")
                assert await _send(session, [event]) == [event]
                redis.start()
                await until(lambda: _is(session, 200, "ready", True), "it is ready")
                assert await _send(session, [event]) == []
            assert find(serving.pid, "arbiter") == arbiters
            assert serving.said("child_ended") == []
        finally:
            await asyncio.to_thread(serving.stop)
            await redis.end()


async def _watch(session: ClientSession, numbers: range) -> None:
    for number in numbers:
        events = [
            {
                "user": name,
                "slug": "dune",
                "session": "s",
                "seq": number,
                "kind": "segment",
                "from": number * 10,
                "at": number * 10 + 10,
            }
            for name in VIEWERS
        ]
        while events := await _send(session, events):
            await asyncio.sleep(0.05)


async def _send(session: ClientSession, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Gives those that are to be sent again."""
    async with session.post("/v1/events", json=events) as answer:
        if answer.status == 503:
            return events
        rejected = (await answer.json())["rejected"]
    assert {rejection["reason"] for rejection in rejected} <= {"unavailable"}
    return [events[rejection["index"]] for rejection in rejected]


async def _is(session: ClientSession, status: int, name: str, value: object) -> bool:
    """What /readyz says."""
    try:
        async with session.get("/readyz") as answer:
            return answer.status == status and (await answer.json(content_type=None)).get(name) == value
    except OSError:
        return False
