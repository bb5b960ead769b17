"""CPU seconds of processes, by role: their own and those of children that have ended, as the kernel counts them."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

ROLES = (
    ("valkey-server", "valkey"),
    ("postgres", "postgres"),
    ("workers.flushing", "flusher"),
    ("workers.serving", "http"),
    ("gunicorn", "http"),
    ("webdis", "webdis"),
    ("playhead serve", "supervisor"),
    ("loadtests.bench.generator", "generator"),
)
"""What of a command line tells the role; the first that fits."""


class Process(NamedTuple):
    pid: int
    parent: int
    command: str
    cpu_seconds: float


def cpu_by_role(roots: Iterable[int], processes: Iterable[Process] | None = None) -> dict[str, float]:
    """CPU seconds so far of these processes and all below them."""
    known = {process.pid: process for process in (running() if processes is None else processes)}
    wanted = frozenset(roots)
    seconds: defaultdict[str, float] = defaultdict(float)
    for process in known.values():
        if _is_below(process, wanted, known):
            seconds[role_of(process, known)] += process.cpu_seconds
    return seconds


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What each role has used in between."""
    return {role: seconds - before.get(role, 0.0) for role, seconds in after.items()}


def role_of(process: Process, known: Mapping[int, Process]) -> str:
    """The role; of gunicorn's processes the one that has others below it is the arbiter."""
    role = next((role for mark, role in ROLES if mark in process.command), None)
    if role == "http" and any(other.parent == process.pid for other in known.values()):
        return "arbiter"
    if role is None and process.parent in known:
        return role_of(known[process.parent], known)  # Postgres' processes write their own names
    return role or "other"


def running() -> list[Process]:
    """Every process of this machine."""
    found = (_read(int(entry.name)) for entry in Path("/proc").glob("[0-9]*"))
    return [process for process in found if process]


def _read(pid: int) -> Process | None:
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (OSError, ValueError):  # it has just ended
        return None
    ticks = sum(int(word) for word in words[11:15])
    return Process(pid, int(words[1]), command, ticks / TICKS_PER_SECOND)


def _is_below(process: Process, roots: frozenset[int], known: Mapping[int, Process]) -> bool:
    while process.pid not in roots:
        if process.parent not in known:
            return False
        process = known[process.parent]
    return True
