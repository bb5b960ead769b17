"""The long form: `make faults`. Prints its seed, each fault, and a table; ends with 1 if anything was lost or wrong.

First its processes are killed, then what surrounds it is disturbed. FAULTS_SEED repeats a run, as far as the machine
does; FAULTS_KILLS is how many processes to kill; FAULTS_REPORT names a file for the results as JSON. What a failed run
leaves is kept, and its place is told.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.faults.faults import schedule
from tests.faults.storm import REDIS_TIMEOUT_SECONDS, Storm, Wound
from tests.faults.surroundings import all_faults, surrounded
from tests.integration.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.faults.faults import Fault

KILLS = 200
ROUND_FAULTS = 13
"""Faults between two audits: a few more than there are kinds."""
SURROUNDINGS_ROUNDS = 10


async def main() -> int:
    seed = int(os.environ.get("FAULTS_SEED") or time.time_ns() % 1_000_000)
    kills = int(os.environ.get("FAULTS_KILLS") or KILLS)
    print(f"FAULTS_SEED={seed} FAULTS_KILLS={kills} make faults", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="playhead-faults-"))
    for part in ("processes", "surroundings"):
        (folder / part).mkdir()
    parts = {"processes": await run_kills(folder / "processes", seed, kills)}
    print_part(parts["processes"])
    parts["surroundings"] = await run_surroundings(folder / "surroundings", seed)
    print_part(parts["surroundings"])
    if report := os.environ.get("FAULTS_REPORT"):
        Path(report).write_text(json.dumps({"seed": seed} | parts, indent=1) + "\n")
    failed = any(part["lost"] or part["doubled"] or part["wrong"] for part in parts.values())
    if failed:
        print(f"FAULTS_SEED={seed}; what it left is in {folder}")
    return int(failed)


async def run_kills(folder: Path, seed: int, kills: int) -> dict[str, Any]:
    """One playhead, hurt until so many of its processes were killed."""
    serving = Serving(
        folder / "data", redis_timeout_seconds=REDIS_TIMEOUT_SECONDS, follow_interval_seconds=0.5
    )
    serving.start()
    storm, faults = Storm(serving, seed), schedule(random.Random(seed))
    try:
        while storm.kills < kills and not storm.findings:
            await rage(storm, islice(faults, ROUND_FAULTS))
    finally:
        serving.stop()
    return storm.result()


async def run_surroundings(folder: Path, seed: int) -> dict[str, Any]:
    """Another one, everything around it disturbed some times over."""
    chance = random.Random(seed)
    async with surrounded(folder, seed) as storm:
        for _ in range(SURROUNDINGS_ROUNDS):
            await rage(storm, all_faults(chance))
    return storm.result()


async def rage(storm: Storm, faults: Iterable[Fault]) -> None:
    findings = await storm.rage(faults, tell)
    said = f"lost {findings.lost}, doubled {findings.doubled}, wrong {len(findings.wrong)}"
    print(f"{storm.kills} kills, {storm.crowd.acknowledged} events: {said}", flush=True)


def tell(wound: Wound) -> None:
    silent, flowing = f"silent {wound.silent_seconds:.2f} s", f"flowing after {wound.flowing_seconds:.2f} s"
    print(f"  {wound.fault.name:35} {silent}, {flowing}", flush=True)


def print_part(result: dict[str, Any]) -> None:
    """As Markdown, for docs/reliability.md."""
    print(
        "\n| fault | times | acknowledged meanwhile | nobody answered, median / max | all stored, median / max |"
    )
    print("|---|--:|--:|--:|--:|")
    for line in result["faults"]:
        silent = f"{line['silent_seconds_median']:.2f} / {line['silent_seconds_max']:.2f} s"
        flowing = f"{line['flowing_seconds_median']:.2f} / {line['flowing_seconds_max']:.2f} s"
        print(f"| {line['fault']} | {line['times']} | {line['acknowledged']:,} | {silent} | {flowing} |")
    print()
    print(", ".join(f"{name} {value:,}" for name, value in result.items() if isinstance(value, int)))
    for sentence in result["wrong"][:20]:
        print(f"WRONG: {sentence}")
    print(flush=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
