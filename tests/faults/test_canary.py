"""The books would notice: flushers that are wrong on purpose, each killed once, leave rows missing or doubled."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

from tests.faults.books import Findings
from tests.faults.storm import Storm
from tests.integration.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from redis.asyncio import Redis

BREAKAGES = {
    "checkpoint_before_rows": "loses",
    "rows_before_checkpoint": "doubles",
    "trimmed_before_commit": "loses",
}
DIES_SECONDS = 60.0

NAME = "canary"
"""Of every flusher, so that each takes over the leases of the one before at once."""


async def test_broken_flushers_are_noticed(
    tmp_path: Path, redis: Redis, redis_url: str, database_url: str, seed: int, say: Callable[[str], None]
) -> None:
    """One after the other, on one playhead: what each of them does comes on top of what the books said before."""
    serving = Serving(tmp_path / "data", redis_url=redis_url, database_url=database_url)
    try:
        serving.start("--no-flusher")
        storm = Storm(serving, seed)
        before = Findings()
        for breakage, does in BREAKAGES.items():
            now = await found_after(storm, breakage)
            did = (now.lost > before.lost, now.doubled > before.doubled)
            lost, doubled = now.lost - before.lost, now.doubled - before.doubled
            say(f"{breakage}: {lost} rows lost, {doubled} doubled")
            assert did == (does == "loses", does == "doubles"), (breakage, before, now)
            before = now
    finally:
        serving.stop()


async def found_after(storm: Storm, breakage: str) -> Findings:
    """Clients write until the broken flusher is dead; one that is right does the rest."""
    async with storm.crowd.writing():
        broken = await flushing(storm.serving, "tests.faults.broken_flushing", NAME, breakage)
        async with asyncio.timeout(DIES_SECONDS):
            assert await broken.wait() == -signal.SIGKILL
        right = await flushing(storm.serving, "workers.flushing", NAME)
    findings = await storm.books.audit(storm.serving.url)
    right.terminate()
    assert await right.wait() == 0
    return findings


async def flushing(serving: Serving, *words: str) -> asyncio.subprocess.Process:
    with serving.log.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", *words, env=serving.variables, stdout=log, stderr=log
        )
