"""Under load from many connections, every counter ends up as the model says, and every event is one row.

All connections write to the same few pairs, each in sessions of its own (`viewers` says why that gives one right end).

A tenth of the events are sent twice. Most of those come again from the same connection. The others, whose spans stand
for themselves in a session of their own, are sent by two connections at once, and nobody knows which one counts.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import asyncpg
import orjson
import pytest
from redis.asyncio import Redis

from service.rules.model import Model
from service.settings import Settings
from tests.integration.ledgers import book_of_postgres, expected_of, is_settled
from tests.integration.reads import count, wrong_reads
from tests.integration.serving import Serving, ended
from tests.integration.viewers import MOVIE_SECONDS, MOVIES, USERS, Viewer, event_at
from tests.integration.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONNECTIONS = 64
EVENTS = 200_000
PARTITIONS = Settings.model_fields["partitions"].default

Body = list[dict[str, Any]]


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    with ended(Serving(tmp_path / "data", workers=2)) as one:
        one.start()
        yield one


@pytest.mark.timeout(300)
async def test_the_books_balance(serving: Serving, say: Callable[[str], None]) -> None:
    sent, scripts = scripts_of(random.Random(11))
    started = time.monotonic()
    answers = await posted(serving, scripts)
    seconds = time.monotonic() - started
    model = Model()
    count(model, sent)
    total = sum(len(body) for script in scripts for body in script)
    assert total == EVENTS + EVENTS // 10
    assert answers == {"accepted": EVENTS, "duplicates": EVENTS // 10}
    connection = await asyncpg.connect(serving.database_url)
    async with Redis.from_url(serving.redis_url) as redis:
        behind = await until(lambda: is_settled(redis, connection, PARTITIONS), "all in Postgres", 120)
    say(f"{total / seconds:,.0f} events/s, Postgres {behind:.1f} s behind")
    assert await wrong_reads(serving.url, model) == []
    assert await book_of_postgres(connection) == expected_of(model)
    ids = [row["event_id"] for row in await connection.fetch("SELECT event_id FROM events")]
    assert len(ids) == EVENTS
    assert set(ids) == {event["id"] for event in sent}
    await connection.close()
    assert serving.stop() == 0


def scripts_of(chance: random.Random) -> tuple[Body, list[list[Body]]]:
    """Every event once, and for each connection the bodies that it posts, of one event to a thousand."""
    viewers = [Viewer(number, chance) for number in range(CONNECTIONS)]
    own: list[Body] = [[] for _ in viewers]
    sent: Body = []
    for number in range(EVENTS):
        viewer = number % CONNECTIONS
        if chance.random() < 0.02:
            event = lone_span(number, chance)
            own[(viewer + 1) % CONNECTIONS].append(event)
        else:
            event = viewers[viewer].next(number)
        own[viewer].append(event)
        sent.append(event)
    again = EVENTS // 10 - (sum(map(len, own)) - EVENTS)
    for number in range(again):
        mine = own[number % CONNECTIONS]
        place = chance.randrange(len(mine))
        mine.insert(chance.randint(place + 1, min(len(mine), place + 3000)), mine[place])
    return sent, [list(cut(mine, chance)) for mine in own]


def lone_span(number: int, chance: random.Random) -> dict[str, Any]:
    user, slug = f"user {chance.randrange(USERS)}", f"movie {chance.randrange(MOVIES)}"
    start = chance.randrange(MOVIE_SECONDS - 30)
    return {
        **event_at(number, user, slug, start + 12.345, f"lone {number}"),
        "kind": "segment",
        "from": start,
        "speed": 1.5,
    }


def cut(events: Body, chance: random.Random) -> Iterator[Body]:
    start = 0
    while start < len(events):
        size = chance.choice((1, 3, 30, 100, 300, 1000))
        yield events[start : start + size]
        start += size


async def posted(serving: Serving, scripts: list[list[Body]]) -> dict[str, int]:
    answers = {"accepted": 0, "duplicates": 0}
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(serving.url, connector=connector) as http:

        async def post(bodies: list[Body]) -> None:
            for body in bodies:
                async with http.post("/v1/events", data=orjson.dumps(body)) as response:
                    told = await response.json()
                    assert (response.status, told["rejected"]) == (200, [])
                answers["accepted"] += told["accepted"]
                answers["duplicates"] += told["duplicates"]

        await asyncio.gather(*map(post, scripts))
    return answers
