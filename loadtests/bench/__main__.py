"""`python -m loadtests.bench`: measure playhead beside what it is compared with, and tell."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from loadtests.bench import report
from loadtests.bench.laboratory import Laboratory
from loadtests.bench.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Callable

REFERENCE = Path(__file__).parents[1] / "results" / "reference.json"


def main() -> int:
    """The exit code is 1 when books do not balance: times decide nothing."""
    arguments = _parser().parse_args()
    console, began = Console(width=None if sys.stdout.isatty() else 160), time.monotonic()
    results = {}
    for name in arguments.scenario or SCENARIOS:
        with tempfile.TemporaryDirectory(prefix="playhead-bench-", ignore_cleanup_errors=True) as folder:
            Path(folder).chmod(0o711)  # Postgres may run as another user
            laboratory = Laboratory(Path(folder), arguments.seconds, arguments.turns, _teller(began))
            results[name] = SCENARIOS[name](laboratory)
            results[name].absent = laboratory.absent
    document = report.document(results, datetime.now(UTC).date().isoformat())
    reference = json.loads(arguments.beside.read_text()) if arguments.beside.exists() else None
    report.show(results, reference, console)
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    return 1 if any(result.imbalances for result in results.values()) else 0


def _parser() -> argparse.ArgumentParser:
    described = "\n".join(
        f"  {name:10} {(scenario.__doc__ or '').splitlines()[0]}" for name, scenario in SCENARIOS.items()
    )
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.bench",
        description="Start playhead and what it is compared with, measure them in turns, and balance the books.",
        epilog=f"scenarios:\n{described}\n\nExit code 1 when books do not balance; times decide nothing.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "scenario", nargs="*", choices=[[], *SCENARIOS], help="what to measure; everything by default"
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="a turn of one system (%(default)s)")
    parser.add_argument("--turns", type=int, default=5, help="of each system; medians are told (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument(
        "--beside", type=Path, metavar="FILE", default=REFERENCE, help="show figures of that file, too"
    )
    return parser


def _teller(began: float) -> Callable[[str], None]:
    return lambda said: print(f"{time.monotonic() - began:6.0f} s  {said}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
