"""Live counters of some users, read from Redis together with the id of the last entry in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.counters import keys, packing, scripts
from service.counters.states import read_states
from service.db.records import EntryId
from service.errors import NotRecovered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Sequence

    from redis.asyncio import Redis

    from service.counters.records import MovieRecord
    from service.counters.states import States

SESSIONS_AT_ONCE = 2000
"""About as many in one call, whole users at a time: it holds Redis for some milliseconds."""


class Live(NamedTuple):
    """What Redis held of these users at one moment; `upto` is the last entry in it.

    Who is not among the users of `states` is not in Redis; `has_evicted` says that this may well be.
    """

    names: list[str]
    upto: EntryId
    has_evicted: bool
    states: States


async def read_live(redis: Redis, partition: int, users: Sequence[str]) -> AsyncIterator[Live]:
    """These users, as many at one moment as one call takes. Raises RedisUnavailable, NotRecovered."""
    is_open, evicted = await scripts.guarded(_log(redis, partition))
    found = await read_fields(redis, partition, users)
    if not is_open:
        raise NotRecovered(f"partition {partition} is being brought level with Postgres")
    asked: list[str] = []
    named = packing.Names()
    for user, fields in zip(users, found, strict=True):
        asked.append(user)
        named.users.setdefault(user, len(named.users))
        for field in fields or ():
            slug, session = keys.named_by(field)
            named.place_pair(user, slug)
            if session is not None:
                named.place_session(user, slug, session)
        if len(named.sessions) >= SESSIONS_AT_ONCE or user == users[-1]:
            states = await read_states(redis, partition, named)
            yield Live(asked, EntryId.parse(states.last), int(evicted or 0) > 0, states)
            asked, named = [], packing.Names()


async def read_shares(
    redis: Redis, partition: int, slugs: Sequence[str]
) -> tuple[EntryId, dict[str, MovieRecord]]:
    """The partition's share of these movies at one moment, and the last entry in them. Raises RedisUnavailable."""
    named = packing.Names(movies={slug: place for place, slug in enumerate(slugs)})
    states = await read_states(redis, partition, named)
    return EntryId.parse(states.last), states.movies


async def read_fields(redis: Redis, partition: int, users: Sequence[str]) -> list[list[bytes] | None]:
    """The fields of each user's pairs and sessions; None of who is not in Redis. Raises RedisUnavailable."""
    calls: list[scripts.Call] = [("fields", [keys.log(partition)], [user]) for user in users]
    found = await scripts.call(redis, calls) if calls else []
    for reply in found:
        if isinstance(reply, Exception):
            raise reply
    return found


def _log(redis: Redis, partition: int) -> Awaitable[list[bytes | None]]:
    return redis.hmget(keys.log(partition), ["open", "evicted"])  # type: ignore[return-value]
