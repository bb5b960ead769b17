"""The tables of watching: which scopes are an attempt's, and what was watched by session, as raw events told it.

Bitmaps are as those of the counters: cell 0 is the most significant bit of byte 0.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from service.courses.tables import foreign, time_of
from service.db.tables import ROOM_FOR_UPDATES, column_of, metadata, name_of


def _count(name: str, comment: str) -> Column[Any]:
    return column_of(name, BigInteger, comment)


def _judged(name: str, comment: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"), comment=comment)


def _bitmap(name: str, comment: str) -> Column[Any]:
    return column_of(name, LargeBinary, comment)


def _digest(name: str, named: str) -> Column[Any]:
    return column_of(name, LargeBinary, f"SHA-256 of {named}, see service.db.digests")


def _viewing() -> tuple[Column[Any], ...]:
    """What names a viewing."""
    return (
        name_of("user_id", "who watched"),
        _digest("slug_digest", "slug"),
        column_of("scope", Integer, "of the pair, in which it counted"),
        _digest("name_digest", "slug and session"),
    )


_VIEWING = ("user_id", "slug_digest", "scope", "name_digest")

attempt_scopes = Table(
    "attempt_scopes",
    metadata,
    Column("attempt", BigInteger, nullable=False, autoincrement=False, comment="whose"),
    name_of("lesson", "for which lesson"),
    column_of("revision", Integer, "for which video of it"),
    column_of("part", Integer, "counts the ranges of the video in this attempt, from 1"),
    name_of("user_id", "who watches"),
    name_of("slug", "the movie"),
    _digest("slug_digest", "slug"),
    column_of("scope_first", Integer, "from this scope of the pair on"),
    column_of(
        "scope_last", Integer, "up to this one, included; as long as it is open, all that come", null=True
    ),
    PrimaryKeyConstraint("attempt", "lesson", "revision", "part"),
    foreign("attempt_scopes", "attempt", to="attempts", is_dropped_with_it=True),
    foreign("attempt_scopes", "lesson", "revision", to="lesson_revisions"),
    Index(None, "user_id", "slug_digest"),
    Index(
        "uq_attempt_scopes_open",
        "attempt",
        "lesson",
        unique=True,
        postgresql_where=text("scope_last IS NULL"),
    ),
    postgresql_with=ROOM_FOR_UPDATES,
    comment="which scopes of the user's pair with a movie count for an attempt's lesson",
)

followed = Table(
    "followed",
    metadata,
    Column("partition", SmallInteger, nullable=False, autoincrement=False, comment="of users"),
    _count("entry_ms", "raw events are followed up to here: milliseconds of the stream id"),
    _count("entry_seq", "raw events are followed up to here: sequence number of the stream id"),
    column_of("ordinal", SmallInteger, "and up to this place in the entry, included"),
    PrimaryKeyConstraint("partition"),
    postgresql_with=ROOM_FOR_UPDATES,
    comment="how far viewings have followed the raw events, a row a partition",
)

late_entries = Table(
    "late_entries",
    metadata,
    Column("partition", SmallInteger, nullable=False, autoincrement=False, comment="the user's partition"),
    _count("entry_ms", "stream id of the entry: milliseconds"),
    _count("entry_seq", "stream id of the entry: sequence number"),
    PrimaryKeyConstraint("partition", "entry_ms", "entry_seq"),
    comment="entries that were stored after they had been parked, and are still to be followed",
)

viewings = Table(
    "viewings",
    metadata,
    *_viewing(),
    name_of("slug", "the movie"),
    name_of("session", "one playback; empty for the nameless session of the pair"),
    time_of("first_at", "of its first event in this scope"),
    time_of("last_at", "of its last event in this scope"),
    _count("events", "how many those are"),
    _count("watch_ms", "content time played"),
    _count("effective_ms", "wall time that took"),
    _count("implausible_ms", "how much of the content time is implausible, for whatever reason"),
    _bitmap("seen", "a bit a cell: which were played"),
    _bitmap("flagged", "a bit a cell: which of them were played implausibly"),
    column_of("speed", SmallInteger, "of the session after its last event, in thousandths"),
    _judged("judged_ms", "wall time of what was played that can be held against the clock"),
    _judged("excess_ms", "how much of that the clock does not allow"),
    time_of("since_at", "when the earliest of that began", null=True),
    PrimaryKeyConstraint(*_VIEWING),
    postgresql_with=ROOM_FOR_UPDATES,
    comment="what one session saw of a lesson's movie in one scope",
)

viewing_speeds = Table(
    "viewing_speeds",
    metadata,
    *_viewing(),
    column_of("speed", SmallInteger, "thousandths"),
    _count("watch_ms", "content time played at this speed"),
    _count("effective_ms", "wall time that took"),
    _bitmap("seen", "a bit a cell: which were played at this speed"),
    PrimaryKeyConstraint(*_VIEWING, "speed"),
    postgresql_with=ROOM_FOR_UPDATES,
    comment="what of a viewing was played at which speed",
)

viewing_flags = Table(
    "viewing_flags",
    metadata,
    *_viewing(),
    column_of("reason", Text, "faster_than_clock or parallel_playback"),
    _count("implausible_ms", "how much content time is implausible for this reason"),
    _bitmap("seen", "a bit a cell: which those were"),
    PrimaryKeyConstraint(*_VIEWING, "reason"),
    comment="what of a viewing is implausible, and why; only where something is",
)

playing_hours = Table(
    "playing_hours",
    metadata,
    name_of("user_id", "who watched"),
    column_of("hour", Integer, "of wall time, since 1970"),
    _digest("name_digest", "slug and session"),
    _bitmap("seconds", "a bit a second of that hour: in which this session played"),
    PrimaryKeyConstraint("user_id", "hour", "name_digest"),
    Index(None, "hour"),
    postgresql_with=ROOM_FOR_UPDATES,
    comment="when sessions played, to find those that did at the same time; kept for some days",
)
