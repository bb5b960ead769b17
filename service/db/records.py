"""What passes between the flusher and the ledger. Every time is in whole microseconds since 1970, UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from service.db.copying import Copied

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.db.parking import ParkedEntry


class EntryId(NamedTuple):
    """A stream id; ids compare as their entries follow each other."""

    ms: int
    seq: int

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Reads "ms-seq", as Redis writes it. Raises ValueError."""
        ms, seq = (text.decode() if isinstance(text, bytes) else text).split("-")
        return cls(int(ms), int(seq))

    def __str__(self) -> str:
        return f"{self.ms}-{self.seq}"


START: Final = EntryId(0, 0)
"""Before every entry."""


class EventRow(NamedTuple):
    """One raw event. A plain tuple in this order does as well, and is made faster."""

    partition: int
    entry_ms: int
    entry_seq: int
    ordinal: int
    user_id: str
    slug: str
    session: str
    kind: str
    at_ms: int
    from_ms: int | None
    segments: Sequence[int] | None
    speed: int | None
    duration_ms: int | None
    seq: int | None
    event_id: str | None
    timed: bool
    happened_at_us: int
    received_at_us: int
    credited_ms: int
    implausible_ms: int
    implausible_reason: str | None
    scope: int = 0


EVENT_COLUMNS: Final = tuple(name.replace("_at_us", "_at") for name in EventRow._fields)
"""The columns of `events`, in the order of a row."""


class UserSnapshot(NamedTuple):
    """The fields of the type in Postgres, in its order. As with rows and all other snapshots, a plain tuple will do."""

    user_id: str
    partition: int
    watch_ms: int
    effective_ms: int
    unique_cells: int
    events: int
    movies: int
    version_ms: int
    version_seq: int


class PairSnapshot(NamedTuple):
    """`name_digest` is that of the slug."""

    user_id: str
    slug: str
    name_digest: bytes
    partition: int
    watch_ms: int
    effective_ms: int
    unique_cells: int
    implausible_ms: int
    events: int
    furthest_ms: int
    latest_ms: int | None
    latest_at_us: int | None
    coverage: bytes
    scope: int
    version_ms: int
    version_seq: int


class ScopeSnapshot(NamedTuple):
    """What was played of a pair in one of its scopes."""

    user_id: str
    slug: str
    name_digest: bytes
    scope: int
    partition: int
    watch_ms: int
    effective_ms: int
    unique_cells: int
    implausible_ms: int
    events: int
    furthest_ms: int
    latest_ms: int | None
    latest_at_us: int | None
    coverage: bytes
    version_ms: int
    version_seq: int


class SessionSnapshot(NamedTuple):
    """`name_digest` is that of slug and session."""

    user_id: str
    slug: str
    session: str
    name_digest: bytes
    partition: int
    position_ms: int | None
    time_us: int
    since_us: int | None
    playing: bool
    speed: int
    credited_ms: int
    seq_max: int | None
    seq_base: int
    seq_window: bytes
    version_ms: int
    version_seq: int


class MovieShareSnapshot(NamedTuple):
    slug: str
    partition: int
    watch_ms: int
    effective_ms: int
    unique_cells: int
    viewers: int
    events: int
    version_ms: int
    version_seq: int


@dataclass(slots=True, frozen=True)
class Snapshots:
    """States read from Redis, each key at most once; `upto` has the partitions of which nothing is left out.

    For those, every counter that an entry up to that id changed is here, or was snapshotted before.
    """

    users: Sequence[tuple[object, ...]] = ()
    pairs: Sequence[tuple[object, ...]] = ()
    scopes: Sequence[tuple[object, ...]] = ()
    sessions: Sequence[tuple[object, ...]] = ()
    movie_shares: Sequence[tuple[object, ...]] = ()
    upto: Mapping[int, EntryId] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class CheckpointMove:
    """`events` is how many events and erasures lie in between, `erasures` how many of them are erasures."""

    partition: int
    before: EntryId
    after: EntryId
    events: int = 0
    erasures: int = 0


class Erasure(NamedTuple):
    """All that the database has of a user up to the entry is to be deleted."""

    partition: int
    entry: EntryId
    user_id: str


@dataclass(slots=True, frozen=True)
class Flush:
    """What one transaction commits: the rows of all entries in (before, after] of each moved partition.

    Erasures come last, so that they delete what rows and snapshots of the same flush bring.

    `epochs` are those under which the flusher holds the partitions of which it writes anything; 0 is that of a
    partition that nobody ever held.
    """

    checkpoints: Sequence[CheckpointMove] = ()
    rows: Sequence[tuple[object, ...]] = ()
    snapshots: Snapshots | None = None
    erasures: Sequence[Erasure] = ()
    epochs: Mapping[int, int] = field(default_factory=dict)
    parked: Sequence[ParkedEntry] = ()
    """Entries among those that have no rows, since they can't be stored."""
    redacted: Sequence[tuple[ParkedEntry, ParkedEntry | None]] = ()
    """Parked entries that held an erased user's events, each with what stays of it."""
    copied: Copied = field(default_factory=Copied)
    """Rows, too, as most are brought."""


class Checkpoint(NamedTuple):
    """How far a partition has come: rows up to `entry`, every snapshot at least up to `snapshot`.

    `appended` is how many events the rows are, including those of days that were dropped or of users that were erased,
    and how many erasures; `erased` is the latter alone. `epoch` rises whenever another flusher takes the partition, or
    somebody recovers it; `holder` is the flusher that has it.
    """

    entry: EntryId
    snapshot: EntryId
    appended: int = 0
    epoch: int = 0
    holder: str | None = None
    erased: int = 0
