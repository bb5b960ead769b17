"""The one folder with everything that must survive a restart."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from service.embedded.identity import Identity, give, owner_of, unprivileged
from service.embedded.lock import Lock, LockedError
from service.embedded.runtime import postgres_socket_dir, refuse_planted, runtime_dir
from service.errors import CannotStart

if TYPE_CHECKING:
    from collections.abc import Iterator

MB = 2**20

FREE_BYTES_MIN = 500 * MB
"""A new Postgres takes 40 MB, its first write-ahead segments and Valkey's file, which is rewritten at 256, the rest."""

LOCK_NAME = "playhead.lock"

GIVEN_UP_SECONDS = 0.5
"""A playhead that was killed while it started a process leaves the lock to that one for a moment."""


class DataFolder:
    """Made if missing, checked, and locked until `close` or the end of the process.

    Raises CannotStart with one sentence that says why it can't be used. Forked children don't share the lock.
    """

    def __init__(self, path: Path, *, free_bytes_min: int = FREE_BYTES_MIN) -> None:
        self.path = Path(os.path.realpath(path))
        with _said_in_one_sentence(self.path):
            made = _made(self.path)
            self.owner = owner_of(self.path)
            self.postgres_user = unprivileged(self.owner, self.path / "postgres")
            self._lock = _locked(self.path, self.owner)
            try:
                _refuse_full(self.path, free_bytes_min)
                os.register_at_fork(after_in_child=self._lock.close)
                if made:
                    self._let_postgres_through(self.path)
                self.runtime = self._make_runtime()
            except BaseException:
                self._lock.close()
                raise

    def subfolder(self, name: str, user: Identity) -> Path:
        """A folder within that `user` alone can enter."""
        path = self.path / name
        with _said_in_one_sentence(path):
            path.mkdir(mode=0o700, exist_ok=True)
            user.take_tree(path)
            path.chmod(0o700)
        return path

    def close(self) -> None:
        """Gives the folder up, once its servers have stopped; a socket still there keeps its folder."""
        for folder in (postgres_socket_dir(self.runtime), self.runtime):
            with contextlib.suppress(OSError):
                folder.rmdir()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _make_runtime(self) -> Path:
        runtime = runtime_dir(self.path)
        try:
            _make_private(runtime, self.owner)
            self._let_postgres_through(runtime)
            sockets = postgres_socket_dir(runtime)
            sockets.mkdir(mode=0o700, exist_ok=True)
            self.postgres_user.take(sockets)
        except OSError as failed:
            raise CannotStart(f"{runtime}, a folder for sockets, cannot be made: {failed.strerror}") from None
        return runtime

    def _let_postgres_through(self, path: Path) -> None:
        """Where Postgres runs as another user, its group may pass through our own folder, and no other."""
        if self.postgres_user.uid != self.owner.uid:
            give(path, Identity(self.owner.uid, self.postgres_user.gid))
            path.chmod(0o710)


def _made(path: Path) -> bool:
    """Whether the folder had to be made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
    except FileExistsError:
        if not path.is_dir():
            raise NotADirectoryError(0, "it is not a directory") from None
        return False
    return True


def _locked(path: Path, owner: Identity) -> Lock:
    try:
        lock = Lock(path / LOCK_NAME, owner, wait_seconds=GIVEN_UP_SECONDS)
    except LockedError as locked:
        holder = f" (pid {locked.holder})" if locked.holder else ""
        raise CannotStart(f"the data folder {path} is in use by another running playhead{holder}") from None
    lock.note_holder(os.getpid())
    return lock


def _refuse_full(path: Path, free_bytes_min: int) -> None:
    status = os.statvfs(path)
    free_bytes = status.f_bavail * status.f_frsize
    if free_bytes < free_bytes_min:
        raise CannotStart(
            f"the data folder {path} has {free_bytes // MB} MB of space left, below {free_bytes_min // MB} MB"
        )


def _make_private(path: Path, user: Identity) -> None:
    try:
        path.mkdir(mode=0o700)
        user.take(path)
    except FileExistsError:
        refuse_planted(path, user.uid)


@contextlib.contextmanager
def _said_in_one_sentence(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as failed:
        raise CannotStart(f"the data folder {path} cannot be used: {failed.strerror}") from None
