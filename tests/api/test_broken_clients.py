"""Slow, silent and broken clients: they harm themselves, and delay nobody."""

from __future__ import annotations

import asyncio
import gzip
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import quantiles
from typing import TYPE_CHECKING

import orjson

from service.settings import Settings
from tests.api.client import NDJSON, event, lines
from tests.api.deadline import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.client import Api
    from tests.api.conftest import Serve

EVENT = orjson.dumps(event())
REQUEST = (
    b"POST /v1/events HTTP/1.1\r\nHost: playhead\r\nContent-Type: application/json\r\nContent-Length: "
    + str(len(EVENT)).encode()
    + b"\r\n\r\n"
    + EVENT
)
LINES_HEAD = (
    b"POST /v1/events HTTP/1.1\r\nHost: playhead\r\nContent-Type: application/x-ndjson\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
PROBES = 300
SLOWER_MAX = 20
"""By how much the 99th percentile may grow. A client that did delay others would do it by seconds: a thousandfold."""
JITTER_SECONDS = 0.25
"""What a busy machine may add to any answer, and a turn or two of work for somebody else."""


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class Line:
    """A connection on which bytes are sent as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def status(self, seconds: float = 10) -> int:
        """Of the next answer; its body is read as well."""
        return int((await self.answer(seconds)).split(b" ", 2)[1])

    async def answer(self, seconds: float = 10) -> bytes:
        """The next one, whole."""
        async with asyncio.timeout(seconds):
            head = await self._reader.readuntil(b"\r\n\r\n")
            headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
            return head + await self._reader.readexactly(int(headers.get(b"content-length", b"0")))

    async def ends(self, seconds: float = 10) -> bool:
        """Whether playhead closes the connection, once what it still says is read."""
        await self.rest(seconds)
        return True

    async def rest(self, seconds: float = 10) -> bytes:
        """All that it says until it closes the connection."""
        async with asyncio.timeout(seconds):
            return await self._reader.read()

    def hang_up(self) -> None:
        """At once, with a reset in place of a farewell."""
        held = self._writer.get_extra_info("socket")
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self._writer.transport.abort()


@asynccontextmanager
async def connected(api: Api) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


async def answer_seconds(api: Api) -> float:
    """The 99th percentile of some single events, one after the other."""
    loop, took = asyncio.get_running_loop(), []
    for number in range(PROBES):
        started = loop.time()
        answer = await api.post(event(user=f"probe {number}", slug="probe"))
        took.append(loop.time() - started)
        assert answer.status == 200
    return quantiles(took, n=100)[98]


async def test_half_requests_delay_nobody(api: Api) -> None:
    """A hundred connections that stop within the head, within the body, and within a line."""
    before = await answer_seconds(api)
    async with AsyncExitStack() as stack:
        for number in range(100):
            line = await stack.enter_async_context(connected(api))
            await line.send(
                [REQUEST[:20], REQUEST[:-5], b"", LINES_HEAD + chunk(EVENT[:9]), REQUEST[:-5]][number % 5]
            )
        assert await answer_seconds(api) < before * SLOWER_MAX + JITTER_SECONDS
    assert await api.events() == 0


async def test_slow_senders_delay_nobody(api: Api) -> None:
    """Fifty that send a line a byte at a time, for as long as the others are measured."""
    before = await answer_seconds(api)
    body = chunk(lines(event()))

    async def drip(line: Line) -> None:
        await line.send(LINES_HEAD)
        while True:
            for byte in body:
                await line.send(bytes([byte]))
                await asyncio.sleep(0.01)

    async with AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(connected(api)) for _ in range(50)]
        dripping = [asyncio.create_task(drip(line)) for line in slow]
        after = await answer_seconds(api)
        for task in dripping:
            task.cancel()
        await asyncio.gather(*dripping, return_exceptions=True)
    assert after < before * SLOWER_MAX + JITTER_SECONDS


async def test_who_never_reads_the_answers_delays_nobody(api: Api) -> None:
    """Five that ask two thousand times for a long answer, which soon fills their sockets, and read none."""
    spans = [event(kind="segment", from_=second, at=second + 1) for second in range(0, 8000, 2)]
    assert (await api.post(spans)).status == 200
    before = await answer_seconds(api)
    request = b"GET /v1/users/ann/movies/dune HTTP/1.1\r\nHost: playhead\r\n\r\n"
    async with AsyncExitStack() as stack:
        for _ in range(5):
            deaf = await stack.enter_async_context(connected(api))
            await deaf.send(request * 2000)
        assert await answer_seconds(api) < before * SLOWER_MAX + JITTER_SECONDS


async def test_bodies_that_unpack_to_huge_ones_delay_nobody(api: Api) -> None:
    """Blank lines, of which 64 MB come in 64 KB: nothing to wait for, only work."""
    before = await answer_seconds(api)
    bomb = gzip.compress(b"\n" * 64_000_000)
    sending = asyncio.create_task(api.send(bomb, NDJSON | {"Content-Encoding": "gzip"}))
    after = await answer_seconds(api)
    assert (await sending).status == 200
    assert after < before * SLOWER_MAX + JITTER_SECONDS


async def test_hanging_up_within_a_body_counts_nothing_and_delays_nobody(api: Api) -> None:
    before = await answer_seconds(api)
    for _ in range(100):
        async with connected(api) as line:
            await line.send(REQUEST[:-5])
            line.hang_up()
    assert await answer_seconds(api) < before * SLOWER_MAX + JITTER_SECONDS
    assert await api.events() == 0


async def test_of_a_stream_that_breaks_off_the_whole_lines_count(api: Api) -> None:
    async with connected(api) as line:
        await line.send(LINES_HEAD + chunk(lines(event(), event()) + EVENT[:-1]))
        await until(api.events, equals=2)
        line.hang_up()
    assert (await api.post(event(slug="arrival"))).status == 200
    assert await api.events() == 2


async def test_requests_sent_without_waiting_are_answered_in_order(api: Api) -> None:
    events = [orjson.dumps(event(at=at)) for at in range(10, 1010, 10)]
    heads = [
        b"POST / HTTP/1.1\r\nHost: playhead\r\nContent-Length: %d\r\n\r\n" % len(body) for body in events
    ]
    bad = b"POST / HTTP/1.1\r\nHost: playhead\r\nContent-Length: 1\r\n\r\n{"
    async with connected(api) as line:
        await line.send(b"".join(head + body + bad for head, body in zip(heads, events, strict=True)))
        statuses = [await line.status() for _ in range(200)]
    assert statuses == [200, 400] * 100
    pair = (await api.pair("ann", "dune")).json
    assert (pair["watch_seconds"], pair["latest"]["at"]) == (1000, 1000)


async def test_a_connection_is_kept_after_a_refusal(api: Api) -> None:
    """A refused event, or a body that is not JSON, costs no new connection."""
    async with connected(api) as line:
        for body in (b"{}", b"{", b"[]", EVENT):
            await line.send(
                b"POST / HTTP/1.1\r\nHost: playhead\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            assert await line.status() in (200, 400, 422)


async def test_silence_within_a_body_is_answered_and_when_the_rest_comes_the_connection_goes_on(
    serve: Serve,
) -> None:
    api = await serve(Settings(body_timeout_seconds=0.2, shutdown_seconds=1))
    async with connected(api) as line:
        await line.send(REQUEST[:-5])
        assert await line.status() == 408
        assert await api.events() == 0
        await line.send(REQUEST[-5:] + REQUEST)
        assert await line.status() == 200
    assert await api.events() == 1


async def test_what_is_no_http_is_400_and_ends_the_connection(api: Api) -> None:
    for garbage in (
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0" * 100,
    ):
        async with connected(api) as line:
            await line.send(garbage)
            assert await line.status() == 400
            assert await line.ends()


async def test_a_broken_chunk_within_a_stream_is_answered_and_what_came_before_counts(serve: Serve) -> None:
    api = await serve(Settings(body_timeout_seconds=0.5, shutdown_seconds=1))
    async with connected(api) as line:
        await line.send(LINES_HEAD + chunk(lines(event())))
        await until(api.events, equals=1)
        await line.send(b"zz\r\nrubbish")
        assert await line.status() in (400, 408)
    assert await api.events() == 1


async def test_headers_that_are_too_long_are_400(api: Api) -> None:
    async with connected(api) as line:
        await line.send(b"GET /healthz HTTP/1.1\r\nHost: playhead\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n")
        assert await line.status() == 400


async def test_an_old_client_is_answered(api: Api) -> None:
    async with connected(api) as line:
        await line.send(REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert await line.status() == 200
        assert await line.ends()
