"""What HTTP processes tell each other of how fast keys are used, through Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.counters import keys, scripts
from service.errors import RedisUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis.asyncio import Redis

    from service.access.bucket import Bucket


async def share(redis: Redis, buckets: Mapping[str, Bucket]) -> None:
    """Tell what was drawn here from buckets in use, and learn how full they are. What cannot be told now is kept."""
    told = [(name, bucket, bucket.take_untold()) for name, bucket in buckets.items() if bucket.is_in_use]
    if not told:
        return
    calls: list[scripts.Call] = [
        ("draw", [keys.bucket(name)], [bucket.size, bucket.per_second, untold])
        for name, bucket, untold in told
    ]
    try:
        replies = await scripts.call(redis, calls)
    except RedisUnavailable as failed:
        replies = [failed] * len(calls)
    for (_, bucket, untold), reply in zip(told, replies, strict=True):
        if isinstance(reply, Exception):
            bucket.give_back(untold)
        else:
            bucket.correct(float(reply))
