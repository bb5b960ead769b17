"""The schema, as SQLAlchemy metadata: what a migrated database looks like. The migrations make it so.

Quantities are integers: milliseconds (`_ms`), microseconds since 1970 (`_us`), cells of one second,
thousandths of speed. Names are compared byte by byte (collation "C"): no upgrade can change their order.
The column is `user_id` because `user` is reserved: `SELECT user` silently answers with the role.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"}
)

ROOM_FOR_UPDATES = {"fillfactor": 80}
"""Counters are updated over and over, never in an indexed column: with room on its page the new version of a
row stays there, and no index is touched."""


def column_of(name: str, kind: Any, comment: str, *, null: bool = False) -> Column[Any]:
    return Column(name, kind, nullable=null, comment=comment)


def name_of(name: str, comment: str, *, null: bool = False) -> Column[Any]:
    return column_of(name, Text(collation="C"), comment, null=null)


def _count(name: str, comment: str, *, null: bool = False) -> Column[Any]:
    return column_of(name, BigInteger, comment, null=null)


def _partition() -> Column[Any]:
    return Column(
        "partition", SmallInteger, nullable=False, autoincrement=False, comment="the user's partition"
    )


def _digest(named: str) -> Column[Any]:
    """Stands in the primary key for names that may be longer than the 2,704 bytes an index entry can hold."""
    return column_of("name_digest", LargeBinary, f"SHA-256 of {named}, see service.db.digests")


def _scope(comment: str) -> Column[Any]:
    return Column("scope", Integer, nullable=False, server_default=text("0"), comment=comment)


def _version() -> tuple[Column[Any], ...]:
    return (
        _count("version_ms", "true up to here: milliseconds of the stream id"),
        _count("version_seq", "true up to here: sequence number of the stream id"),
        _updated_at(),
    )


def _updated_at() -> Column[Any]:
    return Column(
        "updated_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.now(),
        comment="when this row was last written",
    )


events = Table(
    "events",
    metadata,
    _partition(),
    _count("entry_ms", "stream id of the entry: milliseconds"),
    _count("entry_seq", "stream id of the entry: sequence number"),
    column_of("ordinal", SmallInteger, "place in the entry, from 0"),
    name_of("user_id", "who watches"),
    name_of("slug", "names the movie"),
    name_of("session", "one playback; empty for the nameless session of the pair"),
    column_of("kind", Text, "heartbeat, segment, play, pause, end, seek, rate, claim, mark or load; or cut"),
    column_of("at_ms", Integer, "position"),
    column_of("from_ms", Integer, "where the span or the jump began", null=True),
    column_of("segments", ARRAY(Integer), "a claim's spans in ms, flat: from, to, from, to", null=True),
    column_of("speed", SmallInteger, "thousandths", null=True),
    column_of("duration_ms", Integer, "of the movie, as the client says", null=True),
    _count("seq", "the client's number within the session", null=True),
    column_of("event_id", Text, "the client's id of the event", null=True),
    column_of("timed", Boolean, "whether the client gave the time of the event"),
    column_of(
        "happened_at", DateTime(timezone=True), "by the client's clock, corrected; else the time of receipt"
    ),
    column_of("received_at", DateTime(timezone=True), "by playhead's clock"),
    _count("credited_ms", "watch time that the event counted"),
    _count("implausible_ms", "how much of it the clock does not allow"),
    column_of("implausible_reason", Text, "why, as a short snake_case word", null=True),
    _scope("of the pair, in which it counted; of a cut, the one that it began"),
    PrimaryKeyConstraint("partition", "entry_ms", "entry_seq", "ordinal", "received_at"),
    # Not (user_id, slug): the longest names do not fit into one index entry; a user's rows of a day are few.
    Index(None, "user_id"),
    postgresql_partition_by="RANGE (received_at)",
    comment="raw events, a partition a UTC day of receipt",
)

users = Table(
    "users",
    metadata,
    name_of("user_id", "who watches"),
    _partition(),
    _count("watch_ms", "content time played"),
    _count("effective_ms", "wall time that took"),
    _count("unique_cells", "sum of the pairs' coverage"),
    _count("events", "events counted"),
    column_of("movies", Integer, "movies begun"),
    *_version(),
    PrimaryKeyConstraint("user_id"),
    postgresql_with=ROOM_FOR_UPDATES,
    comment="snapshots of users",
)

pairs = Table(
    "pairs",
    metadata,
    name_of("user_id", "who watches"),
    name_of("slug", "names the movie"),
    _digest("slug"),
    _partition(),
    _count("watch_ms", "content time played"),
    _count("effective_ms", "wall time that took"),
    _count("unique_cells", "cells seen: bits set in coverage"),
    _count("implausible_ms", "watch time that the clock does not allow"),
    _count("events", "events counted"),
    column_of("furthest_ms", Integer, "the highest position reached"),
    column_of("latest_ms", Integer, "position of the most recent event", null=True),
    column_of("latest_at", DateTime(timezone=True), "time of the most recent event", null=True),
    column_of(
        "coverage", LargeBinary, "a bit a cell; cell 0 is the most significant bit of byte 0, as in Redis"
    ),
    _scope("the current one"),
    *_version(),
    PrimaryKeyConstraint("user_id", "name_digest"),
    postgresql_with=ROOM_FOR_UPDATES,
    comment="snapshots of pairs of user and movie",
)

scopes = Table(
    "scopes",
    metadata,
    name_of("user_id", "who watches"),
    name_of("slug", "names the movie"),
    _digest("slug"),
    column_of("scope", Integer, "of the pair, from 0"),
    _partition(),
    _count("watch_ms", "content time played in it"),
    _count("effective_ms", "wall time that took"),
    _count("unique_cells", "cells seen in it: bits set in coverage"),
    _count("implausible_ms", "watch time that the clock does not allow"),
    _count("events", "events counted in it"),
    column_of("furthest_ms", Integer, "the highest position reached in it"),
    column_of("latest_ms", Integer, "position of its most recent event", null=True),
    column_of("latest_at", DateTime(timezone=True), "time of its most recent event", null=True),
    column_of("coverage", LargeBinary, "a bit a cell, as in pairs"),
    *_version(),
    PrimaryKeyConstraint("user_id", "name_digest", "scope"),
    postgresql_with=ROOM_FOR_UPDATES,
    comment="snapshots of what was played of a pair in each of its scopes, of pairs that were ever cut",
)

sessions = Table(
    "sessions",
    metadata,
    name_of("user_id", "who watches"),
    name_of("slug", "names the movie"),
    name_of("session", "one playback; empty for the nameless session of the pair"),
    _digest("slug and session"),
    _partition(),
    column_of("position_ms", Integer, "last position", null=True),
    _count("time_us", "time of the last event"),
    _count("since_us", "since when the session plays on", null=True),
    column_of("playing", Boolean, "whether it plays on"),
    column_of("speed", SmallInteger, "thousandths"),
    _count("credited_ms", "watch time credited so far: what a claim is measured against"),
    _count("seq_max", "highest seq seen", null=True),
    _count("seq_base", "seq of the window's first bit"),
    column_of("seq_window", LargeBinary, "a bit a seq: which of the last ones were seen"),
    *_version(),
    PrimaryKeyConstraint("user_id", "name_digest"),
    postgresql_with=ROOM_FOR_UPDATES,
    comment="snapshots of sessions",
)

movie_shares = Table(
    "movie_shares",
    metadata,
    name_of("slug", "names the movie"),
    _partition(),
    _count("watch_ms", "content time played"),
    _count("effective_ms", "wall time that took"),
    _count("unique_cells", "sum of the pairs' coverage"),
    _count("viewers", "users of the partition that have a pair with the movie"),
    _count("events", "events counted"),
    *_version(),
    PrimaryKeyConstraint("slug", "partition"),
    postgresql_with=ROOM_FOR_UPDATES,
    comment="snapshots of a partition's share of a movie; the movie is their sum",
)

checkpoints = Table(
    "checkpoints",
    metadata,
    _partition(),
    _count("entry_ms", "rows are committed up to here: milliseconds of the stream id"),
    _count("entry_seq", "rows are committed up to here, included: sequence number of the stream id"),
    _count("appended", "how many events these rows are, of all that were ever committed"),
    _count("erased", "how many users were ever erased, of whom nothing is told here"),
    _count("snapshot_ms", "every snapshot is true at least up to here: milliseconds of the stream id"),
    _count("snapshot_seq", "every snapshot is true at least up to here: sequence number of the stream id"),
    _updated_at(),
    column_of("holder", Text, "the flusher that has the partition, by name", null=True),
    Column(
        "epoch",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="rises with each holder; a commit under an earlier one is refused",
    ),
    PrimaryKeyConstraint("partition"),
    postgresql_with=ROOM_FOR_UPDATES,
    comment="how far the durable truth has come, a row a partition",
)

flushers = Table(
    "flushers",
    metadata,
    column_of("name", Text, "of its own choice, new at every start"),
    column_of(
        "alive_until",
        DateTime(timezone=True),
        "until when it counts as alive, by the clock of Postgres",
    ),
    PrimaryKeyConstraint("name"),
    postgresql_with=ROOM_FOR_UPDATES,
    comment="the flushers that share the partitions",
)

parked_entries = Table(
    "parked_entries",
    metadata,
    _partition(),
    _count("entry_ms", "stream id of the entry: milliseconds"),
    _count("entry_seq", "stream id of the entry: sequence number"),
    column_of("run", LargeBinary, "its packed events"),
    column_of("outcomes", LargeBinary, "what each event counted"),
    _count("appended", "how many events its partition had, up to and with it"),
    column_of("events", Integer, "how many of its events counted"),
    column_of("reason", Text, "why, as a short snake_case word"),
    column_of("detail", Text, "why, in the words of what refused it"),
    Column(
        "parked_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.now(),
        comment="when it was parked",
    ),
    PrimaryKeyConstraint("partition", "entry_ms", "entry_seq"),
    comment="entries that could not be stored, until they are tried again",
)

erasures = Table(
    "erasures",
    metadata,
    _partition(),
    _count("entry_ms", "stream id of the erasure's entry: milliseconds"),
    _count("entry_seq", "stream id of the erasure's entry: sequence number"),
    _count("events", "raw events deleted"),
    column_of("pairs", Integer, "snapshots of pairs deleted"),
    column_of("sessions", Integer, "snapshots of sessions deleted"),
    Column("erased_at", DateTime(timezone=True), nullable=False, server_default=func.now(), comment="when"),
    PrimaryKeyConstraint("partition", "entry_ms", "entry_seq"),
    comment="that somebody was erased, and how much that was; not who",
)

fixed_settings = Table(
    "fixed_settings",
    metadata,
    column_of("name", Text, "of the setting"),
    column_of("value", Text, "with which the data was made"),
    PrimaryKeyConstraint("name"),
    comment="what cannot change once data is there",
)
