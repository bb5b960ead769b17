"""The settings that decide what is counted, in the units that the rules use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Constants:
    """Positions and lengths in ms, the idempotency window in us. The defaults are those of design 2."""

    heartbeat_interval_ms: int = 10_000
    heartbeat_gap_ms: int = 30_000
    implausible_tolerance_ms: int = 10_000
    idempotency_window_us: int = 86_400_000_000
