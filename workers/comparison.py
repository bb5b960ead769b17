"""Counters held against the model of the raw events: where they differ is a drift."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from service.counters import coverage, images, keys
from service.counters.records import PairRecord, SessionRecord
from service.rules.model import Totals

if TYPE_CHECKING:
    from collections.abc import Collection

    from service.counters.states import States
    from service.db.history import StoredPair, StoredScope, StoredSession, StoredUser
    from service.db.records import EntryId
    from service.rules.model import Counters, Model, Pair
    from service.rules.session import Session

PairName = tuple[str, str]
Counted = tuple[PairRecord, int]
"""Counters, and the cells that they cover."""

NOBODY = (Totals(), 0)
"""Who was erased may still have an empty record, and no raw events."""


class Drift(NamedTuple):
    """A counter that is not what the raw events give."""

    key: str
    expected: str
    found: str


class Verdict(NamedTuple):
    """How much was compared, and what came out.

    `incomplete` pairs were left out, since some of their raw events are no longer kept; `shares` are of movies, and
    `snapshots` are the pairs whose state in Postgres was compared.
    """

    users: int = 0
    pairs: int = 0
    events: int = 0
    incomplete: int = 0
    shares: int = 0
    snapshots: int = 0
    drifts: tuple[Drift, ...] = ()

    def plus(self, other: Verdict) -> Verdict:
        return Verdict(
            self.users + other.users,
            self.pairs + other.pairs,
            self.events + other.events,
            self.incomplete + other.incomplete,
            self.shares + other.shares,
            self.snapshots + other.snapshots,
            self.drifts + other.drifts,
        )


@dataclass(slots=True)
class Standing:
    """Counters of some users as one place has them. What is in `moved` is there, but newer than what it is held to."""

    place: LivePlace | StoredPlace
    users: dict[str, tuple[Totals, int]] = field(default_factory=dict)
    pairs: dict[PairName, Counted] = field(default_factory=dict)
    sessions: dict[PairName, dict[str, Session]] = field(default_factory=dict)
    scopes: dict[PairName, dict[int, Counted]] = field(default_factory=dict)
    moved: set[str | PairName] = field(default_factory=set)


@dataclass(slots=True)
class LivePlace:
    """How counters are named in Redis. The pair and session that a user is at lie in the user's own record instead."""

    partition: int

    def user(self, user: str) -> str:
        return keys.user(self.partition, user)

    def pair(self, user: str, slug: str) -> str:
        return f"{keys.pairs(self.partition, user)} {keys.pair_field(slug)}"

    def coverage(self, user: str, slug: str) -> str:
        return keys.coverage(self.partition, user, slug)

    def session(self, user: str, slug: str, session: str) -> str:
        return f"{keys.pairs(self.partition, user)} {keys.session_field(slug, session)}"

    def scope(self, user: str, slug: str, scope: int) -> str:
        return f"{keys.scopes(self.partition, user)} {keys.scope_field(slug, scope)}"


class StoredPlace:
    """How snapshots are named: the table, and what they are of."""

    def user(self, user: str) -> str:
        return f"users {user}"

    def pair(self, user: str, slug: str) -> str:
        return f"pairs {user} {slug}"

    def coverage(self, user: str, slug: str) -> str:
        return f"pairs.coverage {user} {slug}"

    def session(self, user: str, slug: str, session: str) -> str:
        return f"sessions {user} {slug} {session}"

    def scope(self, user: str, slug: str, scope: int) -> str:
        return f"scopes {user} {slug} {scope}"


def standing_of_live(partition: int, states: States) -> Standing:
    standing = Standing(LivePlace(partition))
    for user, totals in states.users.items():
        standing.users[user] = Totals(*totals[:4]), totals.movies
    for pair, (record, bitmap) in states.pairs.items():
        standing.pairs[pair] = record, coverage.seen_of(bitmap)
    for (user, slug, name), found in states.sessions.items():
        standing.sessions.setdefault((user, slug), {})[name] = images.session_of(found)
    for pair, scopes in states.scopes.items():
        standing.scopes[pair] = {
            number: (record, coverage.seen_of(bitmap)) for number, (record, bitmap) in scopes.items()
        }
    return standing


def standing_of_snapshots(
    users: dict[str, StoredUser],
    pairs: list[StoredPair],
    scopes: list[StoredScope],
    sessions: list[StoredSession],
    upto: EntryId,
) -> Standing:
    """What is newer than `upto` counts as moved."""
    standing = Standing(StoredPlace())
    for name, user in users.items():
        standing.users[name] = Totals(*user.totals), user.movies
        if user.version > upto:
            standing.moved.add(name)
    for stored in pairs:
        standing.pairs[stored.user, stored.slug] = _counted(stored)
        if stored.version > upto:
            standing.moved.add((stored.user, stored.slug))
    for scope in scopes:
        counted = _counted(scope)
        standing.scopes.setdefault((scope.user, scope.slug), {})[counted[0].scope] = counted
        if scope.version > upto:  # the pair's row was read before
            standing.moved.add((scope.user, scope.slug))
    for kept in sessions:
        session = images.session_of(SessionRecord(*kept.record))  # type: ignore[arg-type]
        standing.sessions.setdefault((kept.user, kept.slug), {})[kept.session] = session
        if kept.version > upto:
            standing.moved.add((kept.user, kept.slug))
    return standing


def _counted(stored: StoredPair | StoredScope) -> Counted:
    record = PairRecord(*stored.record)._replace(verified_cells=coverage.verified_cells(stored.coverage))
    return record, coverage.seen_of(stored.coverage)


def compare(
    model: Model, names: Collection[str], standing: Standing, *, keeps_all: bool
) -> tuple[int, list[Drift]]:
    """Hold what stands of these users against the model: how many pairs were left out as incomplete, and the drifts."""
    drifts: list[Drift] = []
    short: dict[str, int] = {}
    wanted = set(names)
    for user, slug in standing.pairs.keys() | model.pairs.keys():
        if user not in wanted or (user, slug) in standing.moved:
            continue
        pair, found = model.pairs.get((user, slug)), standing.pairs.get((user, slug))
        kept = pair.totals.events if pair else 0
        if found and kept < found[0].events and not keeps_all:
            short[user] = short.get(user, 0) + 1
        else:
            _compare_pair(drifts, standing, (user, slug), pair)
    for user in wanted:
        if user not in short and user not in standing.moved:
            counted = model.users.get(user)
            expected = (counted.totals, counted.movies) if counted else NOBODY
            _hold(drifts, standing.place.user(user), expected, standing.users.get(user, NOBODY))
    return sum(short.values()), drifts


def _compare_pair(drifts: list[Drift], standing: Standing, name: PairName, pair: Pair | None) -> None:
    place = standing.place
    record, found_seen = standing.pairs.get(name, (None, 0))
    _hold(drifts, place.pair(*name), images.record_of(pair) if pair else None, record)
    seen = pair.seen if pair else 0
    if seen != found_seen:
        drifts.append(Drift(place.coverage(*name), _spans(seen), _spans(found_seen)))
    expected, found = pair.sessions if pair else {}, standing.sessions.get(name, {})
    for session in expected.keys() | found.keys():
        _hold(drifts, place.session(*name, session), expected.get(session), found.get(session))
    played = {scope: _played(counters, scope) for scope, counters in pair.scopes.items()} if pair else {}
    kept = standing.scopes.get(name, {})
    for scope in played.keys() | kept.keys():
        _hold(drifts, place.scope(*name, scope), played.get(scope), kept.get(scope))


def _played(counters: Counters, scope: int) -> Counted:
    return images.scope_record_of(counters, scope), counters.seen


def _hold(drifts: list[Drift], key: str, expected: object, found: object) -> None:
    if expected != found:
        drifts.append(Drift(key, str(expected), str(found)))


def _spans(seen: int) -> str:
    return str(coverage.spans(coverage.bitmap_of(seen)))
