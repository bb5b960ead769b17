"""`make run` as a person uses it: start, post an event, Ctrl-C, start again, and the event is still counted.

Its data is in a folder of its own, not in the repository's `.playhead`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

import psutil

PORT = os.environ.get("PLAYHEAD_PORT", "8000")
URL = f"http://127.0.0.1:{PORT}"
EVENT = {"user": "ann", "slug": "dune", "at": 4500, "id": "smoke-1"}
COUNTED = {"watch_seconds": 10, "events": 1, "viewers": 1}
"""A lone heartbeat is worth ten seconds."""

FIRST_READY_SECONDS = 60.0
"""The first start makes the database, on whatever disk this is."""

AGAIN_READY_SECONDS = 5.0
"""A later start takes about two; of two later starts the quicker one counts, as the machine may be busy."""

STOP_SECONDS = 30.0
ENDED_BY = {0, -signal.SIGINT, -signal.SIGTERM}
"""Playhead ends with 0; a make that was told to stop ends by the signal that told it."""


def main() -> None:
    # A shell may have started this with Ctrl-C ignored; what it starts would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    refuse_taken_port()
    with tempfile.TemporaryDirectory(prefix="playhead-smoke-") as folder:
        data_dir = Path(folder) / "data"
        with Run(data_dir) as run:
            run.wait_ready()
            expect("the first post", ask("/v1/events", EVENT)["accepted"], 1)
            expect("the movie", counted(), COUNTED)
            run.stop_by_ctrl_c()
        seconds = min(start_again(data_dir, stop) for stop in (Run.stop_by_term, Run.stop_by_ctrl_c))
    expect(f"ready again within {AGAIN_READY_SECONDS:.0f} s", seconds <= AGAIN_READY_SECONDS, True)
    say("started, counted, stopped, started again with nothing lost or counted twice")


def refuse_taken_port() -> None:
    """Who listens there already would be taken for the one that is started here."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", int(PORT))) == 0:
            sys.exit(f"smoke: port {PORT} is in use; PLAYHEAD_PORT chooses another")


def start_again(data_dir: Path, stop: Any) -> float:
    """Seconds until it was ready."""
    with Run(data_dir) as run:
        seconds = run.wait_ready()
        expect("the movie after a restart", counted(), COUNTED)
        expect("the same event again", ask("/v1/events", EVENT)["duplicates"], 1)
        expect("the movie after a duplicate", counted(), COUNTED)
        stop(run)
    return seconds


class Run:
    """One `make run`, in a session of its own, as on a terminal of its own. Whatever happens, it is ended."""

    def __init__(self, data_dir: Path) -> None:
        self._variables = os.environ | {"PLAYHEAD_DATA_DIR": str(data_dir), "PLAYHEAD_PORT": PORT}

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        command = ["make", "run"]
        self._make = subprocess.Popen(  # noqa: S603 - as a person types it
            command, env=self._variables, stdin=subprocess.DEVNULL, start_new_session=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self._make.poll() is None:
            self._make.terminate()
            self._make.wait(STOP_SECONDS)

    def wait_ready(self) -> float:
        """How many seconds it took."""
        while not is_ready():
            if self._make.poll() is not None:
                sys.exit(f"smoke: make run ended with {self._make.returncode}; the lines above say why")
            if time.monotonic() - self._began > FIRST_READY_SECONDS:
                sys.exit(f"smoke: make run was not ready within {FIRST_READY_SECONDS:.0f} s")
            time.sleep(0.05)
        seconds = time.monotonic() - self._began
        say(f"ready after {seconds:.1f} s")
        return seconds

    def stop_by_ctrl_c(self) -> None:
        """A terminal sends it to make and to playhead."""
        processes = self._processes()
        os.killpg(self._make.pid, signal.SIGINT)
        self._expect_end(processes)

    def stop_by_term(self) -> None:
        """A supervisor sends it to make alone, which passes it on."""
        processes = self._processes()
        self._make.terminate()
        self._expect_end(processes)

    def _processes(self) -> list[Any]:
        return list(psutil.Process(self._make.pid).children(recursive=True))

    def _expect_end(self, processes: list[Any]) -> None:
        code = self._make.wait(STOP_SECONDS)
        if code not in ENDED_BY:
            sys.exit(f"smoke: make run ended with {code}")
        _, left = psutil.wait_procs(processes, timeout=1)
        expect("processes left", left, [])
        say(f"stopped, {len(processes)} processes gone")


def is_ready() -> bool:
    try:
        return bool(ask("/readyz")["ready"])
    except OSError:
        return False


def counted() -> dict[str, int]:
    movie = ask("/v1/movies/dune")
    return {name: movie[name] for name in COUNTED}


def ask(path: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(URL + path, data, timeout=10) as response:  # noqa: S310 - our own http address
        return json.load(response)


def expect(what: str, got: object, expected: object) -> None:
    if got != expected:
        sys.exit(f"smoke: {what}: got {got!r}, expected {expected!r}")


def say(sentence: str) -> None:
    print(f"smoke: {sentence}", flush=True)


if __name__ == "__main__":
    main()
