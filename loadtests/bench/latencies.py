"""Percentiles, as the smallest value that so many are not above: no interpolation, nothing made up in between."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PERCENTILES = (50.0, 90.0, 99.0, 99.9)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Of values in rising order; 0 where there are none."""
    if not ordered:
        return 0.0
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """By name (`p50` and so on), in ms to the microsecond."""
    ordered = sorted(seconds)
    return {f"p{percent:g}": round(percentile(ordered, percent) * 1000, 3) for percent in PERCENTILES}
