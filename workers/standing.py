"""Where a partition of Redis stands: open or not, and how much it has ever counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.counters import keys, scripts
from service.counters.servers import home_of
from service.db.records import START, EntryId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis


class Stand(NamedTuple):
    """`appended` events were ever put into the partition's stream, if it remembers; `last` is the entry of the last."""

    appended: int | None
    last: EntryId
    is_open: bool
    is_recovering: bool
    erased: int

    @property
    def is_empty(self) -> bool:
        return self.appended is None

    def is_level(self, appended: int) -> bool:
        """Whether a partition from whose stream so many events came is open, and has forgotten none of them."""
        return self.is_open and (self.appended or 0) >= appended


async def stands_of(redis: Redis, partitions: Sequence[int]) -> dict[int, Stand]:
    """Where these partitions stand, in one round trip. Raises RedisUnavailable."""
    pipeline = redis.pipeline(transaction=False)
    for partition in partitions:
        pipeline.hmget(keys.log(partition), ["appended", "last", "open", "recovering", "erased"])
    found = await scripts.guarded(pipeline.execute())
    return {
        partition: Stand(
            None if appended is None else int(appended),
            EntryId.parse(last) if last else START,
            open_at == home_of(redis, keys.log(partition)).encode(),
            recovering is not None,
            int(erased or 0),
        )
        for partition, (appended, last, open_at, recovering, erased) in zip(partitions, found, strict=True)
    }
