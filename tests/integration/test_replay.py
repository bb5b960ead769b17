"""The statements of real learners, in any order and over any number of connections, come to the same sums."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp
import asyncpg
import orjson
import pytest
import pytest_asyncio
from redis.asyncio import Redis
from yarl import URL

from service.settings import Settings
from tests.integration.ledgers import is_settled
from tests.integration.serving import Serving, ended, run
from tests.integration.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

PARTITIONS = Settings.model_fields["partitions"].default

ACCEPTED, REJECTED = 11_192, 31
USERS, PAIRS = 586, 1_074
UNIQUE_SECONDS, WATCH_SECONDS, WATCH_MS = 458_146, 495_088.259, 495_088_259
"""Worked out from the file by a program that shares no code with this one: sums over all users."""


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with ended(Serving(tmp_path_factory.mktemp("replay") / "data")) as one:
        one.start()
        yield one
        assert one.stop() == 0


@pytest_asyncio.fixture
async def connection(serving: Serving) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(serving.database_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def empty(serving: Serving, connection: Any) -> Serving:
    """The same processes, with nothing counted: only the checkpoints stay, since stream ids only rise."""
    async with Redis.from_url(serving.redis_url) as redis:
        await until(lambda: is_settled(redis, connection, PARTITIONS), "everything in Postgres")
        await redis.flushall()
    await connection.execute("TRUNCATE events, users, pairs, sessions, movie_shares")
    return serving


@pytest.mark.parametrize("connections", [1, 8])
@pytest.mark.parametrize("order", ["file", "reverse", "shuffled"])
async def test_the_sums_are_the_same(
    empty: Serving, connection: Any, real_input: Path, order: str, connections: int
) -> None:
    """And sent a second time, nothing counts again."""
    for accepted in (ACCEPTED, 0):
        summary = replayed(empty, real_input, order, connections)
        assert (summary["accepted"], summary["duplicates"]) == (accepted, ACCEPTED - accepted)
        assert (summary["read"], summary["rejected"]) == (ACCEPTED + REJECTED, REJECTED)
        assert summary["balances"]
    async with Redis.from_url(empty.redis_url) as redis:
        await until(lambda: is_settled(redis, connection, PARTITIONS), "everything in Postgres")
    await assert_postgres_agrees(connection)
    await assert_reads_agree(empty, connection)


def replayed(serving: Serving, file: Path, order: str, connections: int) -> dict[str, Any]:
    words = ["--url", serving.url, "--order", order, "--connections", str(connections), "--seed", "7"]
    done = run("replay", str(file), *words, "--json", variables=serving.variables)
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = orjson.loads(done.stdout)
    return summary


async def assert_postgres_agrees(connection: Any) -> None:
    """Each accepted event is one row, and rows, users, pairs and movies sum to the same."""
    rows = await connection.fetchrow(
        "SELECT count(*), count(DISTINCT event_id), count(DISTINCT user_id), sum(credited_ms)::bigint FROM events"
    )
    assert tuple(rows) == (ACCEPTED, ACCEPTED, await users_of(connection), WATCH_MS)
    for table in ("users", "pairs", "movie_shares"):
        sums = await connection.fetchrow(
            f"SELECT sum(watch_ms)::bigint, sum(unique_cells)::bigint, sum(events)::bigint FROM {table}"
        )
        assert tuple(sums) == (WATCH_MS, UNIQUE_SECONDS, ACCEPTED), table
    covered = await connection.fetchrow(
        "SELECT count(*), count(DISTINCT user_id), sum(bit_count(coverage))::bigint"
        " FROM pairs WHERE unique_cells > 0"
    )
    assert tuple(covered) == (PAIRS, USERS, UNIQUE_SECONDS)


async def users_of(connection: Any) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM users"))


async def assert_reads_agree(serving: Serving, connection: Any) -> None:
    """The live counters, as anybody reads them."""
    users = [row["user_id"] for row in await connection.fetch("SELECT user_id FROM users")]
    slugs = [row["slug"] for row in await connection.fetch("SELECT DISTINCT slug FROM movie_shares")]
    async with aiohttp.ClientSession(serving.url, connector=aiohttp.TCPConnector(limit=8)) as http:
        told_users = await asyncio.gather(*(read(http, "users", name) for name in users))
        told_movies = await asyncio.gather(*(read(http, "movies", slug) for slug in slugs))
    for told in (told_users, told_movies):
        assert sum(one["unique_seconds"] for one in told) == UNIQUE_SECONDS
        assert sum(round(one["watch_seconds"] * 1000) for one in told) == WATCH_MS
        assert round(sum(one["watch_seconds"] for one in told), 3) == WATCH_SECONDS
        assert sum(one["events"] for one in told) == ACCEPTED
    assert sum(one["unique_seconds"] > 0 for one in told_users) == USERS
    assert sum(one["viewers"] for one in told_movies) == sum(one["movies"] for one in told_users)


async def read(http: aiohttp.ClientSession, kind: str, name: str) -> dict[str, Any]:
    path = URL(f"/v1/{kind}/{quote(name, safe='')}", encoded=True)  # names are URLs here, with slashes
    async with http.get(path) as response:
        assert response.status == 200, name
        told: dict[str, Any] = await response.json()
        return told
