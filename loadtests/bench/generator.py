"""Posts requests that were written beforehand, over raw sockets: a process of its own, told what to do on its stdin.

About 13 us of CPU a request, most of it the kernel's, as with wrk; unlike wrk it reads every answer, ends only when
all requests are answered, so that books balance to the event, and keeps a rate.

Closed loop: each connection posts its next request when the last one is answered. Open loop: requests are due at a
steady rate, whatever comes back, and latency counts from when a request was due: a server that stalls is charged for
all that should have been sent meanwhile (coordinated omission).

Reads one line of JSON (`Job`), answers `ready`, starts at the next line, and answers one line of JSON (`Outcome`).
"""

from __future__ import annotations

import asyncio
import json
import re
import struct
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import uvloop

from loadtests.bench.latencies import percentiles_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ANSWER_SECONDS_MAX = 30.0
"""Past it a request counts as failed; nothing here should ever take so long."""

OPEN_SECONDS_MAX = 10.0
FAILURES_KEPT = 5
_LENGTH = struct.Struct(">I")
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Job:
    """`requests` is a file of `write_requests`. An answer is right whose body begins with `expected`.

    `rate` is requests a second, for an open loop. With `frames` a request is so many frames for a WebSocket.
    """

    port: int
    requests: str
    connections: int
    seconds: float
    expected: str
    rate: float | None = None
    frames: int = 0


@dataclass(slots=True)
class Outcome:
    """`seconds` is until the last answer. Requests of an open loop that were due and never sent are `unsent`; `left` is
    how many were not sent at all, the last ones of the file.
    """

    seconds: float = 0.0
    answered: int = 0
    failed: int = 0
    unsent: int = 0
    left: int = 0
    latencies_ms: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def write_requests(path: Path, requests: Iterable[bytes]) -> int:
    """Gives how many."""
    count = 0
    with path.open("wb") as file:
        for request in requests:
            file.write(_LENGTH.pack(len(request)) + request)
            count += 1
    return count


def read_requests(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    offset = 0
    while offset < len(data):
        (length,) = _LENGTH.unpack_from(data, offset)
        yield data[offset + 4 : offset + 4 + length]
        offset += 4 + length


PACE_SECONDS = 0.001
"""How often it is looked for what is due, at most: looking without a pause takes a processor from what is measured."""

WINDOW = 10
"""Requests of frames that one WebSocket has on their way."""

HANDSHAKE = (
    b"GET /v1/stream HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: cGxheWhlYWQncyBiZW5jaA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_RECEIVED = re.compile(rb'\{"received":(\d+),"accepted":(\d+),"duplicates":0,"rejected":\[\]')


class Load:
    """What all connections share: what is still to be sent, and what came of it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.waiting = deque(read_requests(Path(job.requests)))
        self.expected = job.expected.encode()
        self.outcome = Outcome()
        self.latencies: list[float] = []
        self.idle: deque[Connection | Stream] = deque()
        self.due: deque[float] = deque()
        self.busy = 0
        self.is_over = False
        self.done = asyncio.Event()

    def next_request(self) -> bytes | None:
        if not self.waiting or self.is_over:
            return None
        return self.waiting.popleft()

    async def run(self) -> Outcome:
        """From here on it counts."""
        started = time.perf_counter()
        asyncio.get_running_loop().call_later(self.job.seconds, self._end)
        pacing = asyncio.create_task(self._pace(started, self.job.rate)) if self.job.rate else None
        if not pacing:
            for connection in list(self.idle):
                connection.send_next()
            self._finish()
        try:
            await asyncio.wait_for(self.done.wait(), self.job.seconds + ANSWER_SECONDS_MAX)
        except TimeoutError:
            self.fail(f"{self.busy} requests got no answer within {ANSWER_SECONDS_MAX:g} s of the end")
        if pacing:
            pacing.cancel()
        self.outcome.seconds = time.perf_counter() - started
        self.outcome.answered = len(self.latencies)
        self.outcome.left = len(self.waiting)
        self.outcome.latencies_ms = percentiles_ms(self.latencies)
        return self.outcome

    async def _pace(self, started: float, rate: float) -> None:
        """Hand out what is due, to connections that are free; what finds none waits, and its latency grows."""
        made, total = 0, round(self.job.seconds * rate)
        while made < total and not self.is_over:
            now = time.perf_counter()
            while made < total and started + made / rate <= now:
                self.due.append(started + made / rate)
                made += 1
            self.hand_out()
            await asyncio.sleep(max(PACE_SECONDS, started + made / rate - time.perf_counter()))
        self.is_over = True
        self._finish()

    def hand_out(self) -> None:
        while self.due and self.idle and self.waiting:
            self.idle.popleft().send(self.waiting.popleft(), self.due.popleft())

    def freed(self, connection: Connection | Stream) -> None:
        """A connection has its answer."""
        if self.job.rate:
            self.idle.append(connection)
            self.hand_out()
        else:
            connection.send_next()
        self._finish()

    def fail(self, reason: str) -> None:
        self.outcome.failed += 1
        if len(self.outcome.failures) < FAILURES_KEPT:
            self.outcome.failures.append(reason[:300])

    def _end(self) -> None:
        if not self.job.rate:
            self.is_over = True

    def _finish(self) -> None:
        if self.busy == 0 and (not self.job.rate or (self.is_over and not (self.due and self.waiting))):
            self.outcome.unsent = len(self.due)
            self.done.set()


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.buffer = b""
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.write = cast("asyncio.Transport", transport).write  # uvloop's is none by its class
        self.load.idle.append(self)

    def send_next(self) -> None:
        """Closed loop: now, if anything is left."""
        request = self.load.next_request()
        if request is not None:
            self.send(request, time.perf_counter())

    def send(self, request: bytes, due_at: float) -> None:
        self.load.busy += 1
        self.sent_at = due_at
        self.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer = data = self.buffer + data if self.buffer else data
        head = data.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _CONTENT_LENGTH.search(data, 0, head)
        if length is None or len(data) < head + 4 + int(length[1]):
            return
        self.buffer = b""
        if data.startswith(b"HTTP/1.1 200") and data.startswith(self.load.expected, head + 4):
            self.load.latencies.append(time.perf_counter() - self.sent_at)
        else:
            self.load.fail(data.decode(errors="replace"))
        self.load.busy -= 1
        self.load.freed(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.load.busy and not self.load.done.is_set():
            self.load.fail(f"connection lost: {exc}")
            self.load.done.set()


class Stream(asyncio.Protocol):
    """A WebSocket: up to WINDOW requests of frames are on their way; an acknowledgement says how many frames it has."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.buffer = b""
        self.is_open = False
        self.sent: deque[float] = deque()
        self.acknowledged = 0
        """Frames, of those that `sent` stands for."""
        self.received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.write = cast("asyncio.Transport", transport).write
        self.write(HANDSHAKE)

    def send_next(self) -> None:
        """Fill the window."""
        while len(self.sent) < WINDOW and (request := self.load.next_request()) is not None:
            self.send(request, time.perf_counter())

    def send(self, request: bytes, due_at: float) -> None:
        self.load.busy += 1
        self.sent.append(due_at)
        self.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.is_open:
            head, end, self.buffer = self.buffer.partition(b"\r\n\r\n")
            if not end or not head.startswith(b"HTTP/1.1 101"):
                self.load.fail(f"no WebSocket: {head.decode(errors='replace')}")
                return
            self.is_open = True
            self.load.idle.append(self)
        for payload in self.payloads():
            self.note(payload)

    def payloads(self) -> Iterator[bytes]:
        """Of the whole frames that came: a server does not mask them, and ours sends none in parts."""
        while len(self.buffer) > 1:
            length, start = self.buffer[1], 2
            if length > 125:
                start += 2 if length == 126 else 8
                length = int.from_bytes(self.buffer[2:start])
            if len(self.buffer) < start + length:
                return
            payload, self.buffer = self.buffer[start : start + length], self.buffer[start + length :]
            yield payload

    def note(self, payload: bytes) -> None:
        told = _RECEIVED.match(payload)
        if told is None or int(told[2]) != int(told[1]) - self.received:
            self.load.fail(payload.decode(errors="replace"))
            return
        self.acknowledged += int(told[2])
        self.received = int(told[1])
        now = time.perf_counter()
        while self.sent and self.acknowledged >= self.load.job.frames:
            self.acknowledged -= self.load.job.frames
            self.load.latencies.append(now - self.sent.popleft())
            self.load.busy -= 1
        self.load.freed(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.load.busy and not self.load.done.is_set():
            self.load.fail(f"connection lost: {exc}")
            self.load.done.set()


async def generate(job: Job) -> Outcome:
    """Connect, say `ready`, wait for a line, run."""
    loop = asyncio.get_running_loop()
    load = Load(job)
    kind = Stream if job.frames else Connection
    for _ in range(job.connections):
        await loop.create_connection(lambda: kind(load), "127.0.0.1", job.port)
    async with asyncio.timeout(OPEN_SECONDS_MAX):
        while len(load.idle) < job.connections:  # noqa: ASYNC110 - WebSockets open one by one
            await asyncio.sleep(0.01)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    return await load.run()


def main() -> None:
    job = Job(**json.loads(sys.stdin.readline()))
    print(json.dumps(asdict(uvloop.run(generate(job)))), flush=True)
    sys.stdin.read()  # until its CPU has been measured, too


if __name__ == "__main__":
    main()
