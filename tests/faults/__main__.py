"""The long form: `make faults`. Prints its seed, each fault, and a table; ends with 1 if anything was lost or wrong.

FAULTS_SEED repeats a run, as far as the machine does; FAULTS_KILLS is how many processes to kill; FAULTS_REPORT names a
file for the results as JSON. What a failed run leaves is kept, and its place is told.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.faults.faults import schedule
from tests.faults.storm import REDIS_TIMEOUT_SECONDS, Storm, Wound
from tests.integration.serving import Serving

KILLS = 200
ROUND_FAULTS = 13
"""Faults between two audits: a few more than there are kinds."""


async def main() -> int:
    seed = int(os.environ.get("FAULTS_SEED") or time.time_ns() % 1_000_000)
    kills = int(os.environ.get("FAULTS_KILLS") or KILLS)
    print(f"FAULTS_SEED={seed} FAULTS_KILLS={kills} make faults", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="playhead-faults-"))
    result = {"seed": seed, **await run_kills(folder, seed, kills)}
    print_table(result["faults"])
    print(", ".join(f"{name} {value}" for name, value in result.items() if name not in ("faults", "wrong")))
    for sentence in result["wrong"][:20]:
        print(f"WRONG: {sentence}")
    if report := os.environ.get("FAULTS_REPORT"):
        Path(report).write_text(json.dumps(result, indent=1) + "\n")
    failed = bool(result["lost"] or result["doubled"] or result["wrong"])
    if failed:
        print(f"what it left is in {folder}")
    return int(failed)


async def run_kills(folder: Path, seed: int, kills: int) -> dict[str, Any]:
    """One playhead, hurt until so many of its processes were killed."""
    serving = Serving(folder / "data", redis_timeout_seconds=REDIS_TIMEOUT_SECONDS)
    serving.start()
    storm, started = Storm(serving, seed), time.monotonic()
    faults = schedule(random.Random(seed))
    try:
        while storm.kills < kills and not storm.findings:
            findings = await storm.rage((next(faults) for _ in range(ROUND_FAULTS)), tell)
            said = f"lost {findings.lost}, doubled {findings.doubled}, wrong {len(findings.wrong)}"
            seconds = time.monotonic() - started
            print(
                f"{seconds:5.0f} s, {storm.kills} kills, {storm.crowd.acknowledged} events: {said}",
                flush=True,
            )
    finally:
        serving.stop()
    return storm.result() | {"seconds": round(time.monotonic() - started)}


def tell(wound: Wound) -> None:
    silent, flowing = f"silent {wound.silent_seconds:.2f} s", f"flowing after {wound.flowing_seconds:.2f} s"
    print(f"  {wound.fault.name:35} {silent}, {flowing}", flush=True)


def print_table(lines: list[dict[str, Any]]) -> None:
    """As Markdown, for docs/reliability.md."""
    print(
        "\n| fault | times | acknowledged meanwhile | silent, median / max | all flows again, median / max |"
    )
    print("|---|--:|--:|--:|--:|")
    for line in lines:
        silent = f"{line['silent_seconds_median']:.2f} / {line['silent_seconds_max']:.2f} s"
        flowing = f"{line['flowing_seconds_median']:.2f} / {line['flowing_seconds_max']:.2f} s"
        print(f"| {line['fault']} | {line['times']} | {line['acknowledged']:,} | {silent} | {flowing} |")
    print()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
