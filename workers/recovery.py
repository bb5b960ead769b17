"""Recovery: brings a partition in Redis level with what Postgres has of it, and opens it for events.

A partition is level when the events that Postgres has and the events that wait in the stream follow each other without
a gap: the first entry that waits says how many events came before it, and the checkpoint says how many Postgres has.
Fewer in Redis means that it went back in time: it was emptied, lost its disk, or a replica took over that had not seen
all. Then the users of the lost events are built again from their snapshots, the raw events after those, and what waits
in the stream, and put in the place of what Redis has of them; so are the movies, which are the sums over all pairs. In
an emptied Redis only those are built who changed after their snapshots: the others are as good as evicted, and come
back from Postgres with their next event.

While it happens the partition is closed: events for it get 503. It is opened at one server: where a replica takes over,
or its slot moves to another node, it is closed until it is known to be level there. A token keeps two recoveries apart,
and one that is interrupted is simply begun again, since it puts whole users in place and adds nothing to anything.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

import structlog

from service import clock
from service.counters import keys, scripts
from service.counters.images import Put, put_user
from service.counters.records import MovieRecord
from service.counters.servers import ONLY_HOME, home_of, server_of
from service.db.records import START, Checkpoint, EntryId
from service.stored.images import images_of, snapshots_of
from service.stored.parked import parked_changes, raw_events
from workers.entries import Entry, read_entries, readable_events
from workers.eviction import find_idle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from service.db.history import History
    from service.db.ledger import Ledger
    from service.rules.constants import Constants
    from service.rules.model import Model, Pair

_log = structlog.get_logger()

USERS_AT_ONCE = 200
"""Users built at once: their snapshots, events and images are held in memory."""

ENTRIES_AT_ONCE = 1000

MOVIES_AT_ONCE = 1000

EVERYBODY_US, EVERYTHING = 2**53, 2**53
"""Later than any time and more than any count: whoever is in Redis."""


class Stand(NamedTuple):
    """Where a partition of Redis stands: `appended` events were ever put into its stream, if it remembers."""

    appended: int | None
    is_open: bool
    is_recovering: bool
    erased: int

    @property
    def is_empty(self) -> bool:
        return self.appended is None

    def is_level(self, appended: int) -> bool:
        """Whether a partition from whose stream so many events came is open, and has forgotten none of them."""
        return self.is_open and (self.appended or 0) >= appended


class Recovered(NamedTuple):
    """What a recovery did. `lost` is how many events Redis lacked."""

    partition: int
    lost: int
    users: int
    events: int
    seconds: float


class Recovery:
    def __init__(
        self, redis: Redis, ledger: Ledger, history: History, constants: Constants, home: str = ONLY_HOME
    ) -> None:
        """`home` is the name of this Redis, where it is one server of a cluster."""
        self._redis = redis
        self._home = home
        self._ledger = ledger
        self._history = history
        self._constants = constants

    async def level(self, partition: int, checkpoint: Checkpoint) -> Recovered | None:
        """Bring the partition level if it is not, and open it. Gives what was done, or None when it was level and open.

        Raises FlushConflict when the checkpoint is not the partition's any more, Unavailable, and what asyncpg raises;
        the partition then stays closed.
        """
        stand = (await self.stands([partition]))[partition]
        before = await self._appended_before_waiting(partition, checkpoint.entry, stand)
        if before == checkpoint.appended and stand.is_open:
            return None
        # What waits in the stream is appended anew: no flusher that has read it before may still commit it.
        fenced = await self._ledger.fence(partition, checkpoint)
        return await self._pinned(partition)._recover(partition, fenced)

    def _pinned(self, partition: int) -> Recovery:
        """The same at the very server that has the partition now.

        Should that lose it half-way, the rest is refused, not done by another one that may lack what was done before.
        """
        server = server_of(self._redis, keys.log(partition))
        if server is self._redis:
            return self
        home = home_of(self._redis, keys.log(partition))
        return Recovery(server, self._ledger, self._history, self._constants, home)

    async def stands(self, partitions: Sequence[int]) -> dict[int, Stand]:
        """Where these partitions stand, in one round trip. Raises RedisUnavailable."""
        pipeline = self._redis.pipeline(transaction=False)
        for partition in partitions:
            pipeline.hmget(keys.log(partition), ["appended", "open", "recovering", "erased"])
        found = await scripts.guarded(pipeline.execute())
        return {
            partition: Stand(
                None if appended is None else int(appended),
                open_at == home_of(self._redis, keys.log(partition)).encode(),
                recovering is not None,
                int(erased or 0),
            )
            for partition, (appended, open_at, recovering, erased) in zip(partitions, found, strict=True)
        }

    async def _appended_before_waiting(self, partition: int, cursor: EntryId, stand: Stand) -> int:
        """How many events Redis knows of up to the cursor."""
        found = await read_entries(self._redis, {partition: cursor}, 1)
        if partition in found:
            (first,) = found[partition]
            return first.appended - first.counted
        return stand.appended or 0

    async def _recover(self, partition: int, checkpoint: Checkpoint) -> Recovered:
        started = time.monotonic()
        token = await self._close(partition)
        stand = (await self.stands([partition]))[partition]
        waiting = await self._waiting(partition)
        is_told = bool(waiting) and waiting[0].appended >= 0  # a stranger's entry tells nothing
        known = waiting[0].appended - waiting[0].counted if is_told else stand.appended or 0
        lost = checkpoint.appended - known
        if lost > 0:
            _log.warning("redis_went_back", partition=partition, lost_events=lost, of=checkpoint.appended)
        if lost < 0:
            # Postgres went back: its lost rows are nowhere any more. What Redis counted stays.
            _log.error("postgres_went_back", partition=partition, lost_rows=-lost)
        users = events = 0
        if lost > 0:
            task = _Task(partition, token, checkpoint, waiting)
            names = await self._users_to_rebuild(task, lost, stand)
            users, events = len(names), await self._rebuild(task, names)
        # Whoever is not rebuilt in an emptied Redis comes back from Postgres when an event does.
        await self._resume(partition, token, checkpoint, waiting, is_sparse=lost > 0 and stand.is_empty)
        recovered = Recovered(partition, max(0, lost), users, events, round(time.monotonic() - started, 3))
        if lost:
            _log.info("recovered", **recovered._asdict())
        return recovered

    async def _users_to_rebuild(self, task: _Task, lost: int, stand: Stand) -> list[str]:
        """All whose state is not what Postgres' snapshots say, or may not be so in Redis."""
        names = {user for user, _ in await self._ledger.changed_since_snapshot(task.partition)}
        names |= {event.user for entry in task.waiting for _, event, _ in readable_events(entry)}
        names |= {user for user, _ in await parked_changes(self._ledger.parking, task.partition)}
        names |= task.erased
        if not stand.is_empty:
            names |= await self._history.users_of_last_events(task.partition, lost)
        if stand.erased < task.checkpoint.erased:
            names |= await self._strangers(task.partition)
        return sorted(names)

    async def _rebuild(self, task: _Task, names: list[str]) -> int:
        """Put these users and all movies in place; gives how many events were applied again to build them."""
        given = await self._history.movie_shares(task.partition, names)
        shares = {slug: MovieRecord(*share) for slug, share in given.items()}
        events = 0
        for start in range(0, len(names), USERS_AT_ONCE):
            events += await self._put(task, names[start : start + USERS_AT_ONCE], shares)
        await self._put_movies(task, shares)
        return events

    async def _put(self, task: _Task, names: list[str], shares: dict[str, MovieRecord]) -> int:
        """Put some users in place, and add to the shares what they give to movies."""
        built, events = await self.build(
            task.partition, names, task.checkpoint.snapshot, task.checkpoint.entry
        )
        events += _apply_waiting(built, task.waiting, set(names))
        now_us = clock.now_us()
        here = await self._slugs(task.partition, names)
        put = Put(now_us, task.appended, self._constants.idempotency_window_us)
        calls = []
        for image in await images_of(self._history, built, names, now_us, forgotten=task.erased):
            others = here[image.name] - image.pairs.keys()
            calls.append(put_user(task.partition, task.token, image, put, others))
            for slug in others:
                shares.setdefault(slug, MovieRecord())
            for slug, pair in image.pairs.items():
                shares[slug] = shares.get(slug, MovieRecord()).plus(_given_by(pair))
        await self._make(calls)
        return events

    async def _put_movies(self, task: _Task, shares: dict[str, MovieRecord]) -> None:
        slugs = list(shares)
        for start in range(0, len(slugs), MOVIES_AT_ONCE):
            some = slugs[start : start + MOVIES_AT_ONCE]
            spelled = [keys.log(task.partition), *(keys.movie(task.partition, slug) for slug in some)]
            await self._make([("put_movies", spelled, [task.token, *(shares[slug].pack() for slug in some)])])

    async def _slugs(self, partition: int, names: list[str]) -> dict[str, set[str]]:
        """The movies of which Redis has a pair, of each of these users."""
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            pipeline.hkeys(keys.user(partition, name))
        found = await scripts.guarded(pipeline.execute())
        return {
            name: {field[2:].decode() for field in fields if field.startswith(b"m:")}
            for name, fields in zip(names, found, strict=True)
        }

    async def _strangers(self, partition: int) -> set[str]:
        """Users in Redis of whom Postgres knows nothing: erased, and Redis has forgotten that."""
        strangers: set[str] = set()
        cursor = "0"
        while True:
            found = await find_idle(self._redis, partition, cursor, EVERYBODY_US, EVERYTHING)
            names = {name for name, _ in found.users}
            strangers |= names - await self._history.known_users(list(names))
            cursor = found.cursor
            if cursor == "0":
                return strangers

    async def _make(self, calls: list[scripts.Call]) -> None:
        for reply in await scripts.call(self._redis, calls):
            if isinstance(reply, Exception):
                raise reply

    async def _close(self, partition: int) -> str:
        token = uuid4().hex
        await scripts.call_one(self._redis, "close", [keys.log(partition)], [token])
        return token

    async def _resume(
        self, partition: int, token: str, checkpoint: Checkpoint, waiting: list[Entry], *, is_sparse: bool
    ) -> None:
        await scripts.call_one(
            self._redis,
            "resume",
            [keys.stream(partition), keys.log(partition)],
            [
                token,
                str(checkpoint.entry),
                checkpoint.appended,
                self._home,
                checkpoint.erased,
                "1" if is_sparse else "0",
                *(str(entry.id) for entry in waiting),
            ],
        )

    async def _waiting(self, partition: int) -> list[Entry]:
        """The entries of the stream that Postgres does not have, wherever their ids lie."""
        waiting: list[Entry] = []
        cursor = START
        while found := await read_entries(self._redis, {partition: cursor}, ENTRIES_AT_ONCE):
            entries = found[partition]
            stored = await self._history.known_entries(partition, [entry.id for entry in entries])
            waiting += (entry for entry in entries if entry.id not in stored)
            cursor = entries[-1].id
        return waiting

    async def build(
        self, partition: int, names: list[str], after: EntryId, upto: EntryId
    ) -> tuple[Model, int]:
        """These users as Postgres knows them: their snapshots, and the raw events after those applied to them.

        `after` is the partition's snapshot checkpoint. Gives also how many events that were.
        """
        model, versions = await snapshots_of(self._history, self._constants, names)
        # Every pair's snapshot is true at least up to the snapshot checkpoint, and what has none began after it.
        applied = 0
        for entry, event in await raw_events(self._history, partition, names, after, upto):
            if entry > versions.get((event.user, event.slug), START):
                model.apply(event)
                applied += 1
        return model, applied


class _Task(NamedTuple):
    """One recovery of one partition. `waiting` entries are in Redis and not in Postgres."""

    partition: int
    token: str
    checkpoint: Checkpoint
    waiting: list[Entry]

    @property
    def appended(self) -> int:
        """The count of events once the partition is level."""
        return self.checkpoint.appended + sum(entry.counted for entry in self.waiting)

    @property
    def erased(self) -> set[str]:
        """Who is still to be erased from Postgres."""
        return {entry.erased for entry in self.waiting if entry.erased is not None}


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
