"""The processes of a running playhead, found as the kernel knows them: who is whose child."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.integration.waiting import until

if TYPE_CHECKING:
    import signal

KINDS = ("http worker", "arbiter", "flusher", "valkey", "postmaster", "backend", "supervisor")
"""Every kind of process that playhead consists of. A backend is Postgres' process of one connection."""

CHILD_MARKS = {
    "arbiter": "gunicorn",
    "flusher": "workers.flushing",
    "valkey": "valkey-server",
    "postmaster": "/postgres -D",
}
APPEARS_SECONDS = 30.0


class Process(NamedTuple):
    pid: int
    parent: int
    command: str


def children_of(parent: int) -> list[Process]:
    """Those that live."""
    return [process for process in _processes() if process.parent == parent]


def find(supervisor: int, kind: str) -> list[int]:
    """All processes of that kind; none while it is being started again."""
    if kind == "supervisor":
        return [supervisor]
    if kind == "http worker":
        return [child.pid for arbiter in find(supervisor, "arbiter") for child in children_of(arbiter)]
    if kind == "backend":
        postmasters = find(supervisor, "postmaster")
        backends = [child for postmaster in postmasters for child in children_of(postmaster)]
        return [child.pid for child in backends if child.command.startswith("postgres: playhead playhead")]
    mark = CHILD_MARKS[kind]
    return [child.pid for child in children_of(supervisor) if mark in child.command]


async def appeared(supervisor: int, kind: str) -> list[int]:
    """Waits until there is one."""

    async def is_there() -> bool:
        return bool(find(supervisor, kind))

    await until(is_there, f"a {kind} to appear", APPEARS_SECONDS)
    return find(supervisor, kind) or await appeared(supervisor, kind)


def send(pid: int, number: signal.Signals) -> None:
    """One that has ended meanwhile needs no signal."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _processes() -> list[Process]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if state != "Z":
            found.append(Process(int(entry.name), int(parent), command))
    return found
