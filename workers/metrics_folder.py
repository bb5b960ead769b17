"""The folder in which the processes of one run keep their metrics: empty at its start, and left by none for long."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "playhead-metrics-"
LOCK_NAME = "lock"
"""Locked for as long as the run's supervisor lives, however it ends."""


@contextmanager
def metrics_folder(data_dir: Path | None) -> Iterator[Path]:
    """A temporary one, while those that killed runs left are removed; or in the data folder, which is the caller's."""
    if data_dir:
        kept = data_dir / "metrics"  # that of the run before
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(mode=0o700)
        yield kept
        return
    _remove_left()
    made = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = _lock(made)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(lock)


def _lock(folder: Path) -> int:
    """It gets its name when it is locked: nobody ever finds it unlocked while this process lives."""
    nameless = folder / "new"
    lock = os.open(nameless, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    nameless.rename(folder / LOCK_NAME)
    return lock


def _remove_left() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            if _is_own(folder):
                _remove_unlocked(folder)
        except OSError:
            continue  # it is somebody's who lives, or was removed by another start just now


def _is_own(folder: Path) -> bool:
    """Others may put anything under that name, where everybody has their temporary files."""
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _remove_unlocked(folder: Path) -> None:
    """Raises OSError where its lock is held, or is not there: then it may be made just now."""
    lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
