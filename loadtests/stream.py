"""Events over WebSockets, one a message, as fast as they are acknowledged: a generator that costs little.

    .venv/bin/python loadtests/stream.py --seconds 10 --connections 16

Frames are built as bytes and written many at a time. They are masked with zeros, which the protocol allows: so an
event's bytes are sent as they are, while the server unmasks them like any others. A viewer goes forward through one of
a few movies, each event a heartbeat 10 s after the one before, and always takes the same connection.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import time
from collections import deque
from dataclasses import dataclass, field
from statistics import quantiles
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import uvloop

VIEWERS, MOVIES, HEARTBEAT_SECONDS = 20_000, 50, 10
POSITION_SECONDS_MIN, POSITION_SECONDS_MAX = 100_000, 170_000
"""Always six digits, so that frames have one length, and below the 48 h that playhead takes."""

CHUNK_EVENTS = 100
"""Frames that are written at once."""

WINDOW_EVENTS = 1000
"""How many events of one connection may wait for their acknowledgement."""

LATENCIES_KEPT = 100_000
ANSWER_SECONDS_MAX = 30.0

_TEXT, _CLOSE = 0x1, 0x8


class Result(NamedTuple):
    """What was acknowledged until the last acknowledgement; `cpu_seconds` are the generator's own."""

    events: int
    accepted: int
    duplicates: int
    rejected: int
    seconds: float
    events_per_second: int
    p50_ms: float
    p99_ms: float
    cpu_seconds: float
    failure: str = ""


@dataclass(slots=True)
class Books:
    """Of all connections. A latency is that of a chunk, from its writing to the acknowledgement of its last event."""

    answered: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES_KEPT))


def run(url: str, seconds: float, connections: int, window: int = WINDOW_EVENTS) -> Result:
    """Send to the playhead at `url` for so long, and wait for the last acknowledgement."""
    return uvloop.run(_run(url, seconds, connections, window))


async def _run(url: str, seconds: float, connections: int, window: int) -> Result:
    loop, books = asyncio.get_running_loop(), Books()
    streams = [await _connect(url, number, connections, window, books) for number in range(connections)]
    started, cpu_started = time.monotonic(), time.process_time()
    for stream in streams:
        stream.start()
    loop.call_later(seconds, _stop, streams)
    failures: list[str] = []
    try:
        async with asyncio.timeout(seconds + ANSWER_SECONDS_MAX):
            failures = [failure for stream in streams if (failure := await stream.ended)]
    except TimeoutError:
        failures = ["some events were never acknowledged"]
    took, cpu_seconds = time.monotonic() - started, time.process_time() - cpu_started
    for stream in streams:
        stream.close()
    hundredths = quantiles(books.latencies_ms, n=100) if len(books.latencies_ms) > 1 else [0.0] * 99
    return Result(
        books.answered,
        books.accepted,
        books.duplicates,
        books.rejected,
        round(took, 3),
        round(books.answered / took),
        round(hundredths[49], 2),
        round(hundredths[98], 2),
        round(cpu_seconds, 3),
        failures[0] if failures else "",
    )


def _stop(streams: list[Stream]) -> None:
    for stream in streams:
        stream.stop()


async def _connect(url: str, number: int, connections: int, window: int, books: Books) -> Stream:
    """An open WebSocket; its viewers are every so-manyth of all."""
    place = urlsplit(url)
    viewers = range(number, VIEWERS, connections)
    _, stream = await asyncio.get_running_loop().create_connection(
        lambda: Stream(place.netloc, viewers, window, books), place.hostname or "", place.port or 80
    )
    await stream.opened
    return stream


class Stream(asyncio.Protocol):
    """One connection. `ended` gives what went wrong, or nothing."""

    def __init__(self, host: str, viewers: range, window: int, books: Books) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[str] = loop.create_future()
        self._host, self._window, self._books = host, window, books
        self._heads = [_head(viewer) for viewer in viewers]
        self._next, self._at = 0, POSITION_SECONDS_MIN
        self._sent = self._received = 0
        self._written: deque[tuple[int, float]] = deque()
        self._buffer = b""
        self._is_stopped = False

    def start(self) -> None:
        self._fill()

    def stop(self) -> None:
        """Send no more; what was sent is still waited for."""
        self._is_stopped = True
        self._end_if_answered()

    def close(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            "GET /v1/stream HTTP/1.1",
            f"Host: {self._host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        ]
        if token := os.environ.get("PLAYHEAD_API_KEY"):
            lines.append(f"Authorization: Bearer {token}")
        self._transport.write("\r\n".join((*lines, "", "")).encode())

    def connection_lost(self, failed: Exception | None) -> None:
        self._fail(f"the connection was lost: {failed}")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.opened.done():
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                self._fail(self._buffer.decode(errors="replace"))
                return
            self._buffer = rest
            self.opened.set_result(None)
        for opcode, payload in self._frames():
            if opcode == _TEXT:
                self._note(json.loads(payload))
            elif opcode == _CLOSE:
                self._fail(f"playhead closed: {int.from_bytes(payload[:2])} {payload[2:].decode()}")
        self._fill()

    def _frames(self) -> list[tuple[int, bytes]]:
        """The whole ones among what came; they are not masked, and a server of ours sends no parts."""
        frames, buffer, at = [], self._buffer, 0
        while len(buffer) >= at + 2:
            length, start = buffer[at + 1] & 0x7F, at + 2
            if length >= 126:
                width = 2 if length == 126 else 8
                if len(buffer) < start + width:
                    break
                length, start = int.from_bytes(buffer[start : start + width]), start + width
            if len(buffer) < start + length:
                break
            frames.append((buffer[at] & 0x0F, buffer[start : start + length]))
            at = start + length
        self._buffer = buffer[at:]
        return frames

    def _note(self, answer: dict[str, object]) -> None:
        books, now = self._books, time.monotonic()
        received, accepted, duplicates, rejected = map(
            answer.get, ("received", "accepted", "duplicates", "rejected")
        )
        assert isinstance(received, int)
        assert isinstance(accepted, int)
        assert isinstance(duplicates, int)
        assert isinstance(rejected, list)
        books.answered += received - self._received
        books.accepted += accepted
        books.duplicates += duplicates
        books.rejected += len(rejected)
        self._received = received
        while self._written and self._written[0][0] <= received:
            books.latencies_ms.append((now - self._written.popleft()[1]) * 1000)
        self._end_if_answered()

    def _fill(self) -> None:
        """Write until the window is full."""
        while not self._is_stopped and self._sent - self._received <= self._window - CHUNK_EVENTS:
            self._transport.write(self._chunk())
            self._sent += CHUNK_EVENTS
            self._written.append((self._sent, time.monotonic()))

    def _chunk(self) -> bytes:
        """The next viewers' heartbeats; once everybody has said one, all go on by a step."""
        frames: list[bytes] = []
        while len(frames) < CHUNK_EVENTS:
            heads = self._heads[self._next : self._next + CHUNK_EVENTS - len(frames)]
            tail = b"%d}" % self._at
            frames += [head + tail for head in heads]
            self._next += len(heads)
            if self._next == len(self._heads):
                self._next = 0
                self._at += HEARTBEAT_SECONDS
                if self._at > POSITION_SECONDS_MAX:
                    self._at = POSITION_SECONDS_MIN
        return b"".join(frames)

    def _end_if_answered(self) -> None:
        if self._is_stopped and self._received >= self._sent and not self.ended.done():
            self.ended.set_result("")

    def _fail(self, failure: str) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(failure))
        if not self.ended.done():
            self.ended.set_result(failure)


def _head(viewer: int) -> bytes:
    """A frame of a viewer up to its position."""
    payload = b'{"user":"viewer-%05d","slug":"movie-%03d","at":' % (viewer, viewer % MOVIES)
    length = len(payload) + len(b"%d}" % POSITION_SECONDS_MIN)
    assert length < 126
    return bytes((0x80 | _TEXT, 0x80 | length)) + bytes(4) + payload


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--window", type=int, default=WINDOW_EVENTS)
    given = parser.parse_args()
    for name, value in run(given.url, given.seconds, given.connections, given.window)._asdict().items():
        print(f"{name:<20}{value}")


if __name__ == "__main__":
    main()
