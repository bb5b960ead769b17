"""Puts what was measured into a page: the table and the plots, between two markers; the rest is written by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loadtests.bench.plots import bars
from loadtests.bench.report import aim_of, figures, shown

if TYPE_CHECKING:
    from pathlib import Path

    from loadtests.bench.figures import Figure

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

VERDICTS = {True: "yes", False: "**no**", None: ""}

PLOTTED = ("one event a request, 64 connections", "1,000 events a request", "beside upserts, batches")
"""What is drawn of everything that was measured, where it was."""


def write(page: Path, document: dict[str, Any]) -> None:
    """Replace what is between the markers, and the plots beside the page, in a folder of its name."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} lacks the lines {BEGIN} and {END}")
    folder = page.with_suffix("")
    folder.mkdir(exist_ok=True)
    measured = [_said(document), _table(figures(document)), *_plots(folder, document), *_details(document)]
    page.write_text(before + BEGIN + "\n\n" + "\n\n".join(measured) + "\n\n" + END + after)


def _said(document: dict[str, Any]) -> str:
    """Where, when and how; each of it once, unless scenarios were measured apart."""
    conditions: dict[str, list[str]] = {}
    for name, scenario in document.items():
        said = f"{scenario['date']} on {scenario['machine']}, {scenario['turns']}"
        conditions.setdefault(said, []).append(name)
    sentences = [f"Measured {said} ({', '.join(names)})." for said, names in conditions.items()]
    balanced = not any(scenario["imbalances"] for scenario in document.values())
    sentences.append("All books balanced." if balanced else "**Books did not balance.**")
    absent = dict.fromkeys(said for scenario in document.values() for said in scenario["absent"])
    return " ".join(sentences + [f"Left out: {said}." for said in absent])


def _table(told: list[Figure]) -> str:
    rows = ["| what | measured | aim | holds |", "|---|---:|---:|---|"]
    rows += [
        f"| {figure.name} | {shown(figure.value, figure.unit)} | {aim_of(figure)} | {VERDICTS[figure.holds]} |"
        for figure in told
    ]
    return "\n".join(rows)


def _plots(folder: Path, document: dict[str, Any]) -> list[str]:
    drawn = []
    for title, systems in _measured(document):
        if title not in PLOTTED:
            continue
        speeds = {name: {"events": float(system["events_per_second"])} for name, system in systems.items()}
        costs = {name: _parts(system, "all", "generator") for name, system in systems.items()}
        drawn.append(_plot(folder, f"Events a second: {title}", "/s", speeds))
        drawn.append(_plot(folder, f"CPU an event, by process: {title}", "us", costs))
    return drawn


def _plot(folder: Path, title: str, unit: str, systems: dict[str, dict[str, float]]) -> str:
    name = (
        "".join(letter if letter.isalnum() else "-" for letter in title.lower()).replace("--", "-") + ".svg"
    )
    (folder / name).write_text(bars(title, unit, systems))
    return f"![{title}]({folder.name}/{name})"


def _details(document: dict[str, Any]) -> list[str]:
    """Everything that was measured, system by system."""
    rows = [
        "| | events/s | p50 ms | p99 ms | p99.9 ms | CPU us an event | of which |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for title, systems in _measured(document):
        for name, system in systems.items():
            times = " | ".join(
                f"{system['latencies_ms'].get(which, 0):.1f}" for which in ("p50", "p99", "p99.9")
            )
            all_us = system["cpu_us_per_event"]["all"]
            parts = ", ".join(f"{role} {us:.1f}" for role, us in _parts(system, "all").items())
            rows.append(
                f"| {title}: {name} | {system['events_per_second']:,} | {times} | {all_us:.1f} | {parts} |"
            )
    return ["Everything that was measured; the generator is not part of the sum.", "\n".join(rows)]


def _parts(system: dict[str, Any], *left_out: str) -> dict[str, float]:
    """CPU an event by role, in us, without these and without what nobody would see."""
    spent = system["cpu_us_per_event"]
    return {role: us for role, us in spent.items() if role not in left_out and us > 0.05}


def _measured(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [item for scenario in document.values() for item in scenario["measured"].items()]
