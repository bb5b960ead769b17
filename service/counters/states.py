"""The state of some counters, all of one moment.

Nearly everything that has changed is where its user is. `read_current` takes that from plain keys, for a quarter of
what it costs to ask the script (`lua/state.lua`), which knows everything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from service.counters import current, keys, packing, scripts
from service.counters.exchange import at_once
from service.counters.records import MovieRecord, PairRecord, SessionRecord, UserRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from redis.asyncio import Redis

    Pair = tuple[str, str]
    Session = tuple[str, str, str]
    Counted = tuple[PairRecord, bytes]

NO_ENTRY = b"0-0"
"""Where nothing was ever appended."""


@dataclass(slots=True)
class States:
    """By name; what is not in Redis is left out.

    `last` is the id of the last entry ever appended to the partition's stream, which they contain. A pair has its
    record and its coverage, a bitmap, and so has each of its scopes in which anything was counted, by number.
    """

    last: bytes
    users: dict[str, UserRecord] = field(default_factory=dict)
    movies: dict[str, MovieRecord] = field(default_factory=dict)
    pairs: dict[Pair, Counted] = field(default_factory=dict)
    sessions: dict[Session, SessionRecord] = field(default_factory=dict)
    scopes: dict[Pair, dict[int, Counted]] = field(default_factory=dict)


async def read_states(redis: Redis, partition: int, names: packing.Names) -> States:
    """Raises RedisUnavailable."""
    last, strides, records, movies, pairs, bitmaps, sessions, scopes = await scripts.call_one(
        redis, "state", [keys.log(partition)], [packing.pack_names(names)]
    )
    named = names.named_pairs()
    return States(
        last,
        {
            user: current.totals_of(stride, record)
            for user, stride, record in zip(names.users, strides, records, strict=True)
            if record
        },
        _movies(names.movies, movies),
        {
            pair: (PairRecord.unpack(record), bitmap or b"")
            for pair, record, bitmap in zip(named, pairs, bitmaps, strict=True)
            if record
        },
        {
            (*named[pair], session): SessionRecord.unpack(record)
            for (pair, session), record in zip(names.sessions, sessions, strict=True)
            if record
        },
        {pair: _scopes(found) for pair, found in zip(named, scopes, strict=True) if found},
    )


async def read_current(
    redis: Redis, partition: int, wanted: Mapping[Pair, AbstractSet[str]], slugs: Sequence[str]
) -> tuple[States, list[Pair]]:
    """The state of these pairs, of the named sessions of each, and of these movies; and which pairs are left out.

    Left out are, with their sessions, those that their users are not at, or in another session, and those that were
    cut: only the script can tell of them. Raises RedisUnavailable.
    """
    users = list({user: 0 for user, _ in wanted})
    log = keys.log(partition)
    last, found = await scripts.guarded(
        at_once(
            redis,
            log,
            ("HGET", log, "last"),
            (
                "MGET",
                *(keys.stride(partition, user) for user in users),
                *(keys.user(partition, user) for user in users),
                *(keys.movie(partition, slug) for slug in slugs),
                *(keys.coverage(partition, user, slug) for user, slug in wanted),
            ),
        )
    )
    remaining = iter(found)
    strides, records, movies = (list(islice(remaining, len(some))) for some in (users, users, slugs))
    states = States(last or NO_ENTRY, movies=_movies(slugs, movies))
    at: dict[str, current.Current] = {}
    for user, stride, record in zip(users, strides, records, strict=True):
        if stride and record:
            at[user] = current.read(stride, record)
            states.users[user] = at[user].totals
        elif record:
            states.users[user] = UserRecord.unpack(record)
    elsewhere: list[Pair] = []
    for (pair, sessions), bitmap in zip(wanted.items(), remaining, strict=True):
        user, slug = pair
        if user not in states.users:
            continue
        here = at.get(user)
        if here is None or here.slug != slug or not sessions <= {here.session_name} or here.pair.scope:
            elsewhere.append(pair)
            continue
        states.pairs[pair] = here.pair, current.with_tail(bitmap or b"", here.tail_first, here.tail_after)
        for session in sessions:
            states.sessions[user, slug, session] = here.session
    return states, elsewhere


def _movies(slugs: Iterable[str], records: Iterable[bytes | None]) -> dict[str, MovieRecord]:
    return {slug: MovieRecord.unpack(record) for slug, record in zip(slugs, records, strict=True) if record}


def _scopes(found: Sequence[Any]) -> dict[int, Counted]:
    return {
        number: (PairRecord.unpack(record), bitmap or b"")
        for number, record, bitmap in zip(*[iter(found)] * 3, strict=True)
    }
