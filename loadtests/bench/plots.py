"""Bars as SVG, readable on light and dark pages: a stacked bar a system, scaled to the longest."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, LABELS_WIDTH, VALUES_WIDTH = 760, 170, 110
BAR_HEIGHT, GAP, TOP = 22, 10, 44
LEGEND_HEIGHT = 30

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 15px }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
"""

COLOURS: Mapping[str, str] = {
    "events": "#4477aa",
    "flusher": "#4477aa",
    "generator": "#ee6677",
    "http": "#228833",
    "postgres": "#ccbb44",
    "supervisor": "#66ccee",
    "valkey": "#aa3377",
    "webdis": "#999999",
    "arbiter": "#cc6600",
    "other": "#117766",
}
"""Of events, and of each role of a process, the same in all plots. Told apart by colour-blind readers, and on both
backgrounds (Paul Tol's bright set, its grey darkened, and two more for what is small)."""


def bars(title: str, unit: str, systems: Mapping[str, Mapping[str, float]]) -> str:
    """Each system's parts, stacked, with their sum behind the bar. A legend where there is more than one part."""
    parts = list(dict.fromkeys(part for stacked in systems.values() for part in stacked))
    longest = max(sum(stacked.values()) for stacked in systems.values()) or 1.0
    scale = (WIDTH - LABELS_WIDTH - VALUES_WIDTH) / longest
    drawn = [f'<text class="title" x="0" y="18">{escape(title)}</text>']
    for row, (name, stacked) in enumerate(systems.items()):
        drawn += _bar(TOP + row * (BAR_HEIGHT + GAP), name, stacked, scale, unit)
    bottom = TOP + len(systems) * (BAR_HEIGHT + GAP)
    if len(parts) > 1:
        drawn += _legend(bottom + 6, parts)
        bottom += LEGEND_HEIGHT
    size = f'width="{WIDTH}" height="{bottom}" viewBox="0 0 {WIDTH} {bottom}"'
    inside = "\n".join(drawn)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">\n'
        f"<style>{STYLE}</style>\n{inside}\n</svg>\n"
    )


def _bar(top: int, name: str, stacked: Mapping[str, float], scale: float, unit: str) -> list[str]:
    drawn, left, middle = [], float(LABELS_WIDTH), top + BAR_HEIGHT / 2 + 5
    drawn.append(f'<text x="{LABELS_WIDTH - 10}" y="{middle:g}" text-anchor="end">{escape(name)}</text>')
    for part, value in stacked.items():
        width = value * scale
        place = f'x="{left:.1f}" y="{top}" width="{width:.1f}" height="{BAR_HEIGHT}"'
        drawn.append(
            f'<rect {place} fill="{COLOURS[part]}"><title>{escape(part)}: {value:,.1f}</title></rect>'
        )
        left += width
    total = sum(stacked.values())
    said = f"{total:,.0f} {unit}" if total >= 100 else f"{total:.1f} {unit}"
    drawn.append(f'<text x="{left + 8:.1f}" y="{middle:g}">{escape(said)}</text>')
    return drawn


def _legend(top: int, parts: Sequence[str]) -> list[str]:
    drawn, left = [], 0  # from the edge on: with all roles it is nearly as wide as the page
    for part in parts:
        drawn.append(f'<rect x="{left}" y="{top}" width="12" height="12" fill="{COLOURS[part]}"/>')
        drawn.append(f'<text x="{left + 17}" y="{top + 11}">{escape(part)}</text>')
        left += 30 + 8 * len(part)
    return drawn
