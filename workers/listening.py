"""The port: its listening sockets belong to the supervisor and outlive the HTTP processes that accept from them.

A process that ends closes what it has, and where a socket is its own, connections that it has not accepted yet are
reset with it. So whoever connects while HTTP processes are renewed, or one died, waits for the next one.
"""

from __future__ import annotations

import errno
import socket
import sys

from service.embedded.deadline import holds_within
from service.errors import CannotStart

PORT_SECONDS = 3.0

BACKLOG = 2048
"""Connections that may wait in each socket until somebody accepts them; the kernel may allow fewer."""


def listen(host: str, port: int, processes: int) -> list[socket.socket]:
    """A socket for each process, among which the kernel shares out new connections.

    Elsewhere than on Linux (SO_REUSEPORT in socket(7)) all may be given to one of them; so there all processes share
    one. Raises CannotStart.
    """
    try:
        if sys.platform != "linux":
            return [_listening(host, port)]
        return [_listening(host, port, shares=True) for _ in range(processes)]
    except OSError as failed:
        raise _cannot_listen(host, port, failed) from failed


def refuse_taken_port(host: str, port: int) -> None:
    """Raises CannotStart where somebody listens already: two playheads would share the port, by SO_REUSEPORT.

    The processes of a playhead that was killed just now may take a moment to end.
    """
    failures: list[OSError] = []

    def is_free() -> bool:
        failures[:] = [failed] if (failed := _try_port(host, port)) else []
        return not failures or failures[0].errno != errno.EADDRINUSE

    holds_within(PORT_SECONDS, is_free)
    for failed in failures:
        raise _cannot_listen(host, port, failed)


def url_host(host: str) -> str:
    """Where to reach a service that listens on `host`."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
        return "127.0.0.1" if host != "::" else "[::1]"
    return f"[{host}]" if ":" in host else host


def _try_port(host: str, port: int) -> OSError | None:
    try:
        _listening(host, port).close()
    except OSError as failed:
        return failed
    return None


def _listening(host: str, port: int, *, shares: bool = False) -> socket.socket:
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shares:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _cannot_listen(host: str, port: int, failed: OSError) -> CannotStart:
    return CannotStart(
        f"cannot listen on {host} port {port}: {failed.strerror}"
        " (PLAYHEAD_HOST and PLAYHEAD_PORT choose another place)"
    )
