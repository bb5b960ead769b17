"""What the benchmark asks of everything that it measures."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from service.embedded.deadline import holds_within

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadtests.bench.audience import Moment

START_SECONDS = 60.0
STOP_SECONDS = 60.0
HTTP_PROCESSES = 2
"""Of each comparator, whatever playhead has: also on two processors they answer most with two."""

KEEP_ALIVE_SECONDS = 75
"""aiohttp's own default; gunicorn's, 2 s, is over before all generators of a scenario are connected."""

BIN = Path(sys.executable).parent


class Unavailable(Exception):
    """A comparator that cannot run here; its text says what to install."""


class Counts(NamedTuple):
    """What a system has, by its own telling: events counted, and rows stored. None where it keeps no such thing."""

    counted: int | None
    stored: int | None


class System(Protocol):
    """One thing to measure. All of them run at once; only one is asked at a time."""

    name: str
    port: int

    def start(self) -> None: ...
    def stop(self) -> None: ...

    def roots(self) -> list[int]:
        """The processes whose CPU, with that of all below them, is this system's."""

    def request(self, moments: Sequence[Moment]) -> bytes:
        """These events as one HTTP request."""

    def expected(self, events: int) -> str:
        """How the body of the answer begins when all of them were taken."""

    def settle(self) -> float:
        """Wait until nothing is on its way any more; gives how many seconds that took."""

    def counts(self) -> Counts: ...


class Command:
    """A program as a child, its output in a file."""

    def __init__(self, words: Sequence[str], log: Path, variables: Mapping[str, str] | None = None) -> None:
        self.log = log
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PLAYHEAD_")}
        with log.open("ab") as output:
            self.popen = subprocess.Popen(  # noqa: S603 - our own commands
                words,
                env=kept | dict(variables or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    def wait_for(self, port: int) -> None:
        """Until somebody listens there."""
        self.wait_until_said(lambda: _listens(port))

    def wait_until_said(self, is_ready: object) -> None:
        assert callable(is_ready)
        if not holds_within(START_SECONDS, lambda: self.popen.poll() is not None or bool(is_ready())):
            raise RuntimeError(f"{self.popen.args!r} did not start within {START_SECONDS:.0f} s")
        if self.popen.poll() is not None:
            raise RuntimeError(f"{self.popen.args!r} ended: {self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


def served(app: str, port: int, log: Path, variables: Mapping[str, str] | None = None) -> Command:
    """An aiohttp application under gunicorn, as playhead is served."""
    words = [str(BIN / "gunicorn"), app, "--worker-class", "aiohttp.GunicornUVLoopWebWorker", "--reuse-port"]
    words += ["--workers", str(HTTP_PROCESSES), "--bind", f"127.0.0.1:{port}", "--log-level", "error"]
    words += ["--keep-alive", str(KEEP_ALIVE_SECONDS)]
    command = Command(words, log, variables)
    command.wait_for(port)
    return command


def post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def found(program: str, package: str) -> str:
    """Where a program is. Raises Unavailable, which names the package that has it."""
    path = shutil.which(program)
    if path is None:
        raise Unavailable(f"{program} is not installed: apt-get install {package}")
    return path


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        time.sleep(0)
        return False
