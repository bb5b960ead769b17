"""Room for the events of streams: how many of them may be with the writer at a time.

Who posts is refused where too many events wait; a stream waits for its turn instead, and its client is read no faster.
Streams have a part of the writer's queue, so that what is posted always finds the rest of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from service.errors import QueueFull

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.settings import Settings

QUEUE_SHARE = 0.5
"""Of the queue's bound, what streams may take."""


class Room:
    """First come, first served, also where a small run would fit in before a large one."""

    def __init__(self, events_max: int) -> None:
        self._events_max = self._free = events_max
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def taken(self, events: int, wait_seconds: float) -> AsyncIterator[None]:
        """Raises QueueFull where there is none in time. More events than there is room for take all of it."""
        events = min(events, self._events_max)
        if self._waiting or events > self._free:
            await self._turn(events, wait_seconds)
        else:
            self._free -= events
        try:
            yield
        finally:
            self._free += events
            self._let_in()

    async def _turn(self, events: int, wait_seconds: float) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((events, turn))
        try:
            async with asyncio.timeout(wait_seconds):
                await turn
        except BaseException as ended:
            if turn.done() and not turn.cancelled():
                self._free += events  # its turn came in the same moment
            turn.cancel()
            self._let_in()
            if isinstance(ended, TimeoutError):
                detail = (
                    f"other streams kept playhead busy for {wait_seconds:g} seconds; this was not counted"
                )
                raise QueueFull(detail) from None
            raise

    def _let_in(self) -> None:
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= self._free):
            events, turn = self._waiting.popleft()
            if not turn.done():
                self._free -= events
                turn.set_result(None)


def room_of(settings: Settings) -> Room:
    return Room(max(1, int(settings.queue_events_max * QUEUE_SHARE)))
