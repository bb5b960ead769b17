"""Arithmetic on spans of timeline. A span is half-open, `[start, end)`, in ms; a cell is one second of it."""

from __future__ import annotations

CELL_MS = 1000
NORMAL_SPEED = 1000


def length_ms(start_ms: int, end_ms: int) -> int:
    """A span whose end is not after its start counts nothing."""
    return max(0, end_ms - start_ms)


def effective_ms(watched_ms: int, speed: int) -> int:
    """Wall time that `watched_ms` of content took at `speed` thousandths, rounded to the ms, half up."""
    return (watched_ms * 2 * NORMAL_SPEED + speed) // (2 * speed)


def cells(start_ms: int, end_ms: int) -> range:
    """The cells that a span marks: floor(start) to ceil(end) - 1, in seconds."""
    if end_ms <= start_ms:
        return range(0)
    return range(start_ms // CELL_MS, -(-end_ms // CELL_MS))


def allowed_ms(elapsed_us: int, speed: int, tolerance_ms: int) -> int:
    """How much content `elapsed_us` of wall time allows at `speed` thousandths, rounded down, plus the tolerance."""
    return elapsed_us // 1000 * speed // NORMAL_SPEED + tolerance_ms
