"""The floor of counting: Valkey's own benchmark, incrementing one field of a hash, pipelined, nothing else.

Same settings as playhead's Valkey. An event of playhead's changes a user, a movie, a pair, a session and a bitmap, and
is kept for Postgres; this changes one number.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, NamedTuple

from loadtests.bench.processor import cpu_by_role
from loadtests.bench.systems.system import found
from service.embedded import DataFolder, EmbeddedValkey

if TYPE_CHECKING:
    from pathlib import Path

CLIENTS, PIPELINE, KEYS = 8, 1000, 20_000
"""As in the scenario of batches: as many connections, as many commands at once as a batch has events, as many users."""

BENCHMARK_SECONDS_MAX = 120.0


class Increments(NamedTuple):
    per_second: float
    valkey_us: float


def measure_increments(folder: Path, count: int) -> Increments:
    """Raises Unavailable without redis-benchmark."""
    program = found("redis-benchmark", "redis-tools")
    with DataFolder(folder / "hincrby") as data:
        valkey = EmbeddedValkey(data).start()
        try:
            process = valkey.process
            assert process
            before = cpu_by_role([process.pid])["valkey"]
            words = [program, "-s", valkey.url.removeprefix("unix://"), "-n", str(count), "-c", str(CLIENTS)]
            words += [
                "-P",
                str(PIPELINE),
                "-r",
                str(KEYS),
                "--csv",
                "HINCRBY",
                "user:__rand_int__",
                "watch",
                "10000",
            ]
            done = subprocess.run(  # noqa: S603 - our own command
                words, capture_output=True, text=True, check=True, timeout=BENCHMARK_SECONDS_MAX
            )
            spent = cpu_by_role([process.pid])["valkey"] - before
        finally:
            valkey.stop()
    per_second = done.stdout.splitlines()[-1].split(",")[1].strip('"')
    return Increments(float(per_second), spent / count * 1e6)
