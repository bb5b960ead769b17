"""Where the sockets of a data folder are: a short path, because a socket's path has at most 107 bytes.

The path follows from the data folder's, so every command that is given it finds the same servers.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from service.embedded.identity import owner_of
from service.errors import CannotStart

BASE = Path("/tmp")  # noqa: S108 - not TMPDIR, which may be long and differ from one command to the next
POSTGRES_PORT = 5432
"""Only a part of the socket's name: no port is opened."""


def embedded_redis_url(data_dir: Path) -> str:
    """Raises CannotStart if somebody else planted the folder of the socket."""
    return f"unix://{valkey_socket(_checked_runtime_dir(data_dir))}"


def embedded_database_url(data_dir: Path) -> str:
    """Raises CannotStart if somebody else planted the folder of the socket."""
    host = postgres_socket_dir(_checked_runtime_dir(data_dir))
    return f"postgresql://playhead@/playhead?host={host}&port={POSTGRES_PORT}"


def runtime_dir(data_dir: Path) -> Path:
    real = os.path.realpath(data_dir)
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:8]
    return BASE / f"playhead-{owner_of(Path(real)).uid}-{digest}"


def valkey_socket(runtime: Path) -> Path:
    return runtime / "valkey.sock"


def postgres_socket_dir(runtime: Path) -> Path:
    """A folder of its own, since Postgres may run as another user than Valkey."""
    return runtime / "postgres"


def refuse_planted(runtime: Path, uid: int) -> None:
    """Anybody can make folders in /tmp: whoever owns this one could answer in the servers' place."""
    status = os.lstat(runtime)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != uid or status.st_mode & 0o022:
        raise CannotStart(
            f"{runtime}, the folder of the sockets, can be changed by others than user {uid}: remove it"
        )


def _checked_runtime_dir(data_dir: Path) -> Path:
    runtime = runtime_dir(data_dir)
    if os.path.lexists(runtime):
        refuse_planted(runtime, owner_of(data_dir).uid)
    return runtime
