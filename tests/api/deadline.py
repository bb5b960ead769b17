"""Waiting for what must come to hold, instead of for a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PAUSE_SECONDS = 0.01


async def until(look: Callable[[], Awaitable[object]], equals: object, seconds: float = 10.0) -> None:
    """Looks again and again; fails with what it saw last."""
    deadline = asyncio.get_running_loop().time() + seconds
    while (seen := await look()) != equals:
        assert asyncio.get_running_loop().time() < deadline, f"still {seen!r}, not {equals!r}"
        await asyncio.sleep(PAUSE_SECONDS)
