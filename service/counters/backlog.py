"""What Redis holds that Postgres does not have yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.counters import keys, scripts
from service.counters.servers import home_of

if TYPE_CHECKING:
    from redis.asyncio import Redis


class Backlog(NamedTuple):
    """`oldest_ms` is when the oldest waiting entry was appended, by Redis' clock; None when nothing waits.

    `fullest_events` wait in the partition in which most do: each has its share of the bound. A partition is closed to
    events until Redis is known to have all that Postgres has of it. `memory_fraction` is how much is used of the memory
    that the fullest server may use; None where it has no bound.
    """

    events: int
    oldest_ms: int | None
    fullest_events: int
    closed_partitions: int
    memory_fraction: float | None = None

    def age_seconds(self, now_us: int) -> float:
        return 0.0 if self.oldest_ms is None else max(0.0, now_us / 1_000_000 - self.oldest_ms / 1000)


async def read_backlog(redis: Redis, partitions: int) -> Backlog:
    """Of all partitions together. Raises RedisUnavailable."""
    replies = await scripts.call(
        redis,
        [
            (
                "backlog",
                [keys.stream(partition), keys.log(partition)],
                [home_of(redis, keys.log(partition))],
            )
            for partition in range(partitions)
        ],
    )
    waiting_events, oldest, fractions, closed = [], [], [], 0
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
        waiting, first, is_open, used, bound = reply
        waiting_events.append(waiting)
        closed += not is_open
        if first:
            oldest.append(int(first.split(b"-")[0]))
        if bound:
            fractions.append(used / bound)
    return Backlog(
        sum(waiting_events),
        min(oldest, default=None),
        max(waiting_events),
        closed,
        max(fractions, default=None),
    )
