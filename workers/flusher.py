"""The flusher: moves entries from the streams into Postgres, exactly once.

One step reads what the streams have after each partition's checkpoint, commits rows, snapshots and the moved
checkpoints in one transaction, and only then trims. Killed anywhere, it begins again at the checkpoint: what was not
committed is still in the stream, and what was committed is never committed again, since a checkpoint moves only from
where it was read. Two flushers at once are safe for the same reason: the slower one's commit is refused.

A snapshot holds everything up to its version, so it is committed in the transaction that brings the rows up to
there, or in a later one: never before its rows.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from service import metrics
from service.db.records import CheckpointMove, EntryId, Flush, Snapshots
from service.errors import FlushConflict
from workers.entries import Changed, Entry, Row, add_changed, read_entries, rows_of, trim
from workers.snapshots import Snapshot, take_snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from service.db.ledger import Ledger
    from workers.recovery import Recovery

_log = structlog.get_logger()

ENTRIES_MIN, ENTRIES_MAX = 8, 4000
"""Entries read at once of one partition: from a few packs of a thousand events to many of a single one."""

IDLE_SECONDS = 1.0
"""How often an idle flusher looks whether Redis went back, or another flusher moved a checkpoint."""


@dataclass(slots=True)
class Progress:
    """How far one partition has come. `snapshot` waits for the rows up to its version to be committed with it."""

    cursor: EntryId
    appended: int
    changed: Changed = field(default_factory=dict)
    snapshot: Snapshot | None = None
    snapshot_due: float = 0.0
    snapshot_upto: EntryId | None = None
    """The cursor at which `snapshot` was taken, when it holds all that had changed by then; else None."""


class Flusher:
    """`step` is driven by `workers.loop.drive`. A failed step leaves everything as it was."""

    def __init__(
        self,
        redis: Redis,
        ledger: Ledger,
        recovery: Recovery,
        partitions: Sequence[int],
        *,
        events_max: int,
        snapshot_interval_seconds: float,
    ) -> None:
        self._redis = redis
        self._ledger = ledger
        self._recovery = recovery
        self._partitions = partitions
        self._events_max = events_max
        self._snapshot_interval_seconds = snapshot_interval_seconds
        self._progress: dict[int, Progress] | None = None
        self._entries_count = ENTRIES_MIN
        self._looked_at = time.monotonic()

    async def step(self) -> bool:
        """One flush. Gives whether more is waiting. After any failure the next step starts from the checkpoints."""
        started = time.monotonic()
        try:
            if self._progress is None:
                self._progress = await self._start()
            return await self._flush(self._progress, started)
        except FlushConflict as conflict:
            _log.warning("flush_conflict", detail=str(conflict))
            self._progress = None
            return False
        except _WentBack:  # the next step starts with bringing Redis level
            self._progress = None
            return True
        except BaseException:
            self._progress = None
            raise

    async def finish(self) -> None:
        """Flush until nothing is left, snapshots included, whether they are due or not."""
        self._snapshot_interval_seconds = 0.0
        while await self.step() or self._is_behind():
            pass

    def _is_behind(self) -> bool:
        return self._progress is None or any(
            mine.changed or mine.snapshot for mine in self._progress.values()
        )

    async def _start(self) -> dict[int, Progress]:
        """From the checkpoints on, with every partition level and open.

        What was committed but not trimmed is trimmed; what has no snapshot yet is noted.
        """
        checkpoints = await self._ledger.checkpoints(self._partitions)
        levelled = [await self._recovery.level(partition, at) for partition, at in checkpoints.items()]
        if any(levelled):
            checkpoints = await self._ledger.checkpoints(self._partitions)
        await trim(self._redis, {partition: at.entry for partition, at in checkpoints.items()})
        return {
            partition: Progress(at.entry, at.appended, await self._ledger.changed_since_snapshot(partition))
            for partition, at in checkpoints.items()
        }

    async def _flush(self, progress: dict[int, Progress], started: float) -> bool:
        await self._take_snapshots(progress, started)
        found = await read_entries(
            self._redis, {partition: mine.cursor for partition, mine in progress.items()}, self._entries_count
        )
        _refuse_gaps(progress, found)
        rows, changed = _gather(found)
        moves = [
            CheckpointMove(
                partition, progress[partition].cursor, entries[-1].id, sum(entry.counted for entry in entries)
            )
            for partition, entries in found.items()
        ]
        reached = {move.partition: move.after for move in moves}
        ready = [
            mine.snapshot
            for partition, mine in progress.items()
            if mine.snapshot and mine.snapshot.version <= reached.get(partition, mine.cursor)
        ]
        if not rows and not ready:
            return await self._look_around(progress, started)
        await self._ledger.commit(Flush(moves, rows, _joined(ready, progress)))
        await trim(self._redis, reached)
        self._follow(progress, found, changed, ready, started)
        metrics.FLUSHED.inc(len(rows))
        metrics.SNAPSHOTS.inc(sum(len(snapshot.states.pairs) for snapshot in ready))
        metrics.FLUSH_SECONDS.observe(time.monotonic() - started)
        return self._adapt(found, len(rows))

    async def _look_around(self, progress: dict[int, Progress], now: float) -> bool:
        """What was lost in Redis, or taken by another flusher, is not found in the streams: the counts tell of it."""
        if now - self._looked_at < IDLE_SECONDS:
            return False
        self._looked_at = now
        stands = await self._recovery.stands(self._partitions)
        if not all(stands[partition].is_level(mine.appended) for partition, mine in progress.items()):
            raise _WentBack
        checkpoints = await self._ledger.checkpoints(self._partitions)
        if all(checkpoints[partition].entry == mine.cursor for partition, mine in progress.items()):
            return False
        self._progress = None
        return True

    async def _take_snapshots(self, progress: dict[int, Progress], now: float) -> None:
        """Of each partition that has one due and none under way. What changes from here on is for the next one."""
        for partition, mine in progress.items():
            is_due = now >= mine.snapshot_due or not self._snapshot_interval_seconds
            if mine.snapshot is None and mine.changed and is_due:
                mine.snapshot = await take_snapshot(self._redis, partition, mine.changed)
                if mine.snapshot.version < mine.cursor:  # it lacks what is already in Postgres
                    raise _WentBack
                mine.snapshot_upto = None if mine.changed else mine.cursor

    def _follow(
        self,
        progress: dict[int, Progress],
        found: dict[int, list[Entry]],
        changed: dict[int, Changed],
        ready: list[Snapshot],
        now: float,
    ) -> None:
        for partition, entries in found.items():
            progress[partition].cursor = entries[-1].id
            progress[partition].appended = entries[-1].appended
            add_changed(progress[partition].changed, changed[partition])
        for snapshot in ready:
            mine = progress[snapshot.partition]
            mine.snapshot = None
            # What is left over from a snapshot that could not hold all goes into the next one at once.
            mine.snapshot_due = now + self._snapshot_interval_seconds if mine.snapshot_upto else now

    def _adapt(self, found: dict[int, list[Entry]], events: int) -> bool:
        """Read as many entries next time as bring about `events_max` events. Gives whether a partition had more."""
        full = any(len(entries) >= self._entries_count for entries in found.values())
        entries = sum(map(len, found.values()))
        if entries:
            per_partition = self._events_max * entries // max(events, 1) // len(self._partitions)
            self._entries_count = max(ENTRIES_MIN, min(ENTRIES_MAX, per_partition))
        return full


class _WentBack(Exception):
    """Redis has forgotten events that Postgres has."""


def _refuse_gaps(progress: dict[int, Progress], found: dict[int, list[Entry]]) -> None:
    """Each entry goes on where the one before it ended; the first one where Postgres does."""
    for partition, entries in found.items():
        appended = progress[partition].appended
        for entry in entries:
            if entry.appended - entry.counted != appended:
                raise _WentBack
            appended = entry.appended


def _gather(found: dict[int, list[Entry]]) -> tuple[list[Row], dict[int, Changed]]:
    """All rows of all entries, and what changed in each partition."""
    rows: list[Row] = []
    changed: dict[int, Changed] = {partition: {} for partition in found}
    for partition, entries in found.items():
        for entry in entries:
            rows += rows_of(partition, entry, changed[partition])
    return rows, changed


def _joined(ready: list[Snapshot], progress: dict[int, Progress]) -> Snapshots | None:
    """Several partitions' snapshots as one. They share no name: every counter belongs to one partition."""
    if not ready:
        return None
    upto = {
        snapshot.partition: cursor
        for snapshot in ready
        if (cursor := progress[snapshot.partition].snapshot_upto) is not None
    }
    return Snapshots(
        users=[user for snapshot in ready for user in snapshot.states.users],
        pairs=[pair for snapshot in ready for pair in snapshot.states.pairs],
        sessions=[session for snapshot in ready for session in snapshot.states.sessions],
        movie_shares=[share for snapshot in ready for share in snapshot.states.movie_shares],
        upto=upto,
    )
