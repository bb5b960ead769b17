"""When an event cannot be made durable now: 503, when to come again, and nothing half done."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from service.counters import keys
from service.settings import Settings
from tests.api.client import NDJSON, event, lines
from tests.api.deadline import until

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from tests.api.client import Answer, Api, Document
    from tests.api.conftest import Serve
    from tests.api.valkey import OwnValkey

PARTITIONS = 8
TIMEOUT_SECONDS = 0.6


def impatient(timeout_seconds: float = TIMEOUT_SECONDS) -> Settings:
    return Settings(redis_timeout_seconds=timeout_seconds, partitions=PARTITIONS, shutdown_seconds=1)


def assert_unavailable(answer: Answer) -> None:
    assert (answer.status, answer.json["reason"], answer.is_problem) == (503, "unavailable", True), (
        answer.body
    )
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.json["detail"]


async def books(api: Api, slug: str = "dune") -> list[Document]:
    """All that a client can see of ann and a movie; empty where there is nothing."""
    answers = (
        await api.movie(slug),
        await api.user("ann"),
        await api.pair("ann", slug),
        await api.movies("ann"),
    )
    return [answer.json if answer.status == 200 else {} for answer in answers]


async def is_ready(api: Api) -> bool:
    return (await api.get("/readyz")).status == 200


async def test_a_full_backlog_is_503_and_nothing_of_the_run_counts(serve: Serve) -> None:
    api = await serve(Settings(backlog_events_max=10, partitions=1, shutdown_seconds=1))
    assert (await api.post([event()] * 8)).json["accepted"] == 8
    before = await books(api)
    answer = await api.post([event(), event(slug="arrival"), event(user="bob")])
    assert_unavailable(answer)
    assert "PLAYHEAD_BACKLOG_EVENTS_MAX" in answer.json["detail"]
    assert await books(api) == before
    assert (await api.movie("arrival")).status == (await api.user("bob")).status == 404


async def test_a_backlog_is_full_of_single_events_as_well(serve: Serve) -> None:
    api = await serve(Settings(backlog_events_max=2, partitions=1, shutdown_seconds=1))
    assert [(await api.post(event(id=str(number)))).status for number in range(4)] == [200, 200, 503, 503]
    assert await api.events() == 2
    ready = await api.get("/readyz")
    assert (ready.status, ready.json["reason"], ready.json["ready"]) == (503, "backlog_full", False)
    assert "Retry-After" in ready.headers


async def test_an_id_that_met_a_full_backlog_is_not_used_up(serve: Serve, redis: Redis) -> None:
    api = await serve(Settings(backlog_events_max=1, partitions=1, shutdown_seconds=1))
    await api.post(event())
    assert_unavailable(await api.post(event(id="e1", seq=1)))
    await redis.hset(keys.log(0), "persisted", "1")
    assert (await api.post(event(id="e1", seq=1))).json["accepted"] == 1


async def test_a_stream_that_meets_a_full_backlog_says_where_to_go_on(serve: Serve) -> None:
    api = await serve(Settings(backlog_events_max=1500, partitions=1, shutdown_seconds=1))
    answer = await api.send(lines(*[event()] * 2000), NDJSON)
    assert_unavailable(answer)
    accepted = answer.json["accepted"]
    assert 0 < accepted <= 1500
    assert answer.json["detail"].endswith(f"send the events from index {accepted} on again")
    assert await api.events() == accepted


async def test_a_full_queue_is_503_at_once(serve: Serve, valkey: OwnValkey) -> None:
    """Redis is frozen, so that what is taken in stays in the queue."""
    api = await serve(Settings(queue_events_max=10, redis_timeout_seconds=30, shutdown_seconds=1), valkey.url)
    valkey.freeze()
    waiting = [asyncio.create_task(api.post(event(id=f"{number}"))) for number in range(10)]

    async def is_full() -> bool:
        return b"PLAYHEAD_QUEUE_EVENTS_MAX" in (await api.post(event(id="more"))).body

    refused = asyncio.create_task(until(is_full, equals=True))
    await asyncio.wait([refused], timeout=5)
    assert refused.done()
    await refused
    assert not any(task.done() for task in waiting)
    valkey.thaw()
    answers = await asyncio.gather(*waiting)
    assert [answer.status for answer in answers] == [200] * 10
    assert (await api.post(event(id="more"))).json["duplicates"] == 0
    assert await api.events() == 11


async def test_a_batch_larger_than_the_queue_is_taken_while_nothing_waits(serve: Serve) -> None:
    api = await serve(Settings(queue_events_max=10, shutdown_seconds=1))
    assert (await api.post([event()] * 50)).json["accepted"] == 50


async def test_without_redis_everything_is_503_but_that_playhead_lives(
    serve: Serve, valkey: OwnValkey
) -> None:
    api = await serve(impatient(), valkey.url)
    await api.post(event())
    valkey.kill()
    for answer in await asyncio.gather(
        api.post(event()),
        api.post([event()] * 3),
        api.send(lines(event()), NDJSON),
        api.movie("dune"),
        api.user("ann"),
        api.pair("ann", "dune"),
        api.movies("ann"),
    ):
        assert_unavailable(answer)
    ready = await api.get("/readyz")
    assert (ready.status, ready.json["ready"]) == (503, False)
    assert (await api.get("/healthz")).status == 200
    assert b"playhead_redis_up 0" in (await api.get("/metrics")).body
    assert (await api.post(event(at=-1))).status == 422


async def test_what_was_answered_survives_a_kill_and_what_was_refused_did_not_count(
    serve: Serve, valkey: OwnValkey
) -> None:
    api = await serve(impatient(), valkey.url)
    await api.post([event(id=f"{number}") for number in range(100)])
    before = await books(api)
    valkey.kill()
    assert_unavailable(await api.post(event(id="refused")))
    valkey.start()
    await until(lambda: is_ready(api), equals=True)
    assert await books(api) == before
    assert (await api.post(event(id="0"))).json["duplicates"] == 1
    assert (await api.post(event(id="refused"))).json["accepted"] == 1


async def test_a_request_that_waits_while_redis_restarts_counts_once(serve: Serve, valkey: OwnValkey) -> None:
    """No ids: it is playhead, not the client, that sends again."""
    api = await serve(impatient(30), valkey.url)
    await api.post(event())
    valkey.kill()
    waiting = [asyncio.create_task(api.post(event(user=f"user {number}"))) for number in range(50)]
    waiting += [asyncio.create_task(api.post([event(user=f"user {number}") for number in range(50)]))]
    await asyncio.wait(waiting, timeout=0.3)
    assert not any(task.done() for task in waiting)
    valkey.start()
    answers = await asyncio.gather(*waiting)
    assert [answer.status for answer in answers] == [200] * 51
    assert await api.events() == 101


async def test_requests_under_way_when_redis_is_killed_count_once(serve: Serve, valkey: OwnValkey) -> None:
    """Killed and started five times under a steady stream of single events without ids: each is answered, and
    counted once, even where the answer of the call that applied it was lost.
    """
    api = await serve(impatient(30), valkey.url)
    answered, stopping = 0, asyncio.Event()

    async def watch(number: int) -> None:
        nonlocal answered
        while not stopping.is_set():
            answer = await api.post(event(user=f"user {number}"))
            assert (answer.status, answer.json["accepted"]) == (200, 1)
            answered += 1

    async def total() -> int:
        return answered

    watching = [asyncio.create_task(watch(number)) for number in range(20)]
    for _ in range(5):
        seen = answered

        async def has_gone_on(seen: int = seen) -> bool:
            return answered > seen + 200

        await until(has_gone_on, equals=True, seconds=20)
        valkey.kill()
        valkey.start()
    stopping.set()
    await asyncio.gather(*watching)
    assert await api.events() == await total() > 1000


async def test_a_frozen_redis_is_503_in_time_and_repeats_are_safe(serve: Serve, valkey: OwnValkey) -> None:
    """Redis may have taken what it did not answer: it does when it thaws. The id tells, and nothing counts twice."""
    api = await serve(impatient(), valkey.url)
    await api.post(event(id="before"))
    valkey.freeze()
    loop = asyncio.get_running_loop()
    started = loop.time()
    answers = await asyncio.gather(*(api.post(event(user=f"user {number}", id="e1")) for number in range(20)))
    assert loop.time() - started < 4 * TIMEOUT_SECONDS
    for answer in answers:
        assert_unavailable(answer)
    valkey.thaw()
    await until(lambda: is_ready(api), equals=True)
    again = await asyncio.gather(*(api.post(event(user=f"user {number}", id="e1")) for number in range(20)))
    assert [answer.status for answer in again] == [200] * 20
    assert await api.events() == 21


async def test_answers_belong_to_their_requests_after_a_freeze(serve: Serve, valkey: OwnValkey) -> None:
    """What a thawed Redis says to calls that were given up must not be taken for the answers of later ones."""
    api = await serve(impatient(), valkey.url)
    # So that all connections are open by now: what is lost is on its way in one call.
    await asyncio.gather(*(api.post(event(user=f"before {number}")) for number in range(5)))
    valkey.freeze()
    await asyncio.gather(*(api.post(event(user=f"lost {number}")) for number in range(5)))
    later = [
        asyncio.create_task(api.post(event(user=f"later {number}", at=number + 1))) for number in range(50)
    ]
    reads = [asyncio.create_task(api.user(f"lost {number}")) for number in range(5)]
    await asyncio.wait(later, timeout=0.05)
    valkey.thaw()
    for number, answer in enumerate(await asyncio.gather(*later)):
        assert answer.status == 200
        assert answer.json["state"]["user"] == f"later {number}"
        assert answer.json["state"]["latest"]["at"] == number + 1
    for number, answer in enumerate(await asyncio.gather(*reads)):
        assert answer.json["user"] == f"lost {number}"


async def test_past_its_memory_nothing_is_half_applied(api: Api, redis: Redis) -> None:
    await api.post(event(user="ann"))
    await redis.config_set("maxmemory", 1)
    try:
        for body in (event(user="ann", at=4510), [event(user="bob"), event(user="eve", slug="heat")]):
            answer = await api.post(body)
            assert_unavailable(answer)
            assert "maxmemory" in answer.json["detail"]
        ready = await api.get("/readyz")
        assert (ready.status, ready.json["reason"]) == (503, "memory_full")
        assert (await api.user("ann")).json["events"] == 1
        assert b"playhead_redis_memory_fraction" in (await api.get("/metrics")).body
    finally:
        await redis.config_set("maxmemory", 0)
    assert [(await api.movie(slug)).status for slug in ("dune", "heat")] == [200, 404]
    assert (await api.post(event(user="ann", at=4510))).json["state"]["watch_seconds"] == 20
    assert (await api.get("/readyz")).status == 200


@pytest.mark.parametrize("behind", [1, 30])
async def test_nobody_waits_longer_because_others_wait_in_front(
    serve: Serve, valkey: OwnValkey, behind: int
) -> None:
    """A queue of several calls is given up together, not one timeout after the other."""
    api = await serve(impatient(), valkey.url)
    valkey.freeze()
    first = asyncio.create_task(api.post(event()))
    await asyncio.wait([first], timeout=0.1)
    loop = asyncio.get_running_loop()
    started = loop.time()
    answers = await asyncio.gather(*(api.post([event()] * 1000) for _ in range(behind)))
    waited_seconds = loop.time() - started
    for answer in (await first, *answers):
        assert_unavailable(answer)
    assert waited_seconds < 6 * TIMEOUT_SECONDS
    valkey.thaw()


async def test_playhead_goes_on_when_redis_has_forgotten_its_scripts(api: Api, redis: Redis) -> None:
    await api.post(event())
    await redis.function_flush()
    assert (await api.post(event())).status == 200
    await redis.function_flush()
    assert (await api.pair("ann", "dune")).json["watch_seconds"] == 10
    assert await api.events() == 2
