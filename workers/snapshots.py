"""Snapshots: the states of changed counters, read from Redis, for the flusher to commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.counters import packing
from service.counters.states import read_states
from service.db.digests import digest, digest_of_slug
from service.db.records import EntryId, Snapshots
from workers.entries import Changed

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from service.counters.records import PairRecord, SessionRecord
    from service.counters.states import States

SESSIONS_MAX = 500
"""Sessions in one call, and so pairs and users: it holds Redis for some milliseconds, and moves 11 MB at worst."""


class Snapshot(NamedTuple):
    """The counters of one partition that changed, as they were at one moment; `changed` says which were asked for.

    `version` is the id of the last entry that they contain. It is committed with, or after, the rows up to there.
    """

    partition: int
    version: EntryId
    states: Snapshots
    changed: Changed


async def take_snapshot(redis: Redis, partition: int, waiting: Changed, changed: Changed) -> Snapshot:
    """Take some of what is waiting, about SESSIONS_MAX sessions, and read its state.

    With a pair all of its sessions are taken that are known to have changed, out of `changed` too, and none without
    its pair: what Redis holds is newer than anything that the flusher has read of the pair until now. Others may
    have gone on in entries that nobody has read yet: the pair's snapshot has what they told, and their own stay
    behind it until the next one (`service.stored.images.Versions`). Raises RedisUnavailable.
    """
    names, taken = packing.Names(), Changed()
    while waiting and max(len(names.sessions), len(names.pairs)) < SESSIONS_MAX:
        pair, sessions = waiting.popitem()
        sessions |= changed.pop(pair, frozenset())
        taken[pair] = sessions
        place = names.place_pair(*pair)  # of who was erased only the movie is left
        for session in sessions:
            names.sessions[place, session] = len(names.sessions)
    found = await read_states(redis, partition, names)
    version = EntryId.parse(found.last)
    return Snapshot(partition, version, _states(partition, names, version, found), taken)


def _states(partition: int, names: packing.Names, version: EntryId, found: States) -> Snapshots:
    """What was found, named. A counter that is not in Redis has no state to be saved."""
    pairs = names.named_pairs()
    sessions = [(*pairs[pair], session) for pair, session in names.sessions]
    return Snapshots(
        users=[
            (user, partition, *totals[:5], *version)
            for user, totals in zip(names.users, found.users, strict=True)
            if totals and totals.movies  # none: who is being erased, and is to go
        ],
        pairs=[
            _pair(partition, name, record, coverage, version)
            for name, record, coverage in zip(pairs, found.pairs, found.coverages, strict=True)
            if record
        ],
        scopes=[
            _scope(partition, name, record, coverage, version)
            for name, scopes in zip(pairs, found.scopes, strict=True)
            for _, record, coverage in scopes
        ],
        sessions=[
            _session(partition, name, record, version)
            for name, record in zip(sessions, found.sessions, strict=True)
            if record
        ],
        movie_shares=[
            (slug, partition, *record, *version)
            for slug, record in zip(names.movies, found.movies, strict=True)
            if record
        ],
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
