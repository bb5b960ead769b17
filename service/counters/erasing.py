"""Erasing a user from Redis, in one atomic step that also tells the flusher to erase it from Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.counters import keys, packing, scripts
from service.counters.records import UserRecord
from service.counters.servers import home_of
from service.errors import NotFound, RedisUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from redis.asyncio import Redis

TRIES = 5
"""How often the user may begin another movie while being erased."""


class Erased(NamedTuple):
    """What Redis held of the user. `entry` is the id of the erasure's entry in the stream of the partition."""

    partition: int
    entry: str
    totals: UserRecord
    sessions: int
    ids: int


class Absent(Exception):
    """The user is not in Redis."""


async def erase(redis: Redis, partition: int, user: str) -> Erased:
    """Erase the user. Raises Absent, NotFound when nothing is known of the user, Unavailable."""
    for _ in range(TRIES):
        fields = await scripts.call_one(redis, "fields", [keys.log(partition)], [user])
        if fields is None:
            raise Absent
        names = packing.Names()
        for field in fields:
            names.place_pair(user, keys.named_by(field)[0])
        if not names.pairs:
            raise NotFound(f"nothing is known of user {user!r}")
        try:
            entry, record, sessions, ids = await scripts.call_one(
                redis,
                "erase",
                [keys.stream(partition), keys.log(partition)],
                [packing.pack_names(names), home_of(redis, keys.log(partition))],
            )
        except scripts.Stale:
            continue
        return Erased(partition, entry.decode(), UserRecord.unpack(record), sessions, ids)
    raise RedisUnavailable("the user goes on watching and could not be erased; try again")


async def is_pending(redis: Redis, partition: int, user: str) -> bool:
    """Whether the user was erased from Redis and is not yet from Postgres."""
    record, _ = await scripts.call_one(redis, "read_user", [keys.log(partition)], [user])
    if record is None or UserRecord.unpack(record).movies:
        return False
    persisted = await scripts.guarded(_persisted(redis, partition))
    return UserRecord.unpack(record).appended > int(persisted or 0)


def _persisted(redis: Redis, partition: int) -> Awaitable[bytes | None]:
    return redis.hget(keys.log(partition), "persisted")  # type: ignore[return-value]
