"""`playhead inspect`: Redis and Postgres side by side, and a clear word where one of them has nothing to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import asyncpg
import orjson
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from service.settings import Settings
from tests.integration.ledgers import is_settled
from tests.integration.serving import Serving, ended, environment, run
from tests.integration.waiting import until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator
    from pathlib import Path

PARTITIONS = Settings.model_fields["partitions"].default
USER, SLUG = "Zoë 🎬", "a/b [x]"
EVENTS = [
    {
        "user": USER,
        "slug": SLUG,
        "kind": "segment",
        "from": 0,
        "at": 12.5,
        "session": "s",
        "ts": "2026-03-09T12:00:00Z",
    },
    {
        "user": USER,
        "slug": SLUG,
        "kind": "segment",
        "from": 20,
        "at": 30,
        "speed": 2,
        "ts": "2026-03-09T12:01:00Z",
    },
    {"user": USER, "slug": "other", "at": 100},
    {"user": "bob", "slug": SLUG, "at": 5},
]


@pytest_asyncio.fixture(scope="module")
async def serving(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    with ended(Serving(tmp_path_factory.mktemp("inspect") / "data")) as one:
        one.start()
        async with aiohttp.ClientSession() as http, http.post(f"{one.url}/v1/events", json=EVENTS) as answer:
            assert (await answer.json())["accepted"] == len(EVENTS)
        connection = await asyncpg.connect(one.database_url)
        async with Redis.from_url(one.redis_url) as redis:
            await until(lambda: is_settled(redis, connection, PARTITIONS), "everything in Postgres")
        await connection.close()
        yield one
        assert one.stop() == 0


def inspected(serving: Serving, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    variables = {**serving.variables, "COLUMNS": "160", **changes}
    return run("inspect", *words, variables=variables)


def sides_of(serving: Serving, *words: str, **changes: str) -> tuple[Any, Any]:
    told = orjson.loads(inspected(serving, *words, "--json", **changes).stdout)
    return told["redis"], told["postgres"]


def agree(redis: dict[str, object], postgres: dict[str, object]) -> bool:
    """On everything that both of them name."""
    common = redis.keys() & postgres.keys()
    return len(common) >= 5 and all(redis[name] == postgres[name] for name in common)


def test_a_user(serving: Serving) -> None:
    redis, postgres = sides_of(serving, "user", USER)
    assert redis["watch_ms"] == 12_500 + 10_000 + 10_000
    assert (redis["movies"], redis["events"]) == (2, 3)
    assert agree(redis, postgres)


def test_a_movie(serving: Serving) -> None:
    redis, postgres = sides_of(serving, "movie", SLUG)
    assert (redis["viewers"], redis["events"]) == (2, 3)
    assert agree(redis, postgres)


def test_a_pair(serving: Serving) -> None:
    redis, postgres = sides_of(serving, "pair", USER, SLUG)
    assert redis["coverage"] == [[0, 13], [20, 30]]
    assert redis["verified_cells"] == 13
    assert redis["latest_at"] == "2026-03-09T12:01:00.000000Z"
    assert agree(redis, {**postgres, "latest_at": redis["latest_at"]})
    assert postgres["latest_at"].startswith("2026-03-09T12:01:00")
    assert postgres["rows"] == 2
    assert {session["session"] for session in postgres["sessions"]} == {"", "s"}


@pytest.mark.parametrize("words", [("user", USER), ("movie", SLUG), ("pair", USER, SLUG)])
def test_side_by_side_for_people(serving: Serving, words: tuple[str, ...]) -> None:
    done = inspected(serving, *words)
    assert (done.returncode, done.stderr) == (0, "")
    title, header, *lines = done.stdout.splitlines()
    assert all(word in title for word in words[1:])
    assert header.index("Redis") < header.index("Postgres")
    [watched] = [line.split("│") for line in lines if "watch_ms" in line]
    assert watched[1].strip() == watched[2].strip() != ""


@pytest.mark.parametrize("words", [("user", "nobody"), ("movie", "nothing"), ("pair", USER, "nothing")])
def test_what_neither_knows_is_told(serving: Serving, words: tuple[str, ...]) -> None:
    done = inspected(serving, *words)
    assert (done.returncode, done.stdout) == (1, "")
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("playhead: neither Redis nor Postgres knows ")
    assert words[-1] in sentence
    assert sides_of(serving, *words) == ("not there", "not there")


@pytest.mark.usefixtures("redis")
async def test_what_only_one_of_them_knows_is_shown(serving: Serving, redis_url: str) -> None:
    """As after a loss of Redis."""
    done = inspected(serving, "user", USER, PLAYHEAD_REDIS_URL=redis_url)
    assert done.returncode == 0
    assert "idle users leave Redis" in " ".join(done.stdout.replace("│", " ").split())
    assert "32500" in done.stdout


def test_one_server_that_is_away_is_told_beside_the_other(serving: Serving) -> None:
    away = {"PLAYHEAD_DATABASE_URL": "postgresql://x@127.0.0.1:1/x"}
    done = inspected(serving, "user", USER, **away)
    assert done.returncode == 0
    assert "Postgres cannot be reached: " in done.stdout
    redis, postgres = sides_of(serving, "user", USER, **away)
    assert redis["events"] == 3
    assert postgres.startswith("Postgres cannot be reached: ")
    redis, postgres = sides_of(serving, "user", USER, PLAYHEAD_REDIS_URL="redis://127.0.0.1:1")
    assert redis.startswith("Redis did not answer: ")
    assert postgres["events"] == 3


def test_both_away_is_one_sentence(tmp_path: Path) -> None:
    done = run("inspect", "user", "ann", variables=environment(tmp_path / "data"))
    assert (done.returncode, done.stdout) == (1, "")
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("playhead: Redis did not answer: ")
    assert "; Postgres cannot be reached: " in sentence
    assert not (tmp_path / "data").exists()
