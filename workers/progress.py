"""How far the flusher has come in each partition, and what one flush makes of what it read. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from service.db.copying import Copied
from service.db.parking import ParkedEntry
from service.db.records import START, CheckpointMove, EntryId, Erasure, Flush, Snapshots
from workers.copying import copy_entry
from workers.entries import Changed, Entry, add_changed, movies_alone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.snapshots import Snapshot

Found = dict[int, list[Entry]]
"""The entries that were read of each partition."""

DETAIL_CHARS_MAX = 1000


@dataclass(slots=True)
class Progress:
    """How far one partition has come, under which `epoch`.

    `snapshot` waits for the rows up to its version to be committed with it.
    """

    epoch: int
    cursor: EntryId
    appended: int
    changed: Changed
    """What has changed since the round of snapshots that is under way began, or since the last one; and before it is
    committed, what the rows change that are on their way."""
    home: str
    """The server at which the partition was found level."""
    waiting: Changed = field(default_factory=dict)
    """What is left of the round: all that had changed when it began."""
    round_upto: EntryId = START
    round_appended: int = 0
    """Cursor and `appended` when it began."""
    movies: set[str] = field(default_factory=set)
    """Of the pairs that the round has taken: they wait once no pair does."""
    snapshot: Snapshot | None = None
    snapshot_due: float = 0.0
    refused_until: float = 0.0
    """Until when no snapshot is tried: the last one was refused for good, as far as could be told."""
    snapshot_upto: EntryId | None = None
    """Up to where all is snapshotted with `snapshot`, when it ends its round; else None."""
    snapshot_appended: int = 0
    """`appended` at that place."""
    snapshotted: int = 0
    """The count of events of which Postgres has all snapshots: who had no later one may leave Redis."""

    def follow(self, entries: list[Entry]) -> None:
        """These entries were committed."""
        self.cursor = entries[-1].id
        self.appended = entries[-1].appended

    @property
    def is_unsnapshotted(self) -> bool:
        return bool(self.waiting or self.changed)

    def begin_round(self) -> None:
        """What changes from here on is for the next one, unless its pair is still waiting.

        So nobody is snapshotted twice in a round, and it ends, however much comes in meanwhile.
        """
        self.waiting, self.changed = self.changed, {}
        self.round_upto, self.round_appended = self.cursor, self.appended

    def took(self, snapshot: Snapshot) -> None:
        """With the last one of a round all is snapshotted up to its begin, or until now if nothing else has changed."""
        self.snapshot = snapshot
        self.snapshot_upto = None
        if not self.is_unsnapshotted:
            self.snapshot_upto, self.snapshot_appended = self.cursor, self.appended
        elif not self.waiting:
            self.snapshot_upto, self.snapshot_appended = self.round_upto, self.round_appended

    def put_back(self, refused: Changed) -> None:
        """The round has failed. In the next one all else is taken before what was refused."""
        changed = dict(refused)
        add_changed(changed, self.waiting)
        add_changed(changed, movies_alone(self.movies))
        add_changed(changed, self.changed)
        self.changed, self.waiting, self.movies, self.snapshot_upto = changed, {}, set(), None


class WentBack(Exception):
    """Redis has forgotten events that Postgres has, or another server has taken over, which may have."""

    def __init__(self, partitions: set[int]) -> None:
        super().__init__(sorted(partitions))
        self.partitions = partitions


def without_gaps(progress: Mapping[int, Progress], found: Found) -> Found:
    """Each entry goes on where the one before it ended; the first one where Postgres does. Raises WentBack if not.

    What comes after a gap is left for later: then the gap is in front, where recovery looks for it.
    """
    whole = {
        partition: _up_to_gap(entries, progress[partition].appended) for partition, entries in found.items()
    }
    if gaps := {partition for partition, entries in whole.items() if not entries}:
        raise WentBack(gaps)
    return whole


def _up_to_gap(entries: list[Entry], appended: int) -> list[Entry]:
    for place, entry in enumerate(entries):
        if entry.appended - entry.counted != appended:
            return entries[:place]
        appended = entry.appended
    return entries


class Batch(NamedTuple):
    """What entries become: rows; those that can't be read are `parked`."""

    found: Found
    copied: Copied
    parked: list[ParkedEntry]


def gather(progress: Mapping[int, Progress], found: Found) -> Batch:
    """Notes as changed what the rows change, whether they are committed or not: most pairs are noted already.

    Of one too many the snapshot is taken once too often, or not at all where there is no such pair.
    """
    batch = Batch(found, Copied(), [])
    for partition, entries in found.items():
        changed = progress[partition].changed
        for entry in entries:
            try:
                _refuse_nobody(entry)
                copy_entry(partition, entry, changed, batch.copied)
            except Exception as unreadable:  # whatever a stranger wrote into the stream
                detail = f"{type(unreadable).__name__}: {unreadable}"
                batch.parked.append(parked_entry(partition, entry, "unreadable", detail))
    return batch


def _refuse_nobody(entry: Entry) -> None:
    if entry.is_erasure and entry.erased is None:
        raise ValueError("an erasure that names nobody")


def parked_entry(partition: int, entry: Entry, reason: str, detail: str) -> ParkedEntry:
    """The detail quotes what was refused, and must not be refused for the same reason."""
    plain = detail.replace("\0", "").encode(errors="replace").decode()[:DETAIL_CHARS_MAX]
    return ParkedEntry(
        partition, entry.id, entry.run, entry.outcomes, entry.appended, entry.counted, reason, plain
    )


def ready_snapshots(progress: Mapping[int, Progress], found: Found) -> list[Snapshot]:
    """Those whose rows are committed once what was found is."""
    return [
        mine.snapshot
        for partition, mine in progress.items()
        if mine.snapshot
        and mine.snapshot.version <= (found[partition][-1].id if partition in found else mine.cursor)
    ]


def flush_of(progress: Mapping[int, Progress], batch: Batch, ready: list[Snapshot]) -> Flush:
    """What one transaction is to commit."""
    found = batch.found
    moves = [
        CheckpointMove(
            partition,
            progress[partition].cursor,
            entries[-1].id,
            entries[-1].appended - progress[partition].appended,
            sum(entry.erased is not None for entry in entries),
        )
        for partition, entries in found.items()
    ]
    touched = {*found, *(snapshot.partition for snapshot in ready)}
    epochs = {partition: progress[partition].epoch for partition in touched}
    return Flush(
        moves,
        snapshots=_joined(ready, progress),
        erasures=erasures_in(found),
        epochs=epochs,
        parked=batch.parked,
        copied=batch.copied,
    )


def erasures_in(found: Found) -> list[Erasure]:
    return [
        Erasure(partition, entry.id, name)
        for partition, entries in found.items()
        for entry in entries
        if (name := entry.erased) is not None
    ]


def _joined(ready: list[Snapshot], progress: Mapping[int, Progress]) -> Snapshots | None:
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
        scopes=[scope for snapshot in ready for scope in snapshot.states.scopes],
        sessions=[session for snapshot in ready for session in snapshot.states.sessions],
        movie_shares=[share for snapshot in ready for share in snapshot.states.movie_shares],
        upto=upto,
    )
