"""The file of keys: read, added to, taken from. Comments and the order of its lines are kept."""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from service.access.keyring import Key, read_keys
from service.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_BYTES_MAX = 1024 * 1024
"""Some ten thousand keys; what is longer is another file."""


class State(NamedTuple):
    """By which a file that was changed or replaced is told from what it was."""

    inode: int
    size: int
    mtime_ns: int


def state_of(path: Path) -> State | None:
    """None where there is none that could be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return State(found.st_ino, found.st_size, found.st_mtime_ns)


def read_file(path: Path) -> list[Key]:
    """Raises SettingsError."""
    return read_keys(_text(path), str(path))


def add_key(path: Path, key: Key) -> None:
    """Raises SettingsError where the file cannot be read, or has a key of that name."""
    with _only_writer(path):
        text = _text(path) if path.exists() else ""
        if any(known.name == key.name for known in read_keys(text, str(path))):
            raise SettingsError(
                f"{path} has a key named {key.name!r} already; revoke it, or choose another name"
            )
        _replace(path, text + ("\n" if text and not text.endswith("\n") else "") + key.as_line() + "\n")


def remove_key(path: Path, name: str) -> None:
    """Raises SettingsError where the file cannot be read, or has no such key."""
    with _only_writer(path):
        lines = _text(path).splitlines(keepends=True)
        kept = [line for line in lines if not any(key.name == name for key in read_keys(line, str(path)))]
        if len(kept) == len(lines):
            raise SettingsError(f"{path} has no key named {name!r}")
        _replace(path, "".join(kept))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as failed:
        raise SettingsError(f"PLAYHEAD_KEYS_FILE: {path} cannot be read: {failed.strerror}") from None
    if len(content) > FILE_BYTES_MAX:
        raise SettingsError(f"PLAYHEAD_KEYS_FILE: {path} is longer than {FILE_BYTES_MAX} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise SettingsError(f"PLAYHEAD_KEYS_FILE: {path} is no text") from None


@contextmanager
def _only_writer(path: Path) -> Iterator[None]:
    """One at a time, also of several processes: each of them reads, and writes what it read and one line more."""
    try:
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as failed:
        raise SettingsError(f"PLAYHEAD_KEYS_FILE: {path.parent} cannot be used: {failed.strerror}") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _replace(path: Path, text: str) -> None:
    """In one step, so that nobody ever reads half of it. A new file is its owner's alone; an old one keeps its own."""
    before = path.stat() if path.exists() else None
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            if before is not None:
                os.fchmod(handle, before.st_mode & 0o777)
                with suppress(PermissionError):
                    os.fchown(handle, before.st_uid, before.st_gid)
            file.write(text)
            file.flush()
            os.fsync(handle)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
