"""Sets of cells. Bit n of the number is cell n, as `service.rules` has coverage; people read them as spans."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Span: TypeAlias = tuple[int, int]
"""A half-open piece of timeline, [first, end), in cells."""

_RUN = re.compile("1+")


def seen_in(spans: Iterable[Span]) -> int:
    """The cells of these spans, which may overlap and come in any order; an empty or reversed one has none."""
    seen = 0
    for first, end in spans:
        if end > first >= 0:
            seen |= (1 << end - first) - 1 << first
    return seen


def spans_of(seen: int) -> tuple[Span, ...]:
    """The same cells as spans, ascending, apart from each other."""
    bits = f"{seen:b}"[::-1] if seen else ""
    return tuple(run.span() for run in _RUN.finditer(bits))


def all_of(cells: int) -> int:
    """Every cell of a movie that has so many."""
    return (1 << cells) - 1


def lowest(seen: int, cells: int) -> int:
    """The first so many of these cells, or all where there are fewer."""
    kept, room = [], cells
    for first, end in spans_of(seen):
        if room <= 0:
            break
        kept.append((first, min(end, first + room)))
        room -= end - first
    return seen_in(kept)
