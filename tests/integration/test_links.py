"""Words and replies over `service.counters.links`, with a real server, and with one that behaves badly."""

from __future__ import annotations

import asyncio
import gc
import warnings
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from typing import TYPE_CHECKING, Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from service.counters.links import Links, _Link, links_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

PATIENCE_SECONDS = 0.3


@pytest.fixture
async def links(redis: Redis) -> Links:
    return links_of(redis)


async def test_replies_are_in_the_order_of_their_commands(links: Links) -> None:
    asked = [("SET", "a", 1), ("INCRBY", "a", 2), ("GET", "a"), ("HGETALL", "none"), ("GET", "none")]
    assert await links.exchange(asked) == [b"OK", 3, b"3", {}, None]
    assert await links.exchange([]) == []


async def test_what_is_refused_is_told_in_its_place(links: Links) -> None:
    refused, counted = await links.exchange([("INCR",), ("INCR", "a")])
    assert isinstance(refused, ResponseError)
    assert "wrong number of arguments" in str(refused)
    assert counted == 1


async def test_a_reply_may_come_in_many_pieces(links: Links) -> None:
    long = b"x" * 5_000_000
    assert await links.exchange([("SET", "a", long), ("GET", "a"), ("PING",)]) == [b"OK", long, b"PONG"]


async def test_exchanges_at_once_have_connections_of_their_own_which_are_used_again(
    redis: Redis, links: Links
) -> None:
    before = await _clients(redis)
    for _ in range(3):
        found = await asyncio.gather(*(links.exchange([("ECHO", str(number))]) for number in range(5)))
        assert found == [[str(number).encode()] for number in range(5)]
    assert await _clients(redis) == before + 5


async def test_there_is_a_limit(redis_url: str) -> None:
    async with Redis.from_pool(Links.from_url(redis_url, max_connections=2)) as client:
        exchanges = [links_of(client).exchange([("PING",)]) for _ in range(3)]
        *answered, refused = await asyncio.gather(*exchanges, return_exceptions=True)
        assert answered == [[b"PONG"]] * 2
        assert str(refused) == "2 connections are in use already"
        assert await links_of(client).exchange([("PING",)]) == [b"PONG"]


async def test_who_awaits_goes_on_in_the_turn_of_the_loop_in_which_the_reply_comes(
    links: Links, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    loop = asyncio.get_running_loop()
    receive = _Link.data_received

    def note_and_receive(link: _Link, data: bytes) -> None:
        loop.call_soon(told.append, "the next turn")
        receive(link, data)

    monkeypatch.setattr(_Link, "data_received", note_and_receive)
    await links.exchange([("PING",)])
    told.append("went on")
    await asyncio.sleep(0)
    assert told == ["went on", "the next turn"]


async def test_a_task_without_any_context_may_await(links: Links) -> None:
    alone = asyncio.create_task(links.exchange([("PING",)]), context=Context())
    assert await alone == [b"PONG"]


async def test_who_leaves_takes_the_connection_along(redis: Redis, links: Links) -> None:
    """Its reply, which is still to come, must never be taken for that of the next exchange."""
    await links.exchange([("PING",)])
    waiting = asyncio.create_task(links.exchange([("BLPOP", "nothing", 0)]))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await redis.rpush("nothing", "late")
    assert await links.exchange([("ECHO", "mine")]) == [b"mine"]


async def test_a_deadline_ends_an_exchange(links: Links) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await links.exchange([("BLPOP", "nothing", 0)])
    assert await links.exchange([("ECHO", "mine")]) == [b"mine"]


async def test_a_connection_that_the_server_closed_is_not_used_again(redis: Redis, links: Links) -> None:
    assert await links.exchange([("CLIENT", "SETNAME", "mine")]) == [b"OK"]
    (mine,) = [client for client in await redis.client_list() if client["name"] == "mine"]
    await redis.client_kill_filter(_id=mine["id"])
    await asyncio.sleep(0.05)
    assert await links.exchange([("ECHO", "again")]) == [b"again"]


async def test_who_waits_hears_that_the_server_closed_the_connection(redis: Redis, links: Links) -> None:
    waiting = asyncio.create_task(links.exchange([("CLIENT", "SETNAME", "mine"), ("BLPOP", "nothing", 0)]))
    await asyncio.sleep(0.05)
    (mine,) = [client for client in await redis.client_list() if client["name"] == "mine"]
    await redis.client_kill_filter(_id=mine["id"])
    with pytest.raises(RedisConnectionError, match="Redis closed the connection"):
        await waiting


async def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    async def say_nothing(writer: asyncio.StreamWriter) -> None:
        pass

    async with _answering(say_nothing) as links:
        with pytest.raises(RedisTimeoutError, match=r"nothing came for 0\.3 s"):
            await links.exchange([("PING",)])


async def test_a_server_that_says_something_now_and_then_is_waited_for() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        for piece in (b"+PO", b"N", b"G\r\n+", b"PONG", b"\r\n"):
            await asyncio.sleep(PATIENCE_SECONDS * 0.6)
            writer.write(piece)

    async with _answering(drip) as links:
        assert await links.exchange([("PING",), ("PING",)]) == [b"PONG", b"PONG"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"+PONG\r\n+PONG\r\n", "Redis sent more than it was asked for"),
        (b"nonsense\r\n", "Protocol error"),
    ],
)
async def test_what_a_server_should_not_say_closes_the_connection(said: bytes, why: str) -> None:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(said)

    async with _answering(say) as links:
        with pytest.raises(RedisConnectionError, match=why):
            await links.exchange([("PING",)])
        assert not links._links


async def test_what_is_pushed_is_no_reply() -> None:
    async def push(writer: asyncio.StreamWriter) -> None:
        writer.write(b">2\r\n+invalidate\r\n*1\r\n+a\r\n+PONG\r\n")

    async with _answering(push) as links:
        assert await links.exchange([("PING",)]) == [b"PONG"]


async def test_a_client_that_is_closed_leaves_nothing_open(redis: Redis, redis_url: str) -> None:
    before = await _clients(redis)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        client = Redis.from_pool(Links.from_url(redis_url))
        await asyncio.gather(*(links_of(client).exchange([("PING",)]) for _ in range(3)))
        waiting = asyncio.create_task(links_of(client).exchange([("BLPOP", "nothing", 0)]))
        await asyncio.sleep(0.05)
        await client.aclose()
        with pytest.raises(RedisConnectionError, match="the client was closed"):
            await waiting
        await asyncio.sleep(0.05)
        assert await _clients(redis) == before
        del client
        gc.collect()


async def test_what_the_url_says_counts(redis: Redis, redis_url: str) -> None:
    """redis-py makes the connection: its database, its password."""
    async with Redis.from_pool(Links.from_url(redis_url, db=3)) as client:
        await links_of(client).exchange([("SET", "there", 1)])
    assert await redis.get("there") is None
    await redis.config_set("requirepass", "secret")
    try:
        async with Redis.from_pool(Links.from_url(redis_url, password="secret")) as client:
            assert await links_of(client).exchange([("PING",)]) == [b"PONG"]
        async with Redis.from_pool(Links.from_url(redis_url, password="wrong")) as client:
            with pytest.raises(RedisConnectionError, match="invalid username-password"):
                await links_of(client).exchange([("PING",)])
    finally:
        await redis.config_set("requirepass", "")


async def _clients(redis: Redis) -> int:
    return len(await redis.client_list())


@asynccontextmanager
async def _answering(say: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[Links]:
    """Links to a server that, once asked, says this."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        with suppress(ConnectionError):
            await say(writer)
            await reader.read()  # until the client goes
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    options: dict[str, Any] = {"protocol": 2, "driver_info": None, "socket_timeout": PATIENCE_SECONDS}
    links = Links(host="127.0.0.1", port=port, **options)
    try:
        yield links
    finally:
        await links.aclose()
        server.close()
