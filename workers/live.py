"""Live counters of some users, read from Redis together with the id of the last entry in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from service.counters import keys, packing, scripts
from service.counters.records import MovieRecord, PairRecord, SessionRecord, UserRecord
from service.db.records import EntryId
from service.errors import NotRecovered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Sequence

    from redis.asyncio import Redis

SESSIONS_AT_ONCE = 2000
"""About as many in one call, whole users at a time: it holds Redis for some milliseconds."""


class Live(NamedTuple):
    """What Redis held of these users at one moment; `upto` is the last entry in it.

    Who is not among `users` is not in Redis; `has_evicted` says that this may well be.
    """

    names: list[str]
    upto: EntryId
    has_evicted: bool
    users: dict[str, UserRecord]
    pairs: dict[tuple[str, str], tuple[PairRecord, bytes]]
    sessions: dict[tuple[str, str, str], SessionRecord]
    scopes: dict[tuple[str, str], dict[int, tuple[PairRecord, bytes]]]

    @classmethod
    def read(cls, asked: list[str], has_evicted: bool, names: packing.Names, reply: list[Any]) -> Live:
        upto, user_records, _, pair_records, coverages, session_records, scopes = reply
        users, slugs = list(names.users), list(names.movies)
        pairs = [(users[user], slugs[slug]) for user, slug in names.pairs]
        sessions = [(*pairs[pair], session) for pair, session in names.sessions]
        return cls(
            asked,
            EntryId.parse(upto),
            has_evicted,
            {
                name: UserRecord.unpack(found)
                for name, found in zip(users, user_records, strict=True)
                if found
            },
            {
                name: (PairRecord.unpack(found), bitmap or b"")
                for name, found, bitmap in zip(pairs, pair_records, coverages, strict=True)
                if found
            },
            {
                name: SessionRecord.unpack(found)
                for name, found in zip(sessions, session_records, strict=True)
                if found
            },
            {
                name: {
                    number: (PairRecord.unpack(record), bitmap or b"")
                    for number, record, bitmap in zip(*[iter(found)] * 3, strict=True)
                }
                for name, found in zip(pairs, scopes, strict=True)
                if found
            },
        )


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
            reply = await _state(redis, partition, named)
            yield Live.read(asked, int(evicted or 0) > 0, named, reply)
            asked, named = [], packing.Names()


async def read_shares(
    redis: Redis, partition: int, slugs: Sequence[str]
) -> tuple[EntryId, dict[str, MovieRecord]]:
    """The partition's share of these movies at one moment, and the last entry in them. Raises RedisUnavailable."""
    named = packing.Names(movies={slug: place for place, slug in enumerate(slugs)})
    upto, _, records, *_ = await _state(redis, partition, named)
    found = zip(slugs, records, strict=True)
    return EntryId.parse(upto), {slug: MovieRecord.unpack(record) for slug, record in found if record}


async def _state(redis: Redis, partition: int, names: packing.Names) -> list[Any]:
    reply: list[Any] = await scripts.call_one(
        redis,
        "state",
        [keys.log(partition)],
        [packing.pack_names(names)],
    )
    return reply


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
