"""What a server said: one file, appended to by the server itself, bounded by whoever watches the server."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from service.embedded.identity import Identity

LOG_BYTES_MAX = 8 * 1024 * 1024
LOG_BYTES_KEPT = 256 * 1024
"""What stays of a log that grew too long: hundreds of lines, enough to see what went on."""

GIST_LINES = 4

# "815:M 20 Nov 2026 09:00:00.123 # " of Valkey, "2026-11-20 09:00:00.123 UTC [815] " of Postgres
_PREFIX = re.compile(r"^(\d+:[A-Z] [^*#]{8,30} [*#] |\d{4}-\d\d-\d\d [\d:.]+ \w+ \[\d+\] )")
_TELLING = re.compile(r"^\d+:[A-Z] [^*#]+ # (?!WARNING)|FATAL|PANIC|ERROR|error:|cannot")


class ServerLog:
    def __init__(self, path: Path, user: Identity) -> None:
        self.path = path
        self._user = user
        self._started_at_bytes = 0

    def open(self) -> int:
        """A file descriptor for a server to write to; what follows belongs to this start."""
        self.bound()
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._user.take(self.path)
        self._started_at_bytes = os.fstat(fd).st_size
        return fd

    def bound(self) -> None:
        """Cuts the beginning off a log that grew too long; the server, which appends, need not know."""
        size_bytes = self._size_bytes()
        if size_bytes <= LOG_BYTES_MAX:
            return
        kept = self._read_from(size_bytes - LOG_BYTES_KEPT)
        with self.path.open("r+b") as file:
            file.truncate(0)
        with self.path.open("ab") as file:
            file.write(kept)
        self._started_at_bytes = 0

    def gist(self) -> str:
        """The last lines since the start that tell of a failure, as one; of all lines if none does."""
        size_bytes = self._size_bytes()
        if not size_bytes:
            return ""
        said = self._read_from(max(self._started_at_bytes, size_bytes - LOG_BYTES_KEPT))
        lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
        telling = _telling(lines) or lines
        return "; ".join(_PREFIX.sub("", line) for line in telling[-GIST_LINES:])

    def _size_bytes(self) -> int:
        """0 also where somebody removed it: a log is no reason to fail."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def _read_from(self, start_bytes: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(start_bytes)
            return file.read(LOG_BYTES_KEPT)


def _telling(lines: list[str]) -> list[str]:
    """Those that tell of a failure, with what follows them without a prefix of its own."""
    telling: list[str] = []
    belongs = False
    for line in lines:
        belongs = bool(_TELLING.search(line)) or (belongs and not _PREFIX.match(line))
        if belongs:
            telling.append(line)
    return telling
