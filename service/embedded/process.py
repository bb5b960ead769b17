"""One server as a child in the foreground, which ends when its parent does."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from service.embedded import child
from service.embedded.deadline import holds_within
from service.embedded.lock import Lock, LockedError
from service.errors import CannotStart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from service.embedded.identity import Identity
    from service.embedded.log import ServerLog

PREVIOUS_SECONDS = 15.0
"""How long a server whose playhead was killed may take to go down: Postgres writes a checkpoint. Then it is killed."""

KILLED_SECONDS = 5.0

STOP_SECONDS = 12.0
"""A clean stop writes to disk what is in memory. Past this the disk hangs, or Postgres does, which can happen right
after its start."""

SCARCE_BYTES = 16 * 2**20
"""One segment of Postgres's write-ahead log: with less, a full disk is the likely cause of an end."""


class ServerProcess:
    """Runs from construction on. Start it from the main thread: it ends when the thread that started it does.

    In a session of its own, so that a terminal's Ctrl-C reaches the supervisor only, which stops servers
    in order. `stop_signal` asks it to stop cleanly, and is also what it gets when the parent is killed. `variables` are
    added to its environment.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        user: Identity,
        stop_signal: signal.Signals,
        log: ServerLog,
        lock: Lock,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._folder = folder
        self._stop_signal = stop_signal
        self._log = log
        environment = {**_environment(), **(variables or {})}
        self._popen = _started(_wrapped(command, folder, user, stop_signal), environment, log, lock)
        lock.note_holder(self.pid)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def poll(self) -> str | None:
        """None while it runs, then one sentence on how it ended. Call it every minute: it bounds the log."""
        status = self._popen.poll()
        if status is None:
            self._log.bound()
            return None
        ended = f"by signal {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        gist = self._log.gist() if status != 0 else ""
        return f"{self.name} ended {ended}{': ' if gist else ''}{gist}{_space_note(self._folder)}"

    def wait_until(self, is_ready: Callable[[], bool], seconds: float) -> None:
        """Raises CannotStart, and leaves no process behind, if it dies or does not become ready in time."""
        try:
            in_time = holds_within(seconds, lambda: self._popen.poll() is not None or is_ready())
        except BaseException:
            self.stop(seconds=1)
            raise
        late = "" if in_time else f"{self.name} did not answer within {seconds:.0f} s: {self._log.gist()}"
        failed = self.poll() or late
        if failed:
            self.stop(seconds=1)
            raise CannotStart(f"{failed} (its log is {self._log.path})")

    def wait_for_end(self, seconds: float) -> int | None:
        """Its exit status, or None if it still runs."""
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Cleanly, or past the deadline with SIGKILL, which loses nothing that was acknowledged."""
        if self._popen.poll() is None:
            self._popen.send_signal(self._stop_signal)
            if self.wait_for_end(seconds) is None:
                self._popen.kill()
                self._popen.wait()


def claim(name: str, path: Path, user: Identity) -> Lock:
    """Waits until an earlier server of this folder is gone with all its processes; keeps the next one out.

    One that does not go is killed, as `stop` would have done: its playhead is dead, and Postgres can hang for ever when
    it is told to stop while it recovers from a crash.
    """
    try:
        return Lock(path, user, wait_seconds=PREVIOUS_SECONDS)
    except LockedError as locked:
        try:
            _kill_server_of(path.parent, locked.holder)
            return Lock(path, user, wait_seconds=KILLED_SECONDS)
        except LockedError:
            raise CannotStart(
                f"an earlier {name} (pid {locked.holder}) of {path.parent.parent} has not stopped yet"
            ) from None
    except OSError as failed:
        raise CannotStart(f"{path} cannot be used: {failed.strerror}") from None


def _kill_server_of(folder: Path, pid: int | None) -> None:
    """Only if it works in this folder: the number may be another process's by now."""
    with contextlib.suppress(OSError):
        if pid and Path(f"/proc/{pid}/cwd").readlink().is_relative_to(folder.resolve()):
            os.kill(pid, signal.SIGKILL)


def _space_note(folder: Path) -> str:
    """Valkey on a full disk speaks of a short write only."""
    try:
        status = os.statvfs(folder)
    except OSError:  # somebody removed it
        return ""
    free_bytes = status.f_bavail * status.f_frsize
    return f" (its disk has {free_bytes} bytes left)" if free_bytes < SCARCE_BYTES else ""


def _started(
    command: Sequence[str], environment: Mapping[str, str], log: ServerLog, lock: Lock
) -> subprocess.Popen[bytes]:
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            "start servers from the main thread: they end when the thread that started them does"
        )
    output = -1
    try:
        output = log.open()
        return subprocess.Popen(  # noqa: S603 - the command is our own
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=environment,
            pass_fds=(lock.fd,),
            start_new_session=True,
        )
    except OSError as failed:
        raise CannotStart(f"{command[0]} cannot be started: {failed}") from None
    finally:
        if output >= 0:
            os.close(output)


def _wrapped(
    command: Sequence[str], folder: Path, user: Identity, stop_signal: signal.Signals
) -> Sequence[str]:
    uid, gid = (-1, -1) if user.is_caller else (user.uid, user.gid)
    orders = (os.getpid(), int(stop_signal), uid, gid, folder)
    return [sys.executable, "-I", "-S", str(Path(child.__file__)), *map(str, orders), *command]


def _environment() -> dict[str, str]:
    """Nothing of the caller's settings: a PGDATA, a TZ or a broken locale would change the servers."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}
