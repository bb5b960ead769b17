"""Waiting for what must come true, with a deadline instead of a fixed sleep."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

POLL_SECONDS = 0.02


async def until(
    condition: Callable[[], Awaitable[bool]],
    what: str,
    seconds: float = 20.0,
    pause_seconds: float = POLL_SECONDS,
) -> float:
    """Gives how long it took; fails with `what` when it did not come true in time."""
    started = time.monotonic()
    while not await condition():
        waited = time.monotonic() - started
        assert waited < seconds, f"{what}: not within {seconds} s"
        await asyncio.sleep(pause_seconds)
    return time.monotonic() - started
