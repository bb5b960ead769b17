"""What people read: a table on the terminal, JSON for the next run to be held against."""

from __future__ import annotations

import platform
from dataclasses import asdict
from datetime import UTC, datetime
from os import cpu_count
from typing import TYPE_CHECKING, Any

from rich.table import Table

from loadtests.bench.figures import Figure

if TYPE_CHECKING:
    from rich.console import Console

    from loadtests.bench.figures import Result

VERDICTS = {True: "yes", False: "NO", None: ""}
ROLES_LAST = ("all", "generator")


def document(results: dict[str, Result], turns: str) -> dict[str, Any]:
    """All of a run, for JSON; `turns` says how long they were. Each scenario says when and where it was measured."""
    measured = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{cpu_count()} CPUs, {platform.machine()}, Python {platform.python_version()}",
        "turns": turns,
    }
    return {name: measured | asdict(result) for name, result in results.items()}


def figures(document: dict[str, Any]) -> list[Figure]:
    return [Figure(**figure) for scenario in document.values() for figure in scenario["figures"]]


def show(results: dict[str, Result], reference: dict[str, Any] | None, console: Console) -> None:
    """The figures beside their aims, and beside those of an earlier run; then who used the processor for what."""
    told = _told(reference)
    table = Table("figure", "measured", "aim", "holds")
    if told:
        table.add_column("reference")
    for result in results.values():
        for figure in result.figures:
            row = [figure.name, shown(figure.value, figure.unit), aim_of(figure), VERDICTS[figure.holds]]
            table.add_row(*row, *([shown(told.get(figure.name), figure.unit)] if told else []))
    console.print(table)
    for result in results.values():
        for title, systems in result.measured.items():
            console.print(_measured(title, systems))
    for said in (line for result in results.values() for line in result.imbalances):
        console.print(f"IMBALANCE {said}", style="bold red")
    balanced = not any(result.imbalances for result in results.values())
    console.print("The books balance" if balanced else "The books do not balance")


def shown(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2
    return f"{value:,.{digits}f} {unit}".rstrip()


def aim_of(figure: Figure) -> str:
    return (
        "" if figure.aim is None else f"{'<=' if figure.is_upper else '>='} {shown(figure.aim, figure.unit)}"
    )


def _told(reference: dict[str, Any] | None) -> dict[str, float | None]:
    return {figure.name: figure.value for figure in figures(reference or {})}


def _measured(title: str, systems: dict[str, Any]) -> Table:
    roles = {role for system in systems.values() for role in system["cpu_us_per_event"]}
    ordered = sorted(roles - set(ROLES_LAST)) + [role for role in ROLES_LAST if role in roles]
    table = Table(
        "system", "events/s", "p50 ms", "p99 ms", "p99.9 ms", *(f"{role} us" for role in ordered), title=title
    )
    for name, system in systems.items():
        latencies, cpu_us = system["latencies_ms"], system["cpu_us_per_event"]
        times = [f"{latencies.get(which, 0):.1f}" for which in ("p50", "p99", "p99.9")]
        spent = [f"{cpu_us[role]:.1f}" if role in cpu_us else "" for role in ordered]
        table.add_row(name, f"{system['events_per_second']:,}", *times, *spent)
    return table
