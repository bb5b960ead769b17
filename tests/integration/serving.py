"""`playhead serve` as a process of its own: started, watched, and ended in every way a process can end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import orjson

from service.embedded import embedded_database_url, embedded_redis_url
from service.embedded.deadline import holds_within
from service.embedded.runtime import runtime_dir

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PLAYHEAD = str(Path(sys.executable).parent / "playhead")

START_SECONDS = 60.0
STOP_SECONDS = 30.0


def free_port(host: str = "127.0.0.1") -> int:
    """One that nobody listens on now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def environment(data_dir: Path, **settings: object) -> dict[str, str]:
    """The caller's, without settings of playhead but these: `port` becomes PLAYHEAD_PORT.

    Snapshots come soon, and there are two HTTP processes, whatever is the default here: more goes wrong between two.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLAYHEAD_")}
    told = {"data_dir": data_dir, "snapshot_interval_seconds": 0.5, "workers": 2} | settings
    return kept | {f"PLAYHEAD_{name.upper()}": str(value) for name, value in told.items()}


def run(
    *words: str, variables: Mapping[str, str], seconds: float = START_SECONDS, **options: Any
) -> subprocess.CompletedProcess[str]:
    """A command of playhead, from start to end."""
    return subprocess.run(
        [PLAYHEAD, *words],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
        **options,
    )


class Serving:
    """One data folder and one port; may be started, ended and started again."""

    def __init__(self, data_dir: Path, host: str = "127.0.0.1", **settings: object) -> None:
        self.data_dir = data_dir
        self.port = free_port(host)
        self.url = f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"
        self.variables = environment(data_dir, host=host, port=self.port, **settings)
        self.log = data_dir.parent / f"{data_dir.name}.log"
        self.stdin = subprocess.DEVNULL
        self.program = [PLAYHEAD]
        self.popen: subprocess.Popen[bytes] | None = None
        self._log_starts_at = 0

    def launch(self, *words: str) -> Self:
        """Returns at once."""
        self._log_starts_at = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                [*self.program, "serve", *words],
                env=self.variables,
                stdin=self.stdin,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def start(self, *words: str) -> float:
        """Returns when it says that it is ready; gives how many seconds that took."""
        started = time.monotonic()
        self.launch(*words)
        assert holds_within(START_SECONDS, lambda: bool(self.said("ready")) or self.poll() is not None)
        assert self.poll() is None, self.text()
        return time.monotonic() - started

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """The exit code."""
        assert self.popen is not None
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        try:
            return self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it goes on: {self.processes()}\n{self.text()}") from None

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def poll(self) -> int | None:
        assert self.popen is not None
        return self.popen.poll()

    @property
    def pid(self) -> int:
        assert self.popen is not None
        return self.popen.pid

    @property
    def redis_url(self) -> str:
        return self.variables.get("PLAYHEAD_REDIS_URL") or embedded_redis_url(self.data_dir)

    @property
    def database_url(self) -> str:
        return self.variables.get("PLAYHEAD_DATABASE_URL") or embedded_database_url(self.data_dir)

    def text(self) -> str:
        """All that it said since its last start."""
        return self.log.read_bytes()[self._log_starts_at :].decode()

    def said(self, event: str) -> list[dict[str, Any]]:
        """The log lines of that name since the last start."""
        lines = [line for line in self.text().splitlines() if line.startswith("{") and line.endswith("}")]
        return [line for line in map(orjson.loads, lines) if line["event"] == event]

    def processes(self) -> dict[int, str]:
        """Every process of this playhead that lives, by its environment or its folder, with its command line."""
        marks = (f"PLAYHEAD_DATA_DIR={self.data_dir}\0".encode(), str(self.data_dir).encode())
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if entry.joinpath("stat").read_text().rsplit(")")[-1].split()[0] == "Z":
                    continue
                command = (entry / "cmdline").read_bytes()
                told = (entry / "environ").read_bytes() + command + os.fsencode((entry / "cwd").readlink())
            except OSError:
                continue
            if command and any(mark in told for mark in marks):
                found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
        return found

    def pid_of(self, *marks: str) -> int:
        """The first of its processes whose command line holds all of these."""
        return min(pid for pid, command in self.processes().items() if all(mark in command for mark in marks))

    def is_gone(self, seconds: float = STOP_SECONDS) -> bool:
        return holds_within(seconds, lambda: not self.processes())


@contextmanager
def ended(one: Serving) -> Iterator[Serving]:
    """What a test leaves running is killed."""
    try:
        yield one
    finally:
        if one.popen and one.poll() is None:
            one.kill()
        assert one.is_gone(), one.processes()
        shutil.rmtree(runtime_dir(one.data_dir), ignore_errors=True)
