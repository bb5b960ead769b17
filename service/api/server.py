"""Connections within bounds: how many, how long a head may take, what is said to what is no HTTP, and how they end.

aiohttp itself gives an idle connection `keepalive_timeout` and a head no time of its own; and it writes what is no HTTP
into its log and its answer, with whatever key stands in it.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD

from service import metrics
from service.api.context import SOCKETS, STREAMS
from service.api.heads import HEAD_END, Heads
from service.api.problems import has_hung_up, problem, problem_document
from service.api.shortcut import Shortcut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohttp.http import HttpParser, RawRequestMessage
    from aiohttp.streams import StreamReader
    from aiohttp.web_request import BaseRequest

    from service.api.shortcut import Way
    from service.settings import Settings

_log = structlog.get_logger()

HEADER_BYTES_MAX = 16 * 1024
"""A path may hold a user and a slug of 256 and 512 characters, each up to 12 bytes when escaped."""

KEEPALIVE_SECONDS = 75.0
"""How long a connection may be idle: longer than the minute after which proxies let go of theirs."""

LINGER_SECONDS = 1.0
"""How long a refused connection is still read: closed at once, it would be reset, and the answer lost."""

LEAVE_SECONDS = 1.0
"""How long a process that ends still answers on connections that it has: enough for a first request to come to it."""

LEAVE_SECONDS_MIN = 0.25
"""It does so even where it has none: what was just accepted for it is a connection a moment later only."""

LEAVE_POLL_SECONDS = 0.01


class Runner(web.AppRunner):
    """Serves an application by the protocol below."""

    def __init__(self, app: web.Application, settings: Settings) -> None:
        super().__init__(
            app,
            access_log=None,
            auto_decompress=False,  # `service.api.body` does it within bounds
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
            shutdown_timeout=settings.shutdown_seconds,
            keepalive_timeout=KEEPALIVE_SECONDS,
        )
        self._settings = settings

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made, self._settings, Shortcut(self.app))

    async def cleanup(self) -> None:
        """Ends without losing a request: others get new connections, and clients are told to leave with their answers.

        aiohttp itself closes at once what is idle, also what a client is just sending its request on.
        """
        for site in list(self.sites):
            await site.stop()
        await end_sockets(self.app)
        if isinstance(self.server, _Server):
            await self.server.leave(LEAVE_SECONDS)
        await super().cleanup()


async def end_streams(app: web.Application) -> None:
    """Answer the bodies of lines that are open: they may be endless. Other requests are waited for."""
    for patience in app[STREAMS]:
        patience.end()


async def end_sockets(app: web.Application) -> None:
    """Let the clients of WebSockets go, while they can still say farewell: once aiohttp stops, it hears nobody."""
    for inbox in app[SOCKETS]:
        inbox.end()


class _Server(web.Server):
    def __init__(self, made: web.Server, settings: Settings, shortcut: Shortcut) -> None:
        super().__init__(made.request_handler, request_factory=self._request, **made._kwargs)
        self._made_request = made.request_factory
        self.shortcut = shortcut
        self.heads = Heads()
        self.is_leaving = False
        self._connections_max = settings.connections_max
        self.head_seconds = settings.head_timeout_seconds

    def __call__(self) -> web.RequestHandler:
        """The protocol of a new connection."""
        if len(self._connections) >= self._connections_max:
            return _Refusal()  # type: ignore[return-value] # a protocol like the other, to asyncio
        return _Connection(self, self.head_seconds, loop=self._loop, **self._kwargs)

    async def leave(self, seconds: float) -> None:
        """Until all connections have ended, or for so long."""
        self.is_leaving = True
        await asyncio.sleep(LEAVE_SECONDS_MIN)
        deadline = self._loop.time() + seconds
        while self.connections and self._loop.time() < deadline:  # noqa: ASYNC110 - nobody tells when one ends
            await asyncio.sleep(LEAVE_POLL_SECONDS)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """Who is owed an answer is a connection until it is made, so that what is under way stays bounded."""
        if not (isinstance(handler, _Connection) and handler.is_asking):
            super().connection_lost(handler, exc)

    def _request(self, message: RawRequestMessage, *rest: Any) -> BaseRequest:
        if self.is_leaving:
            message = message._replace(should_close=True)
        return self._made_request(message, *rest)


class _Connection(web.RequestHandler):
    """What `Shortcut` takes never reaches aiohttp's loop of requests, which goes on waiting for its next one."""

    __slots__ = ("_begun", "_head_seconds", "_held", "_is_cut", "_offering", "_server", "is_asking")

    def __init__(self, server: _Server, head_seconds: float, **options: Any) -> None:
        super().__init__(server, **options)
        assert self._parser is not None
        self._offering = _Parser(self._parser, self._take)
        self._parser = self._offering  # type: ignore[assignment] # what aiohttp calls of it
        self._server = server
        self._head_seconds = head_seconds
        self._begun = -1
        """How many requests had come when a head began that was not whole at once."""
        self.is_asking = False
        """Whether a request that went the short way is still to be answered."""
        self._held = b""
        """What came behind it: answers are given in the order of their requests."""
        self._is_cut = False

    def data_received(self, data: bytes) -> None:
        """What came and is no whole head yet has some seconds to become one, however slowly more of it comes."""
        if self._is_cut:
            return
        if self.is_asking:
            if data:
                self._hold(data)
            return
        known = self._server.heads.find(data) if self._offering.is_between else None
        if known is not None and self._is_free(known[0]):
            self._begin(*known)
            return
        count = self._request_count
        super().data_received(data)
        if self._request_count == count != self._begun and self._is_idle():
            self._begun = count
            self._loop.call_later(self._head_seconds, self._cut, count)

    def _is_idle(self) -> bool:
        return self._waiter is not None and not self._waiter.done()

    def _take(self, message: RawRequestMessage, body: StreamReader, alone: bytes) -> bool:
        """Whether this request goes the short way; `alone` are its bytes where nothing else came with it."""
        way = self._server.shortcut.way_of(message) if body.is_eof() else None
        if way is None or not self._is_free(way):
            return False
        if alone:
            self._server.heads.learn(alone, way)
        self._begin(way, body.read_nowait())
        return True

    def _is_free(self, way: Way) -> bool:
        """Whether a request may go the short way: the only one that is here, while nobody else is answered."""
        is_busy = self._messages or self._paused or self._reading_paused or not self._is_idle()
        return not (is_busy or self._close or self._server.is_leaving) and self._server.shortcut.may(way)

    def _begin(self, way: Way, body: bytes) -> None:
        self.is_asking = self._request_in_progress = True
        self._request_count += 1
        self._server.requests_count += 1
        self._server.shortcut.begin(way, body, self)

    def answer(self, spelled: bytes) -> None:
        """Answer the request that went the short way. It may have gone away."""
        self.is_asking = self._request_in_progress = False
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        transport = self.transport
        if transport is not None and not transport.is_closing():
            transport.write(spelled)
        if self._handler_waiter is not None and not self._handler_waiter.done():
            self._handler_waiter.set_result(None)
        if transport is None:
            self._server.connection_lost(self)
        elif self._held:
            self._loop.call_soon(self._take_held)

    def _hold(self, data: bytes) -> None:
        self._held += data
        self._pause_transport_reading()

    def _take_held(self) -> None:
        held, self._held = self._held, b""
        self._resume_transport_reading()
        self.data_received(held)

    def _process_keepalive(self) -> None:
        """Whoever waits for an answer is not idle, though aiohttp's loop of requests is."""
        if self.is_asking:
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        super()._process_keepalive()

    def close(self) -> None:
        """Playhead stops, or a body was refused that did not end: what still comes is not read for long."""
        self._lingering_time = LINGER_SECONDS
        super().close()

    def _cut(self, count: int) -> None:
        if count == self._request_count and self._is_idle() and self.transport is not None:
            detail = f"the head of the request was not whole after {self._head_seconds:g} seconds"
            self._is_cut = True
            _say_last(self.transport, _answer(408, "head_timeout", detail))
            self._loop.call_later(LINGER_SECONDS, self.force_close)

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is no HTTP is counted, and not repeated: neither in the log nor in the answer.

        Raises ConnectionError, which aiohttp takes quietly, for a client that is gone or has a part of an answer.
        """
        if exc is not None and has_hung_up(request, exc):
            raise exc
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is on its way already")
        if status == HTTPStatus.BAD_REQUEST:
            metrics.REFUSALS.labels("bad_http").inc()
            is_long = isinstance(exc, LineTooLong)
            bound = f"a line of its head is longer than {HEADER_BYTES_MAX} bytes"
            answer = problem(400, "bad_http", bound if is_long else "this is no HTTP/1.1 request")
        else:
            _log.error("request_failed", method=request.method, path=request.path, exc_info=exc)
            answer = problem(500, "internal_error", "playhead failed to answer; its log says why")
        answer.force_close()
        return answer


class _Parser:
    """aiohttp's, whose requests are offered to `take` before aiohttp gets them."""

    def __init__(
        self,
        parser: HttpParser[RawRequestMessage],
        take: Callable[[RawRequestMessage, StreamReader, bytes], bool],
    ) -> None:
        self._parser, self._take = parser, take
        self.is_between = True
        """Whether all that came is certainly whole requests: what comes next begins one."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def feed_data(self, data: bytes) -> tuple[Sequence[tuple[RawRequestMessage, StreamReader]], bool, bytes]:
        was_between = self.is_between
        self.is_between = was_between and not data  # aiohttp feeds nothing to ask for what it may have left
        fed = self._parser.feed_data(data)
        messages, is_upgraded, _ = fed
        if len(messages) != 1 or is_upgraded:
            return fed
        message, body = messages[0]
        self.is_between = was_between and body.is_eof() and _is_all(data, message, body)
        if self._take(message, body, data if self.is_between else b""):
            self.message_consumed()
            return (), False, b""
        return fed


def _is_all(data: bytes, message: RawRequestMessage, body: StreamReader) -> bool:
    """Whether these bytes, with which a request began, end with it as well."""
    body_bytes = 0 if body is EMPTY_PAYLOAD else body.total_bytes
    return not message.chunked and data.find(HEAD_END) + len(HEAD_END) + body_bytes == len(data)


class _Refusal(asyncio.Protocol):
    """Tells a connection that there are too many, and ends it; what it sends is not even looked at."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        detail = "as many connections as this process takes are open (PLAYHEAD_CONNECTIONS_MAX)"
        _say_last(transport, _answer(503, "too_many_connections", detail, b"Retry-After: 1"))
        asyncio.get_running_loop().call_later(LINGER_SECONDS, transport.close)


def _say_last(transport: asyncio.Transport, answer: bytes) -> None:
    """Whoever says so closes it LINGER_SECONDS later."""
    transport.write(answer)
    if transport.can_write_eof():
        transport.write_eof()


def _answer(status: int, reason: str, detail: str, *headers: bytes) -> bytes:
    """A whole answer as it is sent, for where there is no request to answer."""
    metrics.REFUSALS.labels(reason).inc()
    body = problem_document(status, reason, detail)
    lines = (
        b"HTTP/1.1 %d %b" % (status, HTTPStatus(status).phrase.encode()),
        b"Content-Type: application/problem+json",
        b"X-Content-Type-Options: nosniff",
        b"Content-Length: %d" % len(body),
        *headers,
        b"Connection: close",
    )
    return b"\r\n".join((*lines, b"", body))
