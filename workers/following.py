"""Following the raw events of all partitions: viewings, and what attempts have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service import clock, metrics

if TYPE_CHECKING:
    from service.courses.watching.following import Following

FORGET_PAUSE_SECONDS = 600.0


class AllFollowing:
    """Each process may have one: a partition is followed by one of them at a time, whoever comes first."""

    def __init__(self, following: Following, partitions: int) -> None:
        self._following = following
        self._partitions = partitions

    async def step(self) -> bool:
        """Driven by `workers.loop.drive`. One that fails keeps back no other, and fails the step after them."""
        more, failed = False, None
        for partition in range(self._partitions):
            try:
                more |= await self._following.follow(partition)
            except Exception as raised:
                failed = raised
        if failed:
            raise failed
        if not more:
            metrics.FOLLOWED_AT.set(clock.now_us() / 1_000_000)
        return more

    async def forget(self) -> bool:
        """Driven by `workers.loop.drive`."""
        return await self._following.forget_hours(clock.now_us())
