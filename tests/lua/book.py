"""The state of playhead, written the same way from Redis and from the model, so that the two can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.counters import images, keys, packing, scripts
from service.counters.servers import home_of
from service.counters.states import read_current, read_states
from service.limits import SEQ_WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis.asyncio import Redis

    from service.counters.records import MovieRecord, PairRecord, SessionRecord, UserRecord
    from service.counters.states import States
    from service.events.event import Event
    from service.rules.constants import Constants
    from service.rules.model import Model, Totals
    from service.rules.session import Session

Book = dict[str, Any]


async def apply(
    redis: Redis,
    partition: int,
    events: list[Event],
    constants: Constants,
    token: str = "1",
    repeated: bool = False,
) -> list[str]:
    """One call of the script for one run, past the writer; gives the outcomes."""
    (outcomes,) = await apply_each(redis, {partition: events}, constants, token, repeated)
    if isinstance(outcomes, Exception):
        raise outcomes
    return str(outcomes.decode()).split(",")


async def apply_each(
    redis: Redis,
    events: dict[int, list[Event]],
    constants: Constants,
    token: str = "1",
    repeated: bool = False,
    wanted: bytes = b"",
) -> list[Any]:
    """One call for runs of several partitions; gives outcomes or why there are none, then states."""
    reply = await scripts.call_one(
        redis,
        "apply",
        [
            *(key for partition in events for key in (keys.stream(partition), keys.log(partition))),
            keys.call(min(events), "test"),
        ],
        [
            token,
            "1" if repeated else "0",
            constants.heartbeat_interval_ms,
            constants.heartbeat_gap_ms,
            constants.implausible_tolerance_ms,
            constants.idempotency_window_us,
            10**9,
            home_of(redis, keys.log(min(events))),
            *(word for run in events.values() for word in (packing.pack(run), wanted)),
        ],
    )
    return [scripts.translated(answer) for answer in reply]


def book_of_model(model: Model, since_us: int) -> Book:
    """Without the ids received up to `since_us`: those may be forgotten."""
    return {
        "users": {
            name: (*_totals(user.totals), user.movies, _remembered(user.ids.items(), since_us))
            for name, user in model.users.items()
        },
        "movies": {slug: (*_totals(movie.totals), movie.viewers) for slug, movie in model.movies.items()},
        "pairs": {
            pair_name: (
                *_totals(pair.totals),
                pair.implausible_ms,
                pair.verified_cells,
                pair.furthest_ms,
                pair.latest_ms,
                pair.latest_us,
                pair.scope,
                pair.seen,
            )
            for pair_name, pair in model.pairs.items()
        },
        "scopes": {
            (*pair_name, scope): (images.scope_record_of(counters, scope), counters.seen)
            for pair_name, pair in model.pairs.items()
            for scope, counters in pair.scopes.items()
        },
        "sessions": {
            (*pair_name, session_name): _session(session)
            for pair_name, pair in model.pairs.items()
            for session_name, session in pair.sessions.items()
        },
    }


async def book_of_redis(redis: Redis, partition: int, model: Model, since_us: int) -> Book:
    """What Redis holds under the names that the model knows."""
    names = packing.Names()
    triples = [(*pair, session) for pair, found in model.pairs.items() for session in found.sessions]
    for triple in triples:
        names.place_session(*triple)
    states = await read_states(redis, partition, names)
    if states.pairs:
        await _compare_current(redis, partition, states)
    return {
        "users": {
            name: await _user(redis, partition, name, record, since_us)
            for name, record in states.users.items()
        },
        "movies": {slug: _movie(record) for slug, record in states.movies.items()},
        "pairs": {pair: _pair(*counted) for pair, counted in states.pairs.items()},
        "scopes": {
            (*pair, scope): (record, seen_in(coverage))
            for pair, found in states.scopes.items()
            for scope, (record, coverage) in found.items()
        },
        "sessions": {session: _session_record(record) for session, record in states.sessions.items()},
    }


async def _compare_current(redis: Redis, partition: int, states: States) -> None:
    """What plain keys tell of everything is a part of what the script tells, and all of it but what is elsewhere."""
    sessions: dict[tuple[str, str], set[str]] = {pair: set() for pair in states.pairs}
    for user, slug, session in states.sessions:
        sessions[user, slug].add(session)
    here, elsewhere = await read_current(redis, partition, sessions, list(states.movies))
    assert (here.last, here.users, here.movies) == (states.last, states.users, states.movies)
    assert here.pairs == {pair: told for pair, told in states.pairs.items() if pair not in elsewhere}
    assert here.sessions == {
        name: told for name, told in states.sessions.items() if name[:2] not in elsewhere
    }


def cells_of(seen: int) -> frozenset[int]:
    """The places of the bits that are set."""
    return frozenset(place for place, bit in enumerate(reversed(f"{seen:b}")) if bit == "1")


def _totals(totals: Totals) -> tuple[int, int, int, int]:
    return totals.watch_ms, totals.effective_ms, totals.unique_cells, totals.events


def _session(session: Session) -> tuple[object, ...]:
    return (
        session.position_ms,
        session.time_us,
        session.since_us,
        session.playing,
        session.speed,
        session.credited_ms,
        session.seq_max,
        frozenset(session.seq_max - age for age in cells_of(session.seqs))
        if session.seq_max is not None
        else frozenset(),
    )


def _remembered(ids: Iterable[tuple[str, int]], since_us: int) -> dict[str, int]:
    return {identity: received_us for identity, received_us in sorted(ids) if received_us > since_us}


async def _user(
    redis: Redis, partition: int, name: str, user: UserRecord, since_us: int
) -> tuple[object, ...]:
    scored: Any = await redis.zrange(keys.ids(partition, name), 0, -1, withscores=True)
    ids = ((identity.decode(), int(score)) for identity, score in scored)
    return (*user[:5], _remembered(ids, since_us))


def _movie(movie: MovieRecord) -> tuple[int, ...]:
    return movie.watch_ms, movie.effective_ms, movie.unique_cells, movie.events, movie.viewers


def _pair(pair: PairRecord, coverage: bytes) -> tuple[object, ...]:
    return (
        *pair[:7],
        pair.latest_ms if pair.latest_us else None,
        pair.latest_us or None,
        pair.scope,
        seen_in(coverage),
    )


def seen_in(bitmap: bytes) -> int:
    """Bit n is cell n, as the model has it; of a bitmap cell 0 is the first bit."""
    return int(format(int.from_bytes(bitmap), f"0{len(bitmap) * 8}b")[::-1], 2)


def _session_record(session: SessionRecord) -> tuple[object, ...]:
    assert len(session.seq_window) <= SEQ_WINDOW // 8 + 1
    return (*session[:7], frozenset(seqs_of(session)))


def seqs_of(session: SessionRecord) -> set[int]:
    """The `seq` that a session's window says were seen, as the model keeps them."""
    if session.seq_max is None:
        return set()
    oldest = max(0, session.seq_max - SEQ_WINDOW + 1)
    ahead = {
        session.seq_base + place * 8 + bit
        for place, byte in enumerate(session.seq_window)
        for bit in range(8)
        if byte >> bit & 1
    }
    return {seq for seq in ahead if seq >= oldest} | set(range(oldest, session.seq_base))
