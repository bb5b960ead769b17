"""Arithmetic on spans of timeline. A span is half-open, `[start, end)`, in ms; a cell is one second of it."""

from __future__ import annotations

CELL_MS = 1000
NORMAL_SPEED = 1000


def length_ms(start_ms: int, end_ms: int) -> int:
    """A span whose end is not after its start counts nothing."""
    return end_ms - start_ms if end_ms > start_ms else 0


def effective_ms(watched_ms: int, speed: int) -> int:
    """Wall time that `watched_ms` of content took at `speed` thousandths, rounded to the ms, half up."""
    return (watched_ms * 2 * NORMAL_SPEED + speed) // (2 * speed)


def cells(start_ms: int, end_ms: int) -> int:
    """The cells that a span marks, floor(start) to ceil(end) - 1, as a bitmap: bit n of the number is cell n."""
    if end_ms <= start_ms:
        return 0
    first, end = start_ms // CELL_MS, -(-end_ms // CELL_MS)
    return (1 << end - first) - 1 << first


def whole_cells(seen: int) -> int:
    """How many cells from 0 on are seen without a hole: where the lowest bit that is not set lies."""
    return (~seen & seen + 1).bit_length() - 1


def allowed_ms(elapsed_us: int, speed: int, tolerance_ms: int) -> int:
    """How much content `elapsed_us` of wall time allows at `speed` thousandths, rounded down, plus the tolerance."""
    return elapsed_us // 1000 * speed // NORMAL_SPEED + tolerance_ms
