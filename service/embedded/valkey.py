"""Valkey as a child: every acknowledged write is on disk."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING, Self

from service.embedded import binaries
from service.embedded.allocator import preloading
from service.embedded.log import ServerLog
from service.embedded.process import ServerProcess, claim
from service.embedded.runtime import embedded_redis_url, valkey_socket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.embedded.folder import DataFolder

READY_SECONDS = 60.0
"""Reading its data takes about a second a gigabyte."""

ANSWER_SECONDS = 1.0

CONFIG: Mapping[str, str] = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "appendonly": "yes",
    "appendfsync": "always",  # an acknowledgement promises that the event is on disk
    "aof-use-rdb-preamble": "yes",
    # A quarter as often as by default: in batches 20 MB a second are written. So much is read again within a second.
    "auto-aof-rewrite-min-size": str(256 * 2**20),
    "rdbcompression": "no",  # of a rewrite; most values are too short to become shorter, and trying costs
    "save": "",  # the append-only file is the only copy; snapshots beside it would only cost
    "maxmemory-policy": "noeviction",  # counters are no cache
    "hash-max-listpack-value": "256",  # bytes: room for a session with a whole window of `seq`
}


class EmbeddedValkey:
    """The Valkey of a data folder. `options` override CONFIG; the names are those of valkey.conf."""

    def __init__(self, folder: DataFolder, options: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._options = {**CONFIG, **(options or {})}
        self._socket = valkey_socket(folder.runtime)
        self.url = embedded_redis_url(folder.path)
        self.process: ServerProcess | None = None

    def start(self) -> Self:
        """Returns when it answers. From the main thread only; raises CannotStart."""
        user = self._folder.owner
        folder = self._folder.subfolder("valkey", user)
        settings = {**self._options, "dir": str(folder), "unixsocket": str(self._socket)}
        lock = claim("Valkey", folder / "server.lock", user)
        try:
            self.process = ServerProcess(
                "Valkey",
                [str(binaries.valkey_server()), *_arguments(settings)],
                folder=folder,
                user=user,
                stop_signal=signal.SIGTERM,
                log=ServerLog(folder / "valkey.log", user),
                lock=lock,
                variables=preloading(),
            )
        finally:
            lock.close()
        self.process.wait_until(self._answers, READY_SECONDS)
        return self

    def poll(self) -> str | None:
        """None while it runs, then one sentence on how it ended."""
        return self.process.poll() if self.process else "Valkey was not started"

    def stop(self) -> None:
        """Cleanly; may be called again."""
        if self.process:
            self.process.stop()
            self._socket.unlink(missing_ok=True)  # an end in distress leaves it

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_SECONDS)
            try:
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                answer = connection.recv(64)
            except OSError:
                return False
        return bool(answer) and not answer.startswith(b"-LOADING")


def _arguments(settings: Mapping[str, str]) -> list[str]:
    return [word for name, value in settings.items() for word in (f"--{name}", value)]
