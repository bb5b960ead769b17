"""Lanes: one a server, so that a slow or dead one keeps nobody waiting but those whose events are for it.

In a lane one call is under way at a time, and what comes meanwhile waits for the next one. A partition is in exactly
one lane, and changes it between two calls only: so its calls follow each other, wherever its slot moves. Where order
does not matter, what has waited long enough may have a call of its own beside those under way.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

CALLS_MAX = 4
"""Under way in one lane at a time, where more than one may be."""


class Lane(Generic[T]):
    """What waits for one server, by partition, first come first served; `serving` while calls are made.

    `hurry` is when somebody looks whether what waits needs a call of its own.
    """

    def __init__(self, home: str) -> None:
        self.home = home
        self.waiting: dict[int, deque[T]] = {}
        self.serving: set[asyncio.Task[None]] = set()
        self.hurry: asyncio.TimerHandle | None = None


class Lanes(Generic[T]):
    """`home` names the server that has a partition; `serve` makes one call with some of what waits in a lane.

    With `patience_seconds`, calls of a lane may overlap: nobody waits longer for one before it, as long as no more than
    CALLS_MAX are under way.
    """

    def __init__(
        self,
        home: Callable[[int], str],
        serve: Callable[[Lane[T]], Awaitable[None]],
        *,
        patience_seconds: float | None = None,
    ) -> None:
        self._home = home
        self._serve = serve
        self._patience_seconds = patience_seconds
        self._by_home: dict[str, Lane[T]] = {}
        self._of: dict[int, Lane[T]] = {}

    def add(self, partition: int, item: T) -> None:
        """Let it wait for the next call in its partition's lane."""
        lane = self._of.get(partition) or self._enter(partition, self._home(partition))
        queue = lane.waiting.get(partition)
        if queue is None:
            queue = lane.waiting[partition] = deque()
        queue.append(item)
        self._start(lane)

    async def empty(self) -> None:
        """Returns once nothing waits."""
        while serving := [task for lane in self._by_home.values() for task in lane.serving]:
            await asyncio.wait(serving)

    def _enter(self, partition: int, home: str) -> Lane[T]:
        lane = self._by_home.get(home)
        if lane is None:
            lane = self._by_home[home] = Lane(home)
        self._of[partition] = lane
        return lane

    def _start(self, lane: Lane[T]) -> None:
        if not lane.serving:
            self._begin(lane)
        elif self._patience_seconds is not None and lane.hurry is None and len(lane.serving) < CALLS_MAX:
            loop = asyncio.get_running_loop()
            lane.hurry = loop.call_later(self._patience_seconds, self._hurry, lane)

    def _hurry(self, lane: Lane[T]) -> None:
        lane.hurry = None
        if lane.waiting:
            self._begin(lane)

    def _begin(self, lane: Lane[T]) -> None:
        lane.serving.add(asyncio.create_task(self._serve_all(lane), name=f"lane {lane.home}"))

    async def _serve_all(self, lane: Lane[T]) -> None:
        try:
            while lane.waiting:
                self._hand_over(lane)
                if lane.waiting:
                    await self._serve(lane)
        finally:  # in the same turn of the loop: what comes in the next one must not wait for a task that is over
            lane.serving.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    def _hand_over(self, lane: Lane[T]) -> None:
        """Partitions that another server has now go to its lane, with all that waits for them."""
        for partition in list(lane.waiting):
            home = self._home(partition)
            if home and home != lane.home:
                other = self._enter(partition, home)
                other.waiting[partition] = lane.waiting.pop(partition)
                self._start(other)
