"""Under load from many connections, every counter ends up as the model says, and every event is one row.

All connections write to the same few pairs. So that the end does not depend on whose event arrives first, each of them
has a session of its own in each pair, posts its events in order, and no two events of a pair happen at the same time:
what a session credits depends on its own events alone, coverage is a union, totals are sums, `latest` goes by time.

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

from service.api import shapes
from service.events.decode import decode_body
from service.events.event import Event
from service.rules.model import Model
from service.settings import Settings
from tests.integration.ledgers import book_of_postgres, expected_of, is_settled
from tests.integration.serving import Serving
from tests.integration.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.rules.model import Totals

CONNECTIONS = 64
EVENTS = 200_000
USERS, MOVIES = 6, 4
MOVIE_SECONDS = 7200
START_S = 1_780_000_000
"""Some time in the past: what lies in the future would count as now."""

PARTITIONS = Settings.model_fields["partitions"].default

Body = list[dict[str, Any]]


@pytest.mark.timeout(300)
async def test_the_books_balance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    serving = Serving(tmp_path / "data", workers=2)
    serving.start()
    sent, scripts = scripts_of(random.Random(11))
    started = time.monotonic()
    answers = await posted(serving, scripts)
    seconds = time.monotonic() - started
    model = model_of(sent)
    total = sum(len(body) for script in scripts for body in script)
    assert total == EVENTS + EVENTS // 10
    assert answers == {"accepted": EVENTS, "duplicates": EVENTS // 10}
    connection = await asyncpg.connect(serving.database_url)
    async with Redis.from_url(serving.redis_url) as redis:
        behind = await until(lambda: is_settled(redis, connection, PARTITIONS), "all in Postgres", 120)
    with capsys.disabled():
        print(f" [{total / seconds:,.0f} events/s, Postgres {behind:.1f} s behind] ", end="")
    await assert_reads_agree(serving, model)
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


class Viewer:
    """One connection's playback of every pair, each in a session of its own."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self._session = f"s{number}"
        self._chance = chance
        self._positions: dict[tuple[str, str], int] = {}

    def next(self, number: int) -> dict[str, Any]:
        chance = self._chance
        pair = (f"user {chance.randrange(USERS)}", f"movie {chance.randrange(MOVIES)}")
        before = self._positions.get(pair, 0)
        position = (before + chance.choice((5, 10, 10, 10, 29, 31, 400))) % MOVIE_SECONDS
        self._positions[pair] = position
        event = event_at(number, *pair, position, self._session)
        match chance.random():
            case share if share < 0.6:
                return event
            case share if share < 0.8:
                return {**event, "kind": "segment", "from": max(0, position - 7.25)}
            case share if share < 0.85:
                return {**event, "kind": "seek", "from": before}
            case share if share < 0.9:
                return {**event, "kind": "rate", "speed": chance.choice((0.5, 1.25, 2))}
            case share if share < 0.95:
                return {**event, "kind": chance.choice(("play", "pause", "end", "mark", "load"))}
        return {**event, "kind": "claim", "segments": [[0, 3.5], [before, before + 9.9]]}


def lone_span(number: int, chance: random.Random) -> dict[str, Any]:
    user, slug = f"user {chance.randrange(USERS)}", f"movie {chance.randrange(MOVIES)}"
    start = chance.randrange(MOVIE_SECONDS - 30)
    return {
        **event_at(number, user, slug, start + 12.345, f"lone {number}"),
        "kind": "segment",
        "from": start,
        "speed": 1.5,
    }


def event_at(number: int, user: str, slug: str, at: float, session: str) -> dict[str, Any]:
    """A tenth of a second after the one before: no two events happen at once."""
    return {
        "user": user,
        "slug": slug,
        "at": at,
        "session": session,
        "id": f"e{number}",
        "ts": START_S + number / 10,
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


def model_of(sent: Body) -> Model:
    model = Model()
    received_us = time.time_ns() // 1000
    for start in range(0, len(sent), 10_000):
        decoded, _ = decode_body(orjson.dumps(sent[start : start + 10_000]), received_us)
        for event in decoded:
            assert isinstance(event, Event)
            model.apply(event)
    return model


async def assert_reads_agree(serving: Serving, model: Model) -> None:
    async with aiohttp.ClientSession(serving.url) as http:

        async def read(path: str) -> dict[str, Any]:
            async with http.get(path) as response:
                assert response.status == 200
                told: dict[str, Any] = await response.json()
                return told

        for user, counted in model.users.items():
            told = await read(f"/v1/users/{user}")
            assert told == {"user": user, **clocks(counted.totals), "movies": counted.movies}
        for slug, movie in model.movies.items():
            told = await read(f"/v1/movies/{slug}")
            assert told == {"slug": slug, **clocks(movie.totals), "viewers": movie.viewers}
        for (user, slug), pair in model.pairs.items():
            told = await read(f"/v1/users/{user}/movies/{slug}")
            assert pair.latest_ms is not None
            assert pair.latest_us is not None
            assert told == {
                "user": user,
                "slug": slug,
                **{name: value for name, value in clocks(pair.totals).items() if name != "events"},
                "latest": {
                    "at": shapes.seconds(pair.latest_ms),
                    "updated_at": shapes.moment(pair.latest_us),
                },
                "furthest": shapes.seconds(pair.furthest_ms),
                "verified": pair.verified_cells,
                "implausible_seconds": shapes.seconds(pair.implausible_ms),
                "coverage": spans_of(pair.seen),
            }


def clocks(totals: Totals) -> dict[str, Any]:
    return {
        "watch_seconds": shapes.seconds(totals.watch_ms),
        "effective_seconds": shapes.seconds(totals.effective_ms),
        "unique_seconds": totals.unique_cells,
        "events": totals.events,
    }


def spans_of(cells: set[int]) -> list[list[int]]:
    spans: list[list[int]] = []
    for cell in sorted(cells):
        if spans and spans[-1][1] == cell:
            spans[-1][1] += 1
        else:
            spans.append([cell, cell + 1])
    return spans
