"""The flusher: moves entries from the streams into Postgres, exactly once.

One step reads what the streams have after each held partition's checkpoint, commits rows, snapshots and the moved
checkpoints in one transaction, and only then trims. Killed anywhere, it begins again at the checkpoint: what was not
committed is still in the stream, and what was committed is never committed again, since a checkpoint moves only from
where it was read, and only for whoever holds the partition (`workers.leases`).

A snapshot holds everything up to its version, so it is committed in the transaction that brings the rows up to
there, or in a later one: never before its rows.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from service import metrics
from service.counters import keys
from service.counters.servers import home_of
from service.db.failures import blames_the_data
from service.errors import FlushConflict
from service.stored.parked import parked_changes
from workers.entries import add_changed, movies_alone, read_entries, trim
from workers.eviction import forget
from workers.parking import first_line, follow, redacting, store_each, store_snapshot
from workers.progress import (
    Found,
    Progress,
    WentBack,
    erasures_in,
    flush_of,
    gather,
    ready_snapshots,
    without_gaps,
)
from workers.snapshots import Snapshot, take_snapshot
from workers.standing import stands_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from redis.asyncio import Redis

    from service.db.ledger import Ledger
    from workers.leases import Leases
    from workers.recovery import Recovery

_log = structlog.get_logger()

ENTRIES_MIN, ENTRIES_MAX = 8, 4000
"""Entries read at once of one partition: from a few packs of a thousand events to many of a single one."""

IDLE_SECONDS = 1.0
"""How often an idle flusher looks whether Redis went back."""


class Flusher:
    """`step` is driven by `workers.loop.drive`. A failed step leaves everything as it was."""

    def __init__(
        self,
        redis: Redis,
        ledger: Ledger,
        recovery: Recovery,
        leases: Leases,
        *,
        events_max: int,
        snapshot_interval_seconds: float,
    ) -> None:
        self._redis = redis
        self._ledger = ledger
        self._recovery = recovery
        self._leases = leases
        self._events_max = events_max
        self._snapshot_interval_seconds = snapshot_interval_seconds
        self._progress: dict[int, Progress] = {}
        self._entries_count = ENTRIES_MIN
        self._looked_at = time.monotonic()

    async def step(self) -> bool:
        """One flush of the partitions held. Gives whether more is waiting.

        After a failure the next step starts from the checkpoints.
        """
        started = time.monotonic()
        await self._leases.balance()
        failed = await self._follow_leases()
        more = await self._flush_held(started)
        if failed:
            raise failed
        return more

    async def finish(self) -> None:
        """Flush until nothing is left, snapshots included, whether they are due or not."""
        self._snapshot_interval_seconds = 0.0
        while await self.step() or self._is_behind():
            pass

    @property
    def snapshotted(self) -> dict[int, int]:
        """For each partition, how many of its events Postgres has in rows and in snapshots both."""
        return {partition: mine.snapshotted for partition, mine in self._progress.items()}

    async def _flush_held(self, started: float) -> bool:
        try:
            return await self._flush(self._progress, started)
        except FlushConflict as conflict:
            _log.warning("flush_conflict", detail=str(conflict))
            self._forget(conflict.partitions)
            self._leases.look_again()
            return False
        except WentBack as back:  # the next step starts with bringing Redis level
            self._forget(back.partitions)
            return True
        except BaseException:
            self._progress.clear()
            raise

    def _is_behind(self) -> bool:
        return self._progress.keys() != self._leases.held.keys() or any(
            mine.snapshot or (mine.is_unsnapshotted and not mine.refused_until)
            for mine in self._progress.values()
        )

    def _forget(self, partitions: Collection[int]) -> None:
        """The next step begins them again, if they are still held."""
        for partition in partitions:
            self._progress.pop(partition, None)

    async def _follow_leases(self) -> Exception | None:
        """Begin the partitions that were taken, and those that somebody fenced; drop those that are held no more.

        Gives what beginning one failed with: the others go on meanwhile.
        """
        held, failure = self._leases.held, None
        self._forget(
            [
                partition
                for partition, mine in self._progress.items()
                if partition not in held or mine.epoch < held[partition]
            ]
        )
        for partition in sorted(held.keys() - self._progress.keys()):
            try:
                if begun := await self._begin(partition):
                    self._progress[partition] = begun
            except Exception as failed:
                failure = failed
        return failure

    async def _begin(self, partition: int) -> Progress | None:
        """From the checkpoint on, with the partition level and open; None when it is another flusher's by now.

        What was committed but not trimmed is trimmed; what has no snapshot yet is noted.
        """
        home = self._home(partition)
        checkpoint = (await self._ledger.checkpoints([partition]))[partition]
        if checkpoint.holder != self._leases.name:
            self._leases.look_again()
            return None
        if await self._recovery.level(partition, checkpoint):
            checkpoint = (await self._ledger.checkpoints([partition]))[partition]
        await trim(self._redis, {partition: checkpoint.entry})
        changed = await self._ledger.changed_since_snapshot(partition)
        add_changed(changed, await parked_changes(self._ledger.parking, partition, checkpoint.snapshot))
        thinned = await self._ledger.thinned_since_snapshot(partition)
        add_changed(changed, movies_alone(thinned))
        is_snapshotted = checkpoint.snapshot >= checkpoint.entry
        return Progress(
            checkpoint.epoch,
            checkpoint.entry,
            checkpoint.appended,
            changed,
            home,
            snapshotted=checkpoint.appended if is_snapshotted else 0,
        )

    async def _flush(self, progress: dict[int, Progress], started: float) -> bool:
        if not progress:
            return False
        self._refuse_moved(progress)
        await self._take_snapshots(progress, started)
        cursors = {partition: mine.cursor for partition, mine in progress.items()}
        read = await read_entries(self._redis, cursors, self._entries_count)
        found = without_gaps(progress, read)
        ready = ready_snapshots(progress, found)
        if not found and not ready:
            return await self._look_around(progress, started)
        rows = await self._store(progress, found, ready, started)
        await trim(self._redis, {partition: entries[-1].id for partition, entries in found.items()})
        await forget(
            self._redis,
            erasures_in(found),
            {partition: entries[-1].appended for partition, entries in found.items()},
        )
        self._done(progress, ready, started)
        metrics.FLUSHED.inc(rows)
        metrics.SNAPSHOTS.inc(sum(len(snapshot.states.pairs) for snapshot in ready))
        metrics.FLUSH_SECONDS.observe(time.monotonic() - started)
        return self._adapt(found, rows)

    def _refuse_moved(self, progress: dict[int, Progress]) -> None:
        """A partition is open at one server only; another one that has it now may lack what was flushed."""
        moved = {partition for partition, mine in progress.items() if mine.home != self._home(partition)}
        if moved:
            raise WentBack(moved)

    def _home(self, partition: int) -> str:
        return home_of(self._redis, keys.log(partition))

    async def _store(
        self, progress: dict[int, Progress], found: Found, ready: list[Snapshot], now: float
    ) -> int:
        """Commit all at once; where Postgres refuses it for what is in it, piece by piece. Gives how many rows."""
        batch = gather(progress, found)
        try:
            await self._ledger.commit(await redacting(self._ledger, flush_of(progress, batch, ready)))
        except Exception as refused:
            if not blames_the_data(refused):
                raise
            _log.warning("flush_refused", error=first_line(refused))
        else:
            follow(progress, batch)
            return batch.copied.rows
        rows = 0
        for partition, entries in found.items():
            rows += await store_each(self._ledger, partition, progress[partition], entries)
        for snapshot in ready:
            await store_snapshot(self._ledger, progress[snapshot.partition], snapshot, now)
        return rows

    async def _look_around(self, progress: dict[int, Progress], now: float) -> bool:
        """What was lost in Redis is not found in the streams: the counts tell of it."""
        if now - self._looked_at < IDLE_SECONDS:
            return False
        self._looked_at = now
        stands = await stands_of(self._redis, list(progress))
        back = {
            partition for partition, mine in progress.items() if not stands[partition].is_level(mine.appended)
        }
        if back:
            raise WentBack(back)
        return False

    async def _take_snapshots(self, progress: dict[int, Progress], now: float) -> None:
        """Of each partition that has one due and none under way: the next one of a round, or a new round's first."""
        for partition, mine in progress.items():
            if mine.snapshot or now < mine.refused_until:
                continue
            if not mine.waiting and (now >= mine.snapshot_due or not self._snapshot_interval_seconds):
                mine.begin_round()
            if mine.waiting:
                mine.took(
                    await take_snapshot(self._redis, partition, mine.waiting, mine.changed, mine.movies)
                )
                assert mine.snapshot
                if mine.snapshot.oldest < mine.cursor:  # it lacks what is already in Postgres
                    raise WentBack({partition})
                mine.refused_until = 0.0

    def _done(self, progress: dict[int, Progress], ready: list[Snapshot], now: float) -> None:
        for snapshot in ready:
            mine = progress[snapshot.partition]
            mine.snapshot = None
            if mine.snapshot_upto:
                mine.snapshotted = mine.snapshot_appended
                mine.snapshot_due = now + self._snapshot_interval_seconds

    def _adapt(self, found: Found, events: int) -> bool:
        """Read as many entries next time as bring about `events_max` events. Gives whether a partition had more."""
        full = any(len(entries) >= self._entries_count for entries in found.values())
        entries = sum(map(len, found.values()))
        if entries:
            per_partition = self._events_max * entries // max(events, 1) // len(self._progress)
            self._entries_count = max(ENTRIES_MIN, min(ENTRIES_MAX, per_partition))
        return full
