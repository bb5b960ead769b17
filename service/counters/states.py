"""The state of some counters, all of one moment (`lua/state.lua`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from service.counters import current, keys, packing, scripts
from service.counters.records import MovieRecord, PairRecord, SessionRecord, UserRecord

if TYPE_CHECKING:
    from redis.asyncio import Redis

    Scopes = list[tuple[int, PairRecord, bytes]]


class States(NamedTuple):
    """Each in the order of the names that were asked for, with None for what is not in Redis.

    `last` is the id of the last entry ever appended to the partition's stream, which they contain. Coverages are
    bitmaps. `scopes` are those of a pair in which anything was counted: number, record, coverage.
    """

    last: bytes
    users: list[UserRecord | None]
    movies: list[MovieRecord | None]
    pairs: list[PairRecord | None]
    coverages: list[bytes]
    sessions: list[SessionRecord | None]
    scopes: list[Scopes]


async def read_states(redis: Redis, partition: int, names: packing.Names) -> States:
    """Raises RedisUnavailable."""
    reply = await scripts.call_one(redis, "state", [keys.log(partition)], [packing.pack_names(names)])
    return _unfold(names, reply)


def _unfold(names: packing.Names, reply: list[Any]) -> States:
    """What the script leaves in users' records, an empty string in its place, is taken out of them here."""
    last, strides, records, movies, pairs, bitmaps, sessions, scopes = reply
    at = [
        current.read(stride, record) if stride and record else None
        for stride, record in zip(strides, records, strict=True)
    ]
    places = list(names.pairs)
    found_pairs: list[PairRecord | None] = []
    coverages: list[bytes] = []
    for (user, _), pair, bitmap in zip(places, pairs, bitmaps, strict=True):
        if pair == b"":
            found = _there(at[user])
            found_pairs.append(found.pair)
            coverages.append(current.with_tail(bitmap or b"", found.tail_first, found.tail_after))
        else:
            found_pairs.append(PairRecord.unpack(pair) if pair else None)
            coverages.append(bitmap or b"")
    found_sessions = [
        _there(at[places[pair][0]]).session if session == b"" else session and SessionRecord.unpack(session)
        for (pair, _), session in zip(names.sessions, sessions, strict=True)
    ]
    return States(
        last,
        [
            user.totals if user else record and UserRecord.unpack(record)
            for user, record in zip(at, records, strict=True)
        ],
        [movie and MovieRecord.unpack(movie) for movie in movies],
        found_pairs,
        coverages,
        found_sessions,
        [_scopes(found) for found in scopes],
    )


def _there(user: current.Current | None) -> current.Current:
    assert user is not None, "the script says that it is in a record which it does not tell"
    return user


def _scopes(found: list[Any] | None) -> Scopes:
    if not found:
        return []
    return [
        (number, PairRecord.unpack(record), bitmap or b"")
        for number, record, bitmap in zip(*[iter(found)] * 3, strict=True)
    ]
