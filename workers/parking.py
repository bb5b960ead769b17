"""What cannot be stored is found among what can be, and parked with its reason: it blocks nothing, and is not lost."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg
import structlog

from service import metrics
from service.db.copying import Copied
from service.db.failures import blames_the_data
from service.db.records import START
from service.stored.parked import without
from workers.entries import Entry, Row, rows_of
from workers.loop import said
from workers.progress import Batch, flush_of, gather, parked_entry

if TYPE_CHECKING:
    from service.db.ledger import Ledger
    from service.db.parking import ParkedEntry
    from service.db.records import Flush
    from workers.progress import Progress
    from workers.snapshots import Snapshot

_log = structlog.get_logger()

REFUSED_SECONDS = 30.0
"""Between two tries of snapshots that Postgres refuses: somebody has to do something about it first."""


async def store_each(ledger: Ledger, partition: int, mine: Progress, entries: list[Entry]) -> int:
    """Commit these entries of one partition; each of those that Postgres refuses is parked. Gives how many rows.

    Halved again and again until each culprit is alone: a commit for each half that has one, not one for each entry.
    Raises what says nothing of the entries, a lost connection for example; what was committed until then stays so.
    """
    batch = gather({partition: mine}, {partition: entries})
    try:
        await commit(ledger, {partition: mine}, batch)
    except Exception as refused:
        if not blames_the_data(refused):
            raise
        if len(entries) == 1:
            await _give_up(ledger, partition, mine, batch, refused)
            return 0
        half = len(entries) // 2
        rows = await store_each(ledger, partition, mine, entries[:half])
        return rows + await store_each(ledger, partition, mine, entries[half:])
    return batch.copied.rows


async def commit(ledger: Ledger, progress: dict[int, Progress], batch: Batch) -> None:
    """Commit a batch without snapshots, and follow it."""
    await ledger.commit(await redacting(ledger, flush_of(progress, batch, [])))
    follow(progress, batch)


async def redacting(ledger: Ledger, flush: Flush) -> Flush:
    """The flush, erasing its users from parked entries too. What can't be read can't be searched, and stays."""
    redacted = [
        (one, left)
        for erasure in flush.erasures
        for one in await ledger.parking.entries(erasure.partition, START, erasure.entry)
        if (left := without(one, erasure.user_id)) is not one
    ]
    return replace(flush, redacted=redacted) if redacted else flush


def follow(progress: dict[int, Progress], batch: Batch) -> None:
    """The batch was committed."""
    for partition, entries in batch.found.items():
        progress[partition].follow(entries)
    for one in batch.parked:
        metrics.PARKED.inc()
        _log.error(
            "entry_parked",
            partition=one.partition,
            entry=str(one.entry),
            events=one.events,
            reason=one.reason,
            detail=one.detail,
        )


async def _give_up(ledger: Ledger, partition: int, mine: Progress, batch: Batch, refused: Exception) -> None:
    """Commit one entry without its rows: parked; or left out, where exactly these rows are there already.

    That can't come from a commit of ours that was repeated, for its checkpoint would have been refused. But a database
    that was put back, or a checkpoint that was moved by hand, brings it about.
    """
    (entry,) = batch.found[partition]
    is_there = isinstance(refused, asyncpg.UniqueViolationError) and await ledger.parking.is_stored(
        partition, entry.id, rows_of(partition, entry, {})
    )
    if is_there:
        _log.warning("entry_was_there", partition=partition, entry=str(entry.id), events=entry.counted)
    parked = [] if is_there else [parked_entry(partition, entry, reason_of(refused), first_line(refused))]
    await commit(ledger, {partition: mine}, batch._replace(copied=Copied(), parked=parked))


def parked_rows(one: ParkedEntry) -> list[Row]:
    """Raises what makes the entry unreadable."""
    return rows_of(one.partition, Entry(one.entry, one.run, one.outcomes, one.appended), {})


async def store_snapshot(ledger: Ledger, mine: Progress, snapshot: Snapshot, now: float) -> None:
    """Commit a snapshot without any rows. Where it is refused its rows stand for it, and it is tried again later."""
    try:
        await ledger.commit(flush_of({snapshot.partition: mine}, gather({}, {}), [snapshot]))
    except Exception as refused:
        if not blames_the_data(refused):
            raise
        mine.refused_until = now + REFUSED_SECONDS
        mine.put_back(snapshot.changed)
        metrics.SNAPSHOTS_REFUSED.inc()
        _log.error("snapshot_refused", partition=snapshot.partition, detail=first_line(refused))


def first_line(refused: Exception) -> str:
    """Without Postgres' details, which quote the row: whose it is does not belong into a log."""
    return said(refused).splitlines()[0]


def reason_of(refused: Exception) -> str:
    """`CheckViolationError` is a `check_violation`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(refused).__name__.removesuffix("Error")).lower()
