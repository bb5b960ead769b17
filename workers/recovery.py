"""Recovery: brings a partition in Redis level with what Postgres has of it, and opens it for events.

A partition is level when the events that Postgres has and the events that wait in the stream follow each other without
a gap: the first entry that waits says how many events came before it, and the checkpoint says how many Postgres has.
Fewer in Redis means that it went back in time: it was emptied, lost its disk, or a replica took over that had not seen
all. Then the users of the lost events are built again from their snapshots, the raw events after those, and what waits
in the stream, and put in the place of what Redis has of them. An emptied Redis has lost everybody.

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
from service.counters import images, keys, scripts
from service.counters.images import UserImage, put_user
from service.counters.records import PairRecord, SessionRecord
from service.counters.servers import ONLY_HOME, home_of, server_of
from service.db.records import START, EntryId
from service.rules.model import Model, User
from workers.entries import Entry, events_of, read_entries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from redis.asyncio import Redis

    from service.db.history import History
    from service.db.ledger import Ledger
    from service.db.records import Checkpoint
    from service.rules.constants import Constants

_log = structlog.get_logger()

USERS_AT_ONCE = 200
"""Users built at once: their snapshots, events and images are held in memory."""

ENTRIES_AT_ONCE = 1000


class Stand(NamedTuple):
    """Where a partition of Redis stands: `appended` events were ever put into its stream, if it remembers."""

    appended: int | None
    is_open: bool
    is_recovering: bool

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
            pipeline.hmget(keys.log(partition), ["appended", "open", "recovering"])
        found = await scripts.guarded(pipeline.execute())
        return {
            partition: Stand(
                None if appended is None else int(appended),
                open_at == home_of(self._redis, keys.log(partition)).encode(),
                recovering is not None,
            )
            for partition, (appended, open_at, recovering) in zip(partitions, found, strict=True)
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
        known = waiting[0].appended - waiting[0].counted if waiting else stand.appended or 0
        lost = checkpoint.appended - known
        if lost > 0:
            _log.warning("redis_went_back", partition=partition, lost_events=lost, of=checkpoint.appended)
        if lost < 0:
            # Postgres went back: its lost rows are nowhere any more. What Redis counted stays.
            _log.error("postgres_went_back", partition=partition, lost_rows=-lost)
        users = events = 0
        async for names in self._lost_users(partition, lost, everybody=stand.appended is None):
            events += await self._put(partition, token, checkpoint, names, waiting)
            users += len(names)
        await self._resume(partition, token, checkpoint, waiting)
        recovered = Recovered(partition, max(0, lost), users, events, round(time.monotonic() - started, 3))
        if lost:
            _log.info("recovered", **recovered._asdict())
        return recovered

    async def _close(self, partition: int) -> str:
        token = uuid4().hex
        await scripts.call_one(self._redis, "close", [keys.log(partition)], [token])
        return token

    async def _resume(self, partition: int, token: str, checkpoint: Checkpoint, waiting: list[Entry]) -> None:
        await scripts.call_one(
            self._redis,
            "resume",
            [keys.stream(partition), keys.log(partition)],
            [
                token,
                str(checkpoint.entry),
                checkpoint.appended,
                self._home,
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

    async def _lost_users(self, partition: int, lost: int, *, everybody: bool) -> AsyncIterator[list[str]]:
        if everybody:
            async for names in self._history.users(partition):
                for start in range(0, len(names), USERS_AT_ONCE):
                    yield names[start : start + USERS_AT_ONCE]
        elif lost > 0:
            found = sorted(await self._history.users_of_last_events(partition, lost))
            for start in range(0, len(found), USERS_AT_ONCE):
                yield found[start : start + USERS_AT_ONCE]

    async def _put(
        self, partition: int, token: str, checkpoint: Checkpoint, names: list[str], waiting: list[Entry]
    ) -> int:
        """Put some users in place; gives how many events were applied again to build them."""
        built, events = await self.build(partition, names, checkpoint.snapshot, checkpoint.entry)
        wanted = set(names)
        for entry in waiting:
            for _, event, _ in events_of(entry):
                if event.user in wanted:
                    built.apply(event)
                    events += 1
        since_us = clock.now_us() - self._constants.idempotency_window_us
        ids: dict[str, dict[str, int]] = {}
        for user, identity, received_us in await self._history.ids(names, since_us):
            ids.setdefault(user, {})[identity] = received_us
        calls = [put_user(partition, token, image) for image in _images(built, names, ids)]
        for reply in await scripts.call(self._redis, calls):
            if isinstance(reply, Exception):
                raise reply
        return events

    async def build(
        self, partition: int, names: list[str], after: EntryId, upto: EntryId
    ) -> tuple[Model, int]:
        """These users as Postgres knows them: their snapshots, and the raw events after those applied to them.

        `after` is the partition's snapshot checkpoint. Gives also how many events that were.
        """
        model = Model(self._constants)
        versions: dict[tuple[str, str], EntryId] = {}
        for stored in await self._history.pairs(names):
            model.pairs[stored.user, stored.slug] = images.pair_of(
                PairRecord(*stored.record), stored.coverage
            )
            versions[stored.user, stored.slug] = stored.version
        for kept in await self._history.sessions(names):
            session = images.session_of(SessionRecord(*kept.record))  # type: ignore[arg-type]
            model.pairs[kept.user, kept.slug].sessions[kept.session] = session
        # Every pair's snapshot is true at least up to the snapshot checkpoint, and what has none began after it.
        applied = 0
        for entry, event in await self._history.events(partition, names, after, upto):
            if entry > versions.get((event.user, event.slug), START):
                model.apply(event)
                applied += 1
        return model, applied


def _images(model: Model, names: list[str], ids: dict[str, dict[str, int]]) -> list[UserImage]:
    found = {name: UserImage(name) for name in names}
    for (user, slug), pair in model.pairs.items():
        found[user].pairs[slug] = pair
    for name, image in found.items():
        image.ids = {**ids.get(name, {}), **model.users.get(name, User()).ids}
    return [image for image in found.values() if image.pairs]
