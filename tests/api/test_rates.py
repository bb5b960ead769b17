"""How fast a key may be used: events of those who post, requests of those who read, by all processes together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from service.access.bucket import WINDOW_SECONDS, Bucket
from service.access.keyring import Scope, new_token
from service.api.routes import CALLS
from service.counters import keys
from service.counters.connection import connect
from service.counters.rates import share
from service.errors import RateExceeded
from service.settings import Settings
from tests.api.client import JSON, NDJSON, event, lines
from tests.api.deadline import until
from tests.api.keys import bearer, line_of
from tests.api.test_openapi import conforms

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from tests.api.client import Api
    from tests.api.conftest import Serve
    from tests.api.valkey import OwnValkey

TOKEN = new_token()
POST = next(call for call in CALLS if call.name == "post_events")


def limited(events: int | None = None, requests: int | None = None) -> Settings:
    line = line_of("web", TOKEN, Scope.INGEST, Scope.READ, events=events, requests=requests)
    return Settings(keys=line, shutdown_seconds=1)


async def post(api: Api, count: int, *, as_lines: bool = False) -> int:
    body = [event()] * count
    if as_lines:
        return (await api.send(lines(*body), NDJSON | bearer(TOKEN))).status
    return (await api.send(orjson.dumps(body), JSON | bearer(TOKEN))).status


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_lets_in_its_rate_whatever_the_sizes() -> None:
    """Over a long time, to within what it holds and the last request."""
    clock = Clock()
    bucket, let_in, refused = Bucket("events", 50, clock), 0, 0
    for step in range(10_000):
        clock.now += 0.01
        try:
            bucket.check()
        except RateExceeded:
            refused += 1
        else:
            bucket.draw(step % 37)
            let_in += step % 37
    assert refused > 0
    assert 5000 <= let_in <= 5000 + 50 * WINDOW_SECONDS + 37


def test_how_long_to_wait_is_how_long_it_takes() -> None:
    clock = Clock()
    bucket = Bucket("events", 10, clock)
    bucket.draw(20 + 75)
    with pytest.raises(RateExceeded) as exceeded:
        bucket.check()
    assert exceeded.value.retry_after_seconds == 8
    clock.now += 7.4
    with pytest.raises(RateExceeded):
        bucket.check()
    clock.now += 0.2
    bucket.check()


async def test_two_processes_draw_from_one_bucket(redis: Redis) -> None:
    """As soon as each has told the other what it let in; more than the bucket held is owed."""
    clock = Clock()
    one, other = Bucket("events", 10, clock), Bucket("events", 10, clock)
    for bucket in (one, other):
        bucket.check()
        bucket.draw(20)
        await share(redis, {"events:web": bucket})
    with pytest.raises(RateExceeded) as exceeded:
        other.check()
    assert exceeded.value.retry_after_seconds == 2
    assert await redis.ttl(keys.bucket("events:web")) <= 6


async def test_what_cannot_be_told_is_told_later(valkey: OwnValkey, redis: Redis) -> None:
    bucket = Bucket("events", 10)
    bucket.check()
    bucket.draw(1000)
    valkey.kill()
    lost = connect(valkey.url, 0.5)
    await share(lost, {"b": bucket})
    await lost.aclose()
    await share(redis, {"b": bucket})
    told = await redis.hget(keys.bucket("b"), "level")
    assert told is not None
    assert float(told) == -980


@pytest.mark.parametrize("as_lines", [False, True])
async def test_events_are_what_is_limited_on_ingest(serve: Serve, as_lines: bool) -> None:
    api = await serve(limited(events=100, requests=1))
    assert await post(api, 150, as_lines=as_lines) == 200
    assert await post(api, 4000, as_lines=as_lines) in (200, 429)
    answer = await api.send(orjson.dumps(event()), JSON | bearer(TOKEN))
    assert (answer.status, answer.json["reason"], answer.is_problem) == (429, "rate_exceeded", True)
    conforms(POST, answer)
    wait_seconds = int(answer.headers["Retry-After"])
    assert answer.headers["RateLimit-Policy"] == '"events";q=200;w=2'
    assert answer.headers["RateLimit"] == f'"events";r=0;t={wait_seconds}'
    assert 1 <= wait_seconds <= 42


async def test_a_stream_of_lines_is_cut_where_the_limit_is_and_says_where(serve: Serve) -> None:
    api = await serve(limited(events=10))
    answer = await api.send(lines(*[event()] * 3000), NDJSON | bearer(TOKEN))
    assert answer.status == 429
    conforms(POST, answer)
    accepted = answer.json["accepted"]
    assert 0 < accepted < 3000
    assert f"from index {accepted} on" in answer.json["detail"]
    assert await api_events(api) == accepted


async def api_events(api: Api) -> int:
    """Posting is limited here, reading is not."""
    movie = await api.call("GET", "/v1/movies/dune", headers=bearer(TOKEN))
    return int(movie.json["events"])


async def test_requests_are_what_is_limited_on_reads(serve: Serve) -> None:
    api = await serve(limited(requests=2))
    statuses = [(await api.call("GET", "/v1/movies/dune", headers=bearer(TOKEN))).status for _ in range(8)]
    assert statuses[:4] == [404] * 4
    assert 429 in statuses
    assert await post(api, 5000) == 200


async def test_processes_share_a_limit_without_being_asked(serve: Serve) -> None:
    """What one lets in shuts the other soon after."""
    first, second = await serve(limited(events=10)), await serve(limited(events=10))
    assert await post(first, 5000) == 200

    async def is_shut_for_long() -> bool:
        """For what the other one let in: its own few events would shut it for a second."""
        answer = await second.send(orjson.dumps(event()), JSON | bearer(TOKEN))
        return answer.status == 429 and int(answer.headers["Retry-After"]) > 100

    await until(is_shut_for_long, equals=True, seconds=5)


async def test_who_waits_as_told_is_let_in(serve: Serve) -> None:
    api = await serve(limited(events=1000))
    assert await post(api, 2500) == 200
    answer = await api.send(orjson.dumps(event()), JSON | bearer(TOKEN))
    assert answer.status == 429

    async def status() -> int:
        return await post(api, 1)

    await until(status, equals=200, seconds=int(answer.headers["Retry-After"]) + 0.5)
