"""The constants of the rules and the bounds of counting, from the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.counters.calls import Bounds
from service.rules.constants import Constants

if TYPE_CHECKING:
    from service.settings import Settings


def constants_of(settings: Settings) -> Constants:
    return Constants(
        heartbeat_interval_ms=settings.heartbeat_interval_seconds * 1000,
        heartbeat_gap_ms=settings.heartbeat_gap_seconds * 1000,
        implausible_tolerance_ms=settings.implausible_tolerance_seconds * 1000,
        idempotency_window_us=settings.idempotency_window_seconds * 1_000_000,
    )


def bounds_of(settings: Settings) -> Bounds:
    return Bounds(
        settings.queue_events_max,
        settings.partition_backlog_events_max,
        settings.redis_timeout_seconds,
        settings.replicas_min,
    )
