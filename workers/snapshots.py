"""Snapshots: the states of changed counters, read from Redis, for the flusher to commit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from service.counters import packing
from service.counters.states import read_current, read_states
from service.db.digests import digest, digest_of_slug
from service.db.records import EntryId, Snapshots
from workers.entries import NOBODY, add_changed, movies_alone

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from service.counters.records import PairRecord, SessionRecord
    from service.counters.states import States
    from workers.entries import Changed

SESSIONS_MAX = 500
"""Sessions in one call, and so pairs and users: it holds Redis for some milliseconds, and moves 11 MB at worst."""


class Snapshot(NamedTuple):
    """The counters of one partition that changed; `changed` says which were asked for.

    They contain all entries up to `oldest`, and none after `version`: each row says itself up to where it is true. So
    they are committed with, or after, the rows up to `version`.
    """

    partition: int
    oldest: EntryId
    version: EntryId
    states: Snapshots
    changed: Changed


async def take_snapshot(
    redis: Redis, partition: int, waiting: Changed, changed: Changed, movies: set[str]
) -> Snapshot:
    """Take some of what is waiting, about SESSIONS_MAX sessions, and read its state.

    The pairs' movies are noted in `movies`, and wait in turn once no pair does: each share is written once a round,
    however many watch the movie, and has everything that the round's pairs have.

    With a pair all of its sessions are taken that are known to have changed, out of `changed` too, and none without
    its pair, of one moment: what Redis holds is newer than anything that the flusher has read of the pair until now.
    Others may have gone on in entries that nobody has read yet: the pair's snapshot has what they told, and their own
    stay behind it until the next one (`service.stored.images.Versions`). Raises RedisUnavailable.
    """
    taken = _take(waiting, changed, movies)
    pairs = {pair: sessions for pair, sessions in taken.items() if not _is_movie(pair)}
    slugs = [slug for user, slug in taken if user == NOBODY]
    found, elsewhere = await read_current(redis, partition, pairs, slugs)
    oldest = version = EntryId.parse(found.last)
    states = _states(partition, found, version)
    if elsewhere:
        names = packing.Names()
        for pair in elsewhere:
            names.place_pair(*pair)
            for session in taken[pair]:
                names.place_session(*pair, session)
        found = await read_states(redis, partition, names)
        others = EntryId.parse(found.last)
        oldest, version = min(oldest, others), max(version, others)
        more = _states(partition, found, others)
        states = replace(
            states,
            pairs=[*states.pairs, *more.pairs],
            scopes=more.scopes,
            sessions=[*states.sessions, *more.sessions],
        )
    return Snapshot(partition, oldest, version, states, taken)


def _take(waiting: Changed, changed: Changed, movies: set[str]) -> Changed:
    """Either pairs or movies, so that neither waits for the other where that can't be stored; or all that is left.

    So a small round is one snapshot, and snapshots are level with rows now and then, however steadily events come in.
    """
    taken: Changed = {}
    count = 0
    are_movies = _is_movie(next(reversed(waiting)))
    while waiting and count < SESSIONS_MAX and _is_movie(next(reversed(waiting))) == are_movies:
        pair, sessions = waiting.popitem()
        sessions |= changed.pop(pair, frozenset())
        taken[pair] = sessions
        count += len(sessions) or 1
    if not are_movies:
        movies.update(slug for _, slug in taken)
    if not waiting:
        fits = count + len(movies) <= SESSIONS_MAX
        add_changed(taken if fits else waiting, movies_alone(movies))
        movies.clear()
    return taken


def _is_movie(pair: tuple[str, str]) -> bool:
    return pair[0] == NOBODY


def _states(partition: int, found: States, version: EntryId) -> Snapshots:
    return Snapshots(
        users=[
            (user, partition, *totals[:5], *version)
            for user, totals in found.users.items()
            if totals.movies  # none: who is being erased, and is to go
        ],
        pairs=[_pair(partition, pair, *counted, version) for pair, counted in found.pairs.items()],
        scopes=[
            _scope(partition, pair, *counted, version)
            for pair, scopes in found.scopes.items()
            for counted in scopes.values()
        ],
        sessions=[
            _session(partition, session, record, version) for session, record in found.sessions.items()
        ],
        movie_shares=[(slug, partition, *record, *version) for slug, record in found.movies.items()],
    )


# Each in the order of its class in `service.db.records`. Making one of that class, and asking a record for each field
# by its name, took as long as all else here.


def _pair(
    partition: int, name: tuple[str, str], record: PairRecord, coverage: bytes, version: EntryId
) -> tuple[object, ...]:
    (
        watch_ms, effective_ms, unique_cells, events, implausible_ms, _,
        furthest_ms, latest_ms, latest_us, scope,
    ) = record  # fmt: skip
    return (
        *name, digest_of_slug(name[1]), partition,
        watch_ms, effective_ms, unique_cells, implausible_ms, events, furthest_ms,
        latest_ms if latest_us else None, latest_us or None, coverage, scope, *version,
    )  # fmt: skip


def _scope(
    partition: int, name: tuple[str, str], record: PairRecord, coverage: bytes, version: EntryId
) -> tuple[object, ...]:
    *state, scope, version_ms, version_seq = _pair(partition, name, record, coverage, version)
    return (*state[:3], scope, *state[3:], version_ms, version_seq)


def _session(
    partition: int, name: tuple[str, str, str], record: SessionRecord, version: EntryId
) -> tuple[object, ...]:
    position_ms, time_us, *state = record
    return (*name, digest(*name[1:]), partition, position_ms, time_us or 0, *state, *version)
