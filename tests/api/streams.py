"""A client of `/v1/stream`: what it sends goes out as it is written."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import ClientWebSocketResponse, WSMsgType

from tests.api.test_broken_clients import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tests.api.client import Api, Document
    from tests.api.test_broken_clients import Line

ANSWER_SECONDS = 20.0

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


@dataclass(slots=True)
class Books:
    """All acknowledgements of one connection, in their order."""

    received: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: list[Document] = field(default_factory=list)
    acknowledgements: list[Document] = field(default_factory=list)

    def note(self, said: Document) -> None:
        """Each goes on where the one before ended, and accounts for every event in between."""
        rejected = said["rejected"]
        events = said["accepted"] + said["duplicates"] + len(rejected)
        assert said["received"] == self.received + events > self.received
        assert all(self.received <= one["index"] < said["received"] for one in rejected)
        self.received = said["received"]
        self.accepted += said["accepted"]
        self.duplicates += said["duplicates"]
        self.rejected += rejected
        self.acknowledgements.append(said)

    @property
    def reasons(self) -> list[tuple[int, str]]:
        return [(one["index"], one["reason"]) for one in self.rejected]


@dataclass(slots=True)
class Client:
    socket: ClientWebSocketResponse[Any]
    books: Books = field(default_factory=Books)

    async def send(self, *messages: object) -> None:
        """Each as one message: bytes and text as they are, all else as JSON."""
        for message in messages:
            if isinstance(message, bytes):
                await self.socket.send_bytes(message)
            else:
                text = message if isinstance(message, str) else orjson.dumps(message).decode()
                await self.socket.send_str(text)

    async def answered(self, events: int, seconds: float = ANSWER_SECONDS) -> Books:
        """Once so many are acknowledged, and no more than these."""
        async with asyncio.timeout(seconds):
            while self.books.received < events:
                await self._note()
        assert self.books.received == events
        return self.books

    async def closed(self, seconds: float = ANSWER_SECONDS) -> tuple[int | None, str]:
        """The code and the reason of the close frame, once what came before it is noted."""
        async with asyncio.timeout(seconds):
            while True:
                message = await self.socket.receive()
                if message.type is not WSMsgType.TEXT:
                    return self.socket.close_code, str(message.extra or "")
                self.books.note(orjson.loads(message.data))

    async def _note(self) -> None:
        message = await self.socket.receive()
        assert message.type is WSMsgType.TEXT, message
        self.books.note(orjson.loads(message.data))


@asynccontextmanager
async def streaming(
    api: Api, query: str = "", headers: Mapping[str, str] | None = None
) -> AsyncIterator[Client]:
    url = f"ws://127.0.0.1:{api.port}/v1/stream{query}"
    async with api.session.ws_connect(url, headers=headers, max_msg_size=0) as socket:
        yield Client(socket)


def head(*lines: str) -> bytes:
    """An opening handshake."""
    asked = (
        "GET /v1/stream HTTP/1.1",
        "Host: playhead",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    return "\r\n".join((*asked, *lines, "", "")).encode()


def frame(opcode: int, payload: bytes = b"", first_bits: int = 0x80) -> bytes:
    """As clients send it: masked."""
    length = len(payload)
    if length < 126:
        size = bytes((0x80 | length,))
    elif length < 65536:
        size = b"\xfe" + length.to_bytes(2)
    else:
        size = b"\xff" + length.to_bytes(8)
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return bytes((first_bits | opcode,)) + size + mask + masked


def read_frames(data: bytes) -> list[tuple[int, bytes]]:
    """All whole frames of a server, as opcode and payload."""
    frames, at = [], 0
    while len(data) >= at + 2:
        length, start = data[at + 1], at + 2
        if length >= 126:
            width = 2 if length == 126 else 8
            length, start = int.from_bytes(data[start : start + width]), start + width
        frames.append((data[at] & 0x0F, data[start : start + length]))
        at = start + length
    return frames


@asynccontextmanager
async def opened(api: Api) -> AsyncIterator[Line]:
    """A connection on which frames can be sent that no client would."""
    async with connected(api) as line:
        await line.send(head())
        assert await line.status() == 101
        yield line
