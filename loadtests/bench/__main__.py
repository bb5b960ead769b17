"""`python -m loadtests.bench`: measure playhead beside what it is compared with, and tell."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from loadtests.bench import page, report
from loadtests.bench.laboratory import Laboratory
from loadtests.bench.scenarios import QUICK, SCENARIOS
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtests.bench.figures import Result

QUICK_SECONDS, QUICK_TURNS = 1.0, 2

REFERENCE = Path(__file__).parents[1] / "results" / "reference.json"


def main() -> int:
    """The exit code is 1 when books do not balance: times decide nothing."""
    arguments = _parser().parse_args()
    if arguments.quick:
        arguments.seconds, arguments.turns = QUICK_SECONDS, QUICK_TURNS
    results = _measure(arguments)
    turns = ", ".join(
        [f"{arguments.turns} turns of {arguments.seconds:g} s", *map("=".join, arguments.setting)]
    )
    document = report.document(results, turns)
    report.show(results, _read(arguments.beside), Console(width=None if sys.stdout.isatty() else 170))
    if arguments.json:
        document = _ordered(_read(arguments.json) | document)
        arguments.json.parent.mkdir(exist_ok=True)
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    if arguments.write:
        page.write(arguments.write, document)
    return 1 if any(result.imbalances for result in results.values()) else 0


def _measure(arguments: argparse.Namespace) -> dict[str, Result]:
    """Each scenario in a folder of its own, which is removed when it is over."""
    results, say = {}, _teller(time.monotonic())
    for name in arguments.scenario or (QUICK if arguments.quick else SCENARIOS):
        with tempfile.TemporaryDirectory(prefix="playhead-bench-", ignore_cleanup_errors=True) as folder:
            Path(folder).chmod(0o711)  # Postgres may run as another user
            laboratory = Laboratory(
                Path(folder),
                arguments.seconds,
                arguments.turns,
                say,
                arguments.quick,
                dict(arguments.setting),
            )
            results[name] = SCENARIOS[name](laboratory)
            results[name].absent = laboratory.absent
    return results


def _read(path: Path) -> dict[str, Any]:
    """What was measured before; nothing where that is not there."""
    told: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return told


def _ordered(document: dict[str, Any]) -> dict[str, Any]:
    return {name: document[name] for name in SCENARIOS if name in document}


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
    add = parser.add_argument
    add("scenario", nargs="*", choices=[[], *SCENARIOS], metavar="SCENARIO", help="everything by default")
    add("--seconds", type=float, default=3.0, help="that a turn of one system takes (%(default)s)")
    add("--turns", type=int, default=3, help="of each system; medians are told (%(default)s)")
    add("--quick", action="store_true", help="only the main ratios, in less than a minute")
    add(
        "--setting",
        type=_setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the playhead that is measured, as workers=1; may be repeated",
    )
    add("--json", type=Path, metavar="FILE", help="write what was measured; keeps its other scenarios")
    add(
        "--beside",
        type=Path,
        metavar="FILE",
        default=REFERENCE,
        help="show its figures, too (the committed ones)",
    )
    add("--write", type=Path, metavar="PAGE", help="put table and plots into a page, of all in --json")
    return parser


def _setting(said: str) -> tuple[str, str]:
    name, sign, value = said.partition("=")
    name = name.lower().removeprefix("playhead_")
    if not sign or name not in Settings.model_fields:
        raise argparse.ArgumentTypeError(f"{said!r} is no setting of playhead: NAME=VALUE, as workers=1")
    return name, value


def _teller(began: float) -> Callable[[str], None]:
    return lambda said: print(f"{time.monotonic() - began:6.0f} s  {said}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
