"""Rebuilding: puts users and movies of a partition in place in Redis, as Postgres and its stream have them.

Users are built from their snapshots, the raw events after those, and what waits in the stream. Movies are the sums
over all pairs: those that are built here, and the snapshots of all others. Whole users and movies are put in place and
nothing is added to anything, so it may be interrupted and begun again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service import clock
from service.counters import keys, scripts
from service.counters.images import Put, put_user
from service.counters.records import MovieRecord
from service.db.records import START, Checkpoint
from service.rules.model import Model, Pair
from service.stored.images import images_of, remember_ids, snapshots_of
from service.stored.parked import parked_changes, raw_events
from workers.entries import Entry, readable_events
from workers.eviction import find_idle
from workers.live import read_fields

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from service.db.history import History, StoredEvent
    from service.db.ledger import Ledger
    from service.rules.constants import Constants
    from service.stored.images import Versions
    from workers.standing import Stand

USERS_AT_ONCE = 200
"""Users built at once: their snapshots, events and images are held in memory."""

MOVIES_AT_ONCE = 1000

EVERYBODY_US, EVERYTHING = 2**53, 2**53
"""Later than any time and more than any count: whoever is in Redis."""


class Gap(NamedTuple):
    """What a partition of Redis lacks: `lost` events. The `waiting` entries are in Redis and not in Postgres."""

    partition: int
    token: str
    checkpoint: Checkpoint
    waiting: list[Entry]
    lost: int
    stand: Stand

    @property
    def appended(self) -> int:
        """The count of events once the partition is level."""
        return self.checkpoint.appended + sum(entry.counted for entry in self.waiting)

    @property
    def erased(self) -> set[str]:
        """Who is still to be erased from Postgres."""
        return {entry.erased for entry in self.waiting if entry.erased is not None}


class Rebuilding:
    """Closes one gap."""

    def __init__(
        self, redis: Redis, ledger: Ledger, history: History, constants: Constants, gap: Gap
    ) -> None:
        self._redis = redis
        self._ledger = ledger
        self._history = history
        self._constants = constants
        self._gap = gap

    async def run(self) -> tuple[int, int]:
        """Gives how many users were built, and how many events were applied for that."""
        names = await self._users_to_rebuild()
        return len(names), await self._rebuild(names)

    async def _users_to_rebuild(self) -> list[str]:
        """All whose state is not what Postgres' snapshots say, or may not be so in Redis."""
        names = {user for user, _ in await self._ledger.changed_since_snapshot(self._gap.partition)}
        names |= {event.user for entry in self._gap.waiting for _, event, _ in readable_events(entry)}
        names |= {user for user, _ in await parked_changes(self._ledger.parking, self._gap.partition)}
        names |= self._gap.erased
        if not self._gap.stand.is_empty:
            names |= await self._history.users_of_last_events(self._gap.partition, self._gap.lost)
        if self._gap.stand.erased < self._gap.checkpoint.erased:
            names |= await self._strangers()
        return sorted(names)

    async def _rebuild(self, names: list[str]) -> int:
        """Put these users and all movies in place; gives how many events were applied again to build them."""
        given = await self._history.movie_shares(self._gap.partition, names)
        shares = {slug: MovieRecord(*share) for slug, share in given.items()}
        events = 0
        for start in range(0, len(names), USERS_AT_ONCE):
            events += await self._put(names[start : start + USERS_AT_ONCE], shares)
        await self._put_movies(shares)
        return events

    async def _put(self, names: list[str], shares: dict[str, MovieRecord]) -> int:
        """Put some users in place, and add to the shares what they give to movies."""
        now_us = clock.now_us()
        built, events = await self._build(names)
        await remember_ids(self._history, built, names, now_us)
        events += _apply_waiting(built, self._gap.waiting, set(names))
        here = await self._slugs(names)
        put = Put(now_us, self._gap.appended, self._constants.idempotency_window_us)
        calls = []
        for image in images_of(built, names):
            calls.append(put_user(self._gap.partition, self._gap.token, image, put))
            for slug in here[image.name]:
                shares.setdefault(slug, MovieRecord())
            for slug, pair in image.pairs.items():
                shares[slug] = shares.get(slug, MovieRecord()).plus(_given_by(pair))
        await self._make(calls)
        return events

    async def _put_movies(self, shares: dict[str, MovieRecord]) -> None:
        slugs = list(shares)
        for start in range(0, len(slugs), MOVIES_AT_ONCE):
            some = slugs[start : start + MOVIES_AT_ONCE]
            spelled = [
                keys.log(self._gap.partition),
                *(keys.movie(self._gap.partition, slug) for slug in some),
            ]
            await self._make(
                [("put_movies", spelled, [self._gap.token, *(shares[slug].pack() for slug in some)])]
            )

    async def _slugs(self, names: list[str]) -> dict[str, set[str]]:
        """The movies of which Redis has a pair, of each of these users."""
        found = await read_fields(self._redis, self._gap.partition, names)
        return {
            name: {keys.named_by(field)[0] for field in fields or ()}
            for name, fields in zip(names, found, strict=True)
        }

    async def _strangers(self) -> set[str]:
        """Users in Redis of whom Postgres knows nothing: erased, and Redis has forgotten that."""
        strangers: set[str] = set()
        cursor = "0"
        while True:
            found = await find_idle(self._redis, self._gap.partition, cursor, EVERYBODY_US, EVERYTHING)
            names = set(found.users)
            strangers |= names - await self._history.known_users(list(names))
            cursor = found.cursor
            if cursor == "0":
                return strangers

    async def _make(self, calls: list[scripts.Call]) -> None:
        for reply in await scripts.call(self._redis, calls):
            if isinstance(reply, Exception):
                raise reply

    async def _build(self, names: list[str]) -> tuple[Model, int]:
        """These users as Postgres knows them: their snapshots, and the raw events after those applied to them.

        Gives also how many events that were.
        """
        checkpoint = self._gap.checkpoint
        model, versions = await snapshots_of(self._history, self._constants, names)
        # Every snapshot is true at least up to the snapshot checkpoint, and what has none began after it.
        span = checkpoint.snapshot, checkpoint.entry
        stored = await raw_events(self._history, self._gap.partition, names, *span)
        return model, _apply_stored(model, versions, stored)


def _apply_stored(built: Model, versions: Versions, stored: list[StoredEvent]) -> int:
    """Apply to each snapshot what came after it; gives how many events that were.

    What lies between a session's snapshot and the newer one of its pair counts for the pair already: it moves the
    session alone.
    """
    # Of the very sessions that are built; its counters are nobody's.
    behind = Model(built.constants)
    behind.pairs = {name: Pair(sessions=pair.sessions) for name, pair in built.pairs.items()}
    events = 0
    for entry, event in stored:
        if entry > versions.pairs.get((event.user, event.slug), START):
            built.apply(event)
        elif entry > versions.sessions.get((event.user, event.slug, event.session), START):
            behind.apply(event)
        else:
            continue
        events += 1
    return events


def _apply_waiting(built: Model, waiting: list[Entry], names: set[str]) -> int:
    """Apply what waits of these users; gives how many events that were."""
    events = 0
    for entry in waiting:
        if entry.erased in names:
            built.pairs = {name: pair for name, pair in built.pairs.items() if name[0] != entry.erased}
            built.users.pop(entry.erased, None)
        for _, event, _ in readable_events(entry):
            if event.user in names:
                built.apply(event)
                events += 1
    return events


def _given_by(pair: Pair) -> MovieRecord:
    totals = pair.totals
    return MovieRecord(totals.watch_ms, totals.effective_ms, totals.unique_cells, 1, totals.events)
