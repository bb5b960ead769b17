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

from service.counters import keys, scripts
from service.counters.servers import ONLY_HOME, home_of, server_of
from service.db.records import START, Checkpoint, EntryId
from workers.entries import Entry, read_entries
from workers.rebuilding import Gap, Rebuilding
from workers.standing import Stand, stands_of

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from service.db.history import History
    from service.db.ledger import Ledger
    from service.rules.constants import Constants

_log = structlog.get_logger()

ENTRIES_AT_ONCE = 1000


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
        stand = (await stands_of(self._redis, [partition]))[partition]
        before = await self._appended_before_waiting(partition, checkpoint.entry, stand)
        # One that was put back as it was before a recovery has all events, and gives ids that the flusher has passed.
        is_later = stand.last >= checkpoint.entry
        if before == checkpoint.appended and is_later and stand.is_open:
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
        stand = (await stands_of(self._redis, [partition]))[partition]
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
            gap = Gap(partition, token, checkpoint, waiting, lost, stand)
            rebuilding = Rebuilding(self._redis, self._ledger, self._history, self._constants, gap)
            users, events = await rebuilding.run()
        # Whoever is not rebuilt in an emptied Redis comes back from Postgres when an event does.
        await self._resume(partition, token, checkpoint, waiting, is_sparse=lost > 0 and stand.is_empty)
        recovered = Recovered(partition, max(0, lost), users, events, round(time.monotonic() - started, 3))
        if lost:
            _log.info("recovered", **recovered._asdict())
        return recovered

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
