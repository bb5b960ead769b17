"""What one client of a stream has sent, read while what came before is being applied, within bounds.

Past the bounds nothing is read until some is taken: then aiohttp's own buffer fills, then the sockets, and then the
client has to wait.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import structlog
from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.http_websocket import WebSocketError

from service.limits import BODY_BYTES_MAX, RUN_EVENTS_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_log = structlog.get_logger()

MESSAGES_MAX = RUN_EVENTS_MAX
BYTES_MAX = 256 * 1024
"""What may wait to be taken, beside one message of any size: bounds the memory of a connection."""

PING_SECONDS = 30.0
"""How long a client may be silent before it is asked whether it lives, and then before it is taken for gone. Shorter
than the minute after which proxies let go of what is idle."""


class Socket(web.WebSocketResponse):
    """Leaves its farewell to others: aiohttp sends one as soon as a frame is wrong or the client says its own, and
    after it nothing could be acknowledged."""

    def __init__(self) -> None:
        # Compression would cost more than all else a message costs; and text is checked where it is decoded.
        super().__init__(autoping=False, compress=False, max_msg_size=BODY_BYTES_MAX, decode_text=False)

    async def close(self, **_options: object) -> bool:
        return False


class Farewell(NamedTuple):
    """How a connection ends: with these words, or without any where nobody hears them."""

    code: int
    reason: str = ""
    is_heard: bool = True


STOPPING = Farewell(WSCloseCode.GOING_AWAY, "playhead is stopping")
SILENT = Farewell(WSCloseCode.GOING_AWAY, "no answer to a ping")
FAILED = Farewell(WSCloseCode.INTERNAL_ERROR, "playhead failed; its log says why")
LOST = Farewell(WSCloseCode.ABNORMAL_CLOSURE, is_heard=False)

_REASONS = {WSCloseCode.MESSAGE_TOO_BIG: f"a message has at most {BODY_BYTES_MAX} bytes"}


class Inbox:
    """Reads from construction on, until the client says farewell or is lost, or `end` is called."""

    def __init__(self, socket: Socket) -> None:
        self.farewell = LOST
        self.over = asyncio.Event()
        """Nothing more is read."""
        self._socket = socket
        self._messages: list[bytes] = []
        self._bytes = self._received = 0
        self._came, self._taken = asyncio.Event(), asyncio.Event()
        self._taken.set()
        self._reading = asyncio.create_task(self._read_until_over(), name="stream")
        self._watching = asyncio.create_task(self._watch(), name="stream watch")

    def end(self, farewell: Farewell = STOPPING) -> None:
        """Read no more; what came already can still be taken."""
        if not self.over.is_set():
            self.farewell = farewell
            self._reading.cancel()

    async def batches(self) -> AsyncIterator[list[bytes]]:
        """All messages that came since the last time, again and again until nothing more will come."""
        while await self._has_come():
            messages, self._messages, self._bytes = self._messages, [], 0
            self._came.clear()
            self._taken.set()
            yield messages

    async def _has_come(self) -> bool:
        if not self._messages and not self.over.is_set():
            await self._came.wait()
        return bool(self._messages)

    async def _read_until_over(self) -> None:
        try:
            self.farewell = await self._read()
        except ConnectionError:
            self.farewell = LOST
        except Exception:
            self.farewell = FAILED
            _log.exception("stream_failed")
        finally:
            self._watching.cancel()
            self.over.set()
            self._came.set()

    async def _read(self) -> Farewell:
        """Messages, until what is none ends them. Those that have come already are had without giving way to others."""
        receive = self._socket.receive
        while True:
            message = await receive()
            kind, content, _ = message
            self._received += 1
            if kind is WSMsgType.TEXT or kind is WSMsgType.BINARY:
                self._messages.append(content)
                self._bytes += len(content)
                self._came.set()
                if len(self._messages) >= MESSAGES_MAX or self._bytes >= BYTES_MAX:
                    self._taken.clear()
                    await self._taken.wait()
            elif kind is WSMsgType.PING:
                await self._socket.pong(content)
            elif kind is not WSMsgType.PONG:
                return _farewell(kind, content)

    async def _watch(self) -> None:
        """Ask a silent client whether it lives. That nothing comes while nothing is read is not its silence."""
        is_pinged = False
        while True:
            before = self._received
            await asyncio.sleep(PING_SECONDS)
            if self._received > before or not self._taken.is_set():
                is_pinged = False
            elif is_pinged:
                self.end(SILENT)
            else:
                is_pinged = True
                with suppress(ConnectionError):
                    await self._socket.ping()


def _farewell(kind: WSMsgType, content: object) -> Farewell:
    if kind is WSMsgType.CLOSE and isinstance(content, int):
        return Farewell(content or WSCloseCode.OK)
    if isinstance(content, WebSocketError):
        return Farewell(content.code, _REASONS.get(WSCloseCode(content.code), str(content)))
    return LOST
