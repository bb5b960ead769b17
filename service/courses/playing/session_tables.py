"""The tables of watching sessions, beside those in `tables`: who opened a lesson, and where they sought past the limit.

What was watched is not here: that is counted, and kept by session in `viewings`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from service.db.tables import ROOM_FOR_UPDATES, column_of, metadata, name_of

_TIME = DateTime(timezone=True)

watch_sessions = Table(
    "watch_sessions",
    metadata,
    name_of("session", "its name, which its events have as theirs"),
    name_of("user_id", "who watches"),
    name_of("lesson", "which lesson"),
    column_of("revision", Integer, "which video of it"),
    name_of("slug", "the movie of that video"),
    column_of(
        "attempt", BigInteger, "the one that was open; NULL where the course was not assigned", null=True
    ),
    column_of("client_info", JSONB, "what the player says of itself", null=True),
    column_of("started_at", _TIME, "when it was started"),
    column_of("look_at", _TIME, "when to look whether it is stale; NULL once it is closed", null=True),
    column_of("closed_at", _TIME, "since when it is closed", null=True),
    column_of("closed_by", Text, "client, or stale where nothing was heard of it any more", null=True),
    PrimaryKeyConstraint("session"),
    ForeignKeyConstraint(
        ("lesson", "revision"),
        ("lesson_revisions.lesson", "lesson_revisions.revision"),
        name="fk_watch_sessions_lesson_revisions",
    ),
    Index("ix_watch_sessions_user_id_lesson_started_at", "user_id", "lesson", "started_at"),
    Index("ix_watch_sessions_look_at", "look_at", postgresql_where=text("closed_at IS NULL")),
    postgresql_with=ROOM_FOR_UPDATES,
    comment="playbacks of lessons, from being opened to being closed",
)

seeks = Table(
    "seeks",
    metadata,
    name_of("session", "of which playback"),
    name_of("seek", "its name within the session: the client's, or one made of what it says"),
    name_of("user_id", "who watches"),
    name_of("lesson", "which lesson"),
    column_of("revision", Integer, "which video of it"),
    name_of("slug", "the movie of that video"),
    column_of("attempt", BigInteger, "the session's", null=True),
    column_of("from_ms", Integer, "where the jump began"),
    column_of("to_ms", Integer, "where it went, or wanted to go"),
    column_of("limit_ms", Integer, "how far seeking was free then"),
    column_of("decision", Text, "allowed, blocked or flagged"),
    column_of("has_happened", Boolean, "whether the player went there, whatever was decided"),
    column_of("is_skip", Boolean, "whether it went past the limit by more than 5 s"),
    column_of("reason", Text, "what the player says of it", null=True),
    column_of("at", _TIME, "when it was sought"),
    PrimaryKeyConstraint("session", "seek"),
    ForeignKeyConstraint(
        ("session",), ("watch_sessions.session",), name="fk_seeks_watch_sessions", ondelete="CASCADE"
    ),
    Index(
        "ix_seeks_attempt_lesson_at", "attempt", "lesson", "at", postgresql_where=text("attempt IS NOT NULL")
    ),
    Index("ix_seeks_user_id_lesson_at", "user_id", "lesson", "at"),
    comment="seeks past the limit: those within it are nowhere but among the raw events",
)
