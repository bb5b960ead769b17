"""Events over a WebSocket: messages in, acknowledgements out, in order.

What a client has sent while its events before were being applied is applied together, and acknowledged by one message.
A client that sends faster than that is read no faster (`service.api.inbox`), nor is one whose key has used up what it
may send. Whatever ends a connection, what came before is answered first.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from struct import Struct
from typing import TYPE_CHECKING

import orjson
import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from service import clock, metrics
from service.api.context import READMIT, ROOM, SETTINGS, SOCKETS, WRITER
from service.api.headers import is_foreign
from service.api.inbox import FAILED, LOST, Farewell, Inbox, Socket
from service.api.ingest import LARGE_BYTES_MIN, Tally, uncounted
from service.api.persons import refuse_foreign
from service.api.problems import answering, problem
from service.errors import NotAllowed, RateExceeded, Unavailable
from service.events.decode import decode_messages
from service.events.rejection import Rejection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.access.bucket import Bucket
    from service.events.event import Event

_log = structlog.get_logger()

FAREWELL_SECONDS = 1.0
"""How long the client's own farewell is waited for, and what it still sends is read and thrown away: closed at once,
the connection would be reset, and the last acknowledgement lost."""

FAREWELL_POLL_SECONDS = 0.01

_REASON_BYTES_MAX = 123
_CODE = Struct(">H")

Decoded = list["Event | Rejection"]


@answering
async def get_stream(request: web.Request) -> web.StreamResponse:
    socket = Socket()
    if refusal := _refusal(request, socket):
        return refusal
    await socket.prepare(request)
    with metrics.STREAMS.track_inprogress():
        await Stream(request, socket).serve()
    return socket


def _refusal(request: web.Request, socket: Socket) -> web.Response | None:
    """Why this is no WebSocket, or none that may be opened."""
    if request.method != "GET" or not socket.can_prepare(request):
        metrics.REFUSALS.labels("no_websocket").inc()
        headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        return problem(426, "no_websocket", "this is for WebSockets (RFC 6455, version 13)", headers)
    if "Sec-WebSocket-Protocol" in request.headers:
        metrics.REFUSALS.labels("unknown_subprotocol").inc()
        return problem(400, "unknown_subprotocol", "no subprotocol is spoken here, so none may be asked for")
    if is_foreign(request):
        metrics.REFUSALS.labels("foreign_origin").inc()
        detail = "pages of this origin may not open streams (PLAYHEAD_CORS_ORIGINS names those that may)"
        return problem(403, "foreign_origin", detail)
    return None


class Stream:
    """One connection. `received` counts its events so far, which is the index of the next one."""

    def __init__(self, request: web.Request, socket: Socket) -> None:
        self._request, self._socket = request, socket
        self._settings, self._writer = request.app[SETTINGS], request.app[WRITER]
        self._room, self._open = request.app[ROOM], request.app[SOCKETS]
        self._readmit = request.app.get(READMIT)
        self._inbox = Inbox(socket)
        self._received = 0

    async def serve(self) -> None:
        self._open.add(self._inbox)
        try:
            farewell = await self._answer_all()
        finally:
            self._inbox.end()
            self._open.discard(self._inbox)
        await self._inbox.over.wait()
        await self._part(farewell)

    async def _answer_all(self) -> Farewell:
        try:
            async for messages in self._inbox.batches():
                metrics.STREAM_MESSAGES.inc(len(messages))
                await self._answer(messages)
        except RateExceeded:
            pass  # the rest would have had to wait, and nobody reads any more
        except NotAllowed as refused:
            return Farewell(WSCloseCode.POLICY_VIOLATION, str(refused))
        except TimeoutError:
            return LOST
        except Exception:
            _log.exception("stream_failed")
            return FAILED
        return self._inbox.farewell

    async def _answer(self, messages: list[bytes]) -> None:
        """Messages that were waiting together; one acknowledgement, unless they hold arrays or the key is limited."""
        groups = decode_messages(messages, self._received, clock.now_us())
        is_large = max(map(len, messages)) > LARGE_BYTES_MIN
        while decoded := await _in_thread(groups) if is_large else next(groups, None):
            refuse_foreign(self._request, decoded, self._received)
            for piece in _pieces(decoded, self._bucket()):
                await self._admit(len(piece))
                acknowledgement = await self._apply(piece)
                await self._send(acknowledgement)

    def _bucket(self) -> Bucket | None:
        """What the events of its key are drawn from, if it is limited. Raises NotAllowed once it is revoked."""
        return self._readmit(self._request) if self._readmit else None

    async def _admit(self, events: int) -> None:
        """Wait until its key may send. Raises RateExceeded where that is not before the connection is over."""
        while bucket := self._bucket():
            try:
                bucket.check()
            except RateExceeded as exceeded:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._inbox.over.wait(), exceeded.retry_after_seconds)
                    raise
            else:
                bucket.draw(events)
                return

    async def _apply(self, decoded: Decoded) -> bytes:
        """What became of these events, as it is told."""
        tally = Tally()
        try:
            async with self._room.taken(len(decoded), self._settings.redis_timeout_seconds):
                await tally.add(decoded, self._writer, self._received)
        except Unavailable as failure:
            metrics.UNAVAILABLE.labels(type(failure).__name__).inc()
            tally.retry_after_seconds = failure.retry_after_seconds
            tally.rejected = list(_all_uncounted(decoded, self._received, failure))
            for rejection in tally.rejected:
                metrics.REJECTIONS.labels(rejection.reason).inc()
        self._received += len(decoded)
        later = {"retry_after_seconds": tally.retry_after_seconds} if tally.retry_after_seconds else {}
        return orjson.dumps({"received": self._received, **tally.as_json(), **later})

    async def _send(self, acknowledgement: bytes) -> None:
        """Raises TimeoutError for a client that does not read. What came from one that is gone counts all the same."""
        with suppress(ConnectionError):
            async with asyncio.timeout(self._settings.body_timeout_seconds):
                await self._socket.send_frame(acknowledgement, WSMsgType.TEXT)
        metrics.ACKNOWLEDGEMENTS.inc()

    async def _part(self, farewell: Farewell) -> None:
        """Say it, and hear the client's, so that it has read everything before the connection ends."""
        transport = self._request.transport
        if transport is None:
            return
        if not farewell.is_heard:
            transport.abort()
            return
        words = _CODE.pack(farewell.code) + farewell.reason.encode()[:_REASON_BYTES_MAX]
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._socket.send_frame(words, WSMsgType.CLOSE)
                await self._hear_out(transport)

    async def _hear_out(self, transport: asyncio.Transport) -> None:
        kind = WSMsgType.TEXT
        while kind in _PASSED_OVER:
            kind = (await self._socket.receive()).type
        if kind is WSMsgType.ERROR and transport.can_write_eof():
            transport.write_eof()
        # What comes after a wrong frame is not even parsed, and nobody tells when the client is gone.
        while kind is WSMsgType.ERROR and not transport.is_closing():  # noqa: ASYNC110
            await asyncio.sleep(FAREWELL_POLL_SECONDS)


async def _in_thread(groups: Iterator[Decoded]) -> Decoded | None:
    """The next one, while others get their turn."""
    return await asyncio.to_thread(next, groups, None)


_PASSED_OVER = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG)


def _pieces(decoded: Decoded, bucket: Bucket | None) -> Iterator[Decoded]:
    """As they are, or for a limited key no more at a time than it may send in a second: so that it never waits long."""
    size = bucket.per_second if bucket else len(decoded)
    return (decoded[start : start + size] for start in range(0, len(decoded), size))


def _all_uncounted(decoded: Decoded, first_index: int, failure: Unavailable) -> Iterator[Rejection]:
    for index, item in enumerate(decoded, first_index):
        yield item if isinstance(item, Rejection) else uncounted(index, failure)
