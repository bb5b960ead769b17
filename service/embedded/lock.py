"""A file that is locked for as long as a process lives, however it ends.

The kernel drops the lock with the last process that holds the open file: a hard kill leaves nothing stale.
A child that is handed the open file keeps it locked for as long as it, or any child of its own, lives.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from typing import TYPE_CHECKING

from service.embedded.deadline import holds_within

if TYPE_CHECKING:
    from pathlib import Path

    from service.embedded.identity import Identity


class LockedError(Exception):
    """Another process holds it; `holder` is its pid where it is known."""

    def __init__(self, holder: int | None) -> None:
        super().__init__(f"locked by process {holder}" if holder else "locked by another process")
        self.holder = holder


class Lock:
    """Held from construction to `close`; raises LockedError if it can't be had within `wait_seconds`."""

    def __init__(self, path: Path, owner: Identity, *, wait_seconds: float = 0) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            owner.take(path)
            self._take_within(wait_seconds)
        except BaseException:
            os.close(self.fd)
            raise

    def note_holder(self, pid: int) -> None:
        """For the sentence that another process shows; on a full disk that sentence does without."""
        with contextlib.suppress(OSError):
            os.ftruncate(self.fd, 0)
            os.pwrite(self.fd, f"{pid}\n".encode(), 0)

    def close(self) -> None:
        """Lets go of it; a child that was handed the open file still holds it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _take_within(self, seconds: float) -> None:
        if not holds_within(seconds, self._taken):
            raise LockedError(self._holder())

    def _taken(self) -> bool:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as refused:
            if refused.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise
        return True

    def _holder(self) -> int | None:
        said = os.pread(self.fd, 32, 0).strip()
        return int(said) if said.isdigit() else None
