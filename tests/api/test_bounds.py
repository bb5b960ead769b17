"""What takes too long, comes too often, or never ends is cut off, is told why, and holds nothing up."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import orjson
import pytest
import uvloop

from service.api.server import LINGER_SECONDS, _Refusal
from service.settings import Settings
from tests.api.client import JSON, NDJSON, event, lines
from tests.api.conftest import serving
from tests.api.deadline import until
from tests.api.test_broken_clients import EVENT, LINES_HEAD, REQUEST, chunk, connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.client import Api
    from tests.api.conftest import Serve

HEAD_SECONDS = 0.3
CUT_SECONDS = 5.0
"""Soon, on a machine that may be busy; what is not cut by its own bound would be so after 75 seconds."""


def said(raw: bytes) -> tuple[int, str]:
    """Status and reason of a whole answer that is a problem document."""
    head, _, body = raw.partition(b"\r\n\r\n")
    document = orjson.loads(body)
    status = int(head.split(b" ", 2)[1])
    assert b"application/problem+json" in head
    assert document["status"] == status
    return status, document["reason"]


@pytest.fixture
async def hasty(serve: Serve) -> Api:
    return await serve(
        Settings(head_timeout_seconds=HEAD_SECONDS, body_timeout_seconds=HEAD_SECONDS, shutdown_seconds=1)
    )


@pytest.mark.parametrize("after", [b"", REQUEST], ids=["at first", "after a request"])
async def test_a_head_that_trickles_is_cut(hasty: Api, after: bytes) -> None:
    """A byte every now and then does not keep it alive."""
    async with connected(hasty) as line:
        if after:
            await line.send(after)
            assert await line.status() == 200

        async def trickle() -> None:
            for byte in b"GET /healthz HTTP/1.1\r\nHost: playhead\r\nX-Slow: " + b"x" * 1000:
                await line.send(bytes([byte]))
                await asyncio.sleep(0.02)

        trickling = asyncio.create_task(trickle())
        assert said(await line.rest(CUT_SECONDS)) == (408, "head_timeout")
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)


async def test_who_goes_on_sending_is_told_why_a_head_was_cut(hasty: Api) -> None:
    """What is sent to a socket that is closed comes back as a reset, which would overtake the answer."""
    async with connected(hasty) as line:
        await line.send(b"GET /healthz HTTP/1.1\r\nHost: playhead\r\nX-Slow: x")
        await asyncio.sleep(1.5 * HEAD_SECONDS)  # by now it is cut, and nobody has looked at the answer
        for _ in range(5):
            await line.send(b"x")
            await asyncio.sleep(0.02)
        assert said(await line.rest(CUT_SECONDS)) == (408, "head_timeout")


async def test_an_idle_connection_is_not_cut_like_a_head(hasty: Api) -> None:
    """It may rest between requests for much longer than a head may take."""
    async with connected(hasty) as line:
        for _ in range(2):
            await line.send(REQUEST)
            assert await line.status() == 200
            await asyncio.sleep(2 * HEAD_SECONDS)  # the rest is what is tried


@pytest.mark.parametrize("headers", [JSON, NDJSON], ids=["json", "lines"])
async def test_a_body_that_trickles_is_408(hasty: Api, headers: dict[str, str]) -> None:
    """Never silent for long, never done: the bytes of one event, far apart."""

    async def trickling() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(HEAD_SECONDS / 10)

    async with asyncio.timeout(CUT_SECONDS):
        answer = await hasty.send(trickling(), headers)
    assert (answer.status, answer.json["reason"]) == (408, "body_timeout")
    assert "slower than" in answer.json["detail"]


async def test_connections_past_the_bound_are_refused_cleanly_and_the_others_served(serve: Serve) -> None:
    api = await serve(Settings(connections_max=3, shutdown_seconds=1))
    async with AsyncExitStack() as stack:
        held = [await stack.enter_async_context(connected(api)) for _ in range(3)]
        for line in held:
            await line.send(REQUEST)
            assert await line.status() == 200
        async with connected(api) as refused:
            await refused.send(REQUEST)
            assert said(await refused.rest(LINGER_SECONDS + CUT_SECONDS)) == (503, "too_many_connections")
        await held[0].send(REQUEST)
        assert await held[0].status() == 200

    async def counted() -> int:
        """Once there is room again."""
        movie = await api.movie("dune")
        return int(movie.json["events"]) if movie.status == 200 else 0

    await until(counted, equals=4)


@pytest.mark.usefixtures("redis")
@pytest.mark.parametrize("is_busy", [False, True], ids=["silent", "busy"])
async def test_an_endless_stream_holds_up_no_stop_and_is_told_what_counted(
    redis_url: str, is_busy: bool
) -> None:
    """Its answer comes long before the time is over that other requests under way get."""
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        async with serving(Settings(shutdown_seconds=30), redis_url) as api:
            line = await stack.enter_async_context(connected(api))
            await line.send(LINES_HEAD)

            async def stream() -> None:
                while True:
                    await line.send(chunk(lines(event())))
                    await asyncio.sleep(0.01)

            streaming = asyncio.create_task(stream()) if is_busy else None
            if streaming is None:
                await line.send(chunk(lines(event(), event())))

            async def has_begun() -> bool:
                return await api.events() > 1

            await until(has_begun, equals=True)
            answer = asyncio.create_task(line.answer(20))
            began = loop.time()
        assert loop.time() - began < 10
        raw = await answer
        if streaming is not None:
            streaming.cancel()
            await asyncio.gather(streaming, return_exceptions=True)
    assert said(raw) == (503, "unavailable")
    document = orjson.loads(raw.partition(b"\r\n\r\n")[2])
    assert document["accepted"] > 1
    assert f"from index {document['accepted']} on again" in document["detail"]


async def test_what_is_no_http_is_told_so_as_a_problem(api: Api) -> None:
    for garbage in (b"hello\r\n\r\n", b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n"):
        async with connected(api) as line:
            await line.send(garbage)
            assert said(await line.rest()) == (400, "bad_http")


async def test_an_expectation_is_met_or_refused(api: Api) -> None:
    head = b"POST / HTTP/1.1\r\nHost: playhead\r\nContent-Length: %d\r\n" % len(EVENT)
    async with connected(api) as line:
        await line.send(head + b"Expect: 100-continue\r\n\r\n")
        assert await line.status() == 100
        await line.send(EVENT)
        assert await line.status() == 200
    answer = await api.call("GET", "/healthz", headers={"Expect": "a miracle"})
    assert (answer.status, answer.json["reason"], answer.is_problem) == (417, "unknown_expectation", True)


async def test_too_many_connections_are_told_so_on_the_loop_that_serves() -> None:
    """`playhead serve` runs on uvloop, whose transports are of classes of their own."""

    async def told() -> bytes:
        server = await asyncio.get_running_loop().create_server(_Refusal, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            answer = await reader.read()
            writer.close()
        return answer

    assert said(await asyncio.to_thread(uvloop.run, told())) == (503, "too_many_connections")
