"""A Python process of playhead's own as a child, and the line that ties a child to its parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from prometheus_client.multiprocess import mark_process_dead

from service.errors import CannotStart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

PARENT_VARIABLE = "PLAYHEAD_PARENT_PID"
"""Who started this process: with it a child can tell that its parent was gone before it could tie itself to it."""


def end_with_parent(death_signal: signal.Signals) -> None:
    """From now on this process gets `death_signal` when its parent dies, however it dies. On Linux only."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(death_signal), 0, 0, 0)


def end_with_supervisor(death_signal: signal.Signals) -> None:
    """The same for a direct child of the supervisor, which may be gone already."""
    end_with_parent(death_signal)
    parent = os.environ.get(PARENT_VARIABLE)
    if parent is not None and int(parent) != os.getppid():
        raise CannotStart("the playhead that started this process is gone")


class PythonProcess:
    """`python -m MODULE ARGUMENTS` in a session of its own: a terminal's Ctrl-C reaches the supervisor only.

    Of the open files here it has those whose numbers are `files`, under the same numbers.
    """

    def __init__(
        self, name: str, arguments: Sequence[str], variables: Mapping[str, str], files: Sequence[int] = ()
    ) -> None:
        self.name = name
        self._arguments = arguments
        self._variables = variables
        self._files = files
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._popen.pid if self._popen else None

    def start(self) -> None:
        """Start it, or start it again after it ended; what it showed of itself in the metrics is then forgotten."""
        metrics_folder = self._variables.get("PROMETHEUS_MULTIPROC_DIR")
        if self._popen and metrics_folder:
            mark_process_dead(self._popen.pid, metrics_folder)  # type: ignore[no-untyped-call]
        environment = {**os.environ, **self._variables, PARENT_VARIABLE: str(os.getpid())}
        self._popen = subprocess.Popen(  # noqa: S603 - the command is our own
            [sys.executable, "-m", *self._arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            pass_fds=self._files,
            start_new_session=True,
        )

    def poll(self) -> str | None:
        """None while it runs, then one sentence on how it ended."""
        if self._popen is None:
            return f"{self.name} was not started"
        status = self._popen.poll()
        if status is None:
            return None
        ended = f"by signal {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        return f"{self.name} ended {ended}"

    def send(self, number: signal.Signals) -> None:
        """Nothing is sent to one that does not run."""
        if self._popen is not None and self._popen.poll() is None:
            self._popen.send_signal(number)

    def stop(self, seconds: float) -> None:
        """Ask it to finish; past the deadline it is killed, with everything that it started."""
        if self._popen is None or self._popen.poll() is not None:
            return
        self._popen.terminate()
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()
