"""The tables of credits, beside those in `tables`. A credit is kept as it was given; it ends by being taken back."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)

from service.courses.tables import foreign, time_of
from service.db.tables import ROOM_FOR_UPDATES, column_of, metadata, name_of

_BITMAP = "a bit a cell; cell 0 is the most significant bit of byte 0"

credits = Table(  # noqa: A001 - what they are called; nobody here wants Python's
    "credits",
    metadata,
    Column("credit", BigInteger, Identity(), nullable=False, comment="its number, of all credits"),
    Column("attempt", BigInteger, nullable=False, autoincrement=False, comment="for which it counts"),
    name_of("user_id", "whose"),
    name_of("lesson", "which lesson"),
    column_of("revision", Integer, "which video of it"),
    time_of("created_at", "when it was given"),
    column_of("created_by", Text, "by whom; NULL where no person was known", null=True),
    column_of("window_months", SmallInteger, "the policy of then: how far back watching counted"),
    column_of("cap_permille", SmallInteger, "the policy of then: how much of the lesson might be credited"),
    column_of("includes_flagged", Boolean, "the policy of then: whether flagged watching counted"),
    time_of("since_at", "the first moment of that window"),
    time_of("until_at", "its end: the assignment"),
    column_of("seen", LargeBinary, f"what it gives: {_BITMAP}"),
    column_of("seen_cells", Integer, "how many cells those are"),
    time_of("taken_back_at", "since when it does not count", null=True),
    column_of("taken_back_by", Text, "by whom; NULL where no person was known", null=True),
    time_of("withdrawn_at", "the completion that stood on it, and was withdrawn with it", null=True),
    PrimaryKeyConstraint("credit"),
    foreign("credits", "attempt", to="attempts", is_dropped_with_it=True),
    foreign("credits", "lesson", "revision", to="lesson_revisions"),
    Index(None, "attempt", "credit"),
    Index(None, "user_id", "credit"),
    comment="what watching before an assignment was worth",
)

credit_shares = Table(
    "credit_shares",
    metadata,
    Column("credit", BigInteger, nullable=False, autoincrement=False, comment="of which credit"),
    column_of("place", SmallInteger, "in the order in which they were credited, from 0"),
    name_of("slug", "the movie that was watched"),
    name_of("session", "the playback; empty for the nameless session of the pair"),
    column_of("scope", Integer, "the scope of the pair in which it counted"),
    time_of("first_at", "the time of its first event there"),
    time_of("last_at", "the time of its last event there"),
    column_of("seen", LargeBinary, f"what it gave, and no share before it: {_BITMAP}"),
    PrimaryKeyConstraint("credit", "place"),
    foreign("credit_shares", "credit", to="credits", is_dropped_with_it=True),
    comment="which session gave which cells of a credit",
)

attempt_speeds = Table(
    "attempt_speeds",
    metadata,
    Column("attempt", BigInteger, nullable=False, autoincrement=False, comment="which attempt"),
    name_of("lesson", "which lesson"),
    column_of("revision", Integer, "which video of it"),
    Column("speed", SmallInteger, nullable=False, autoincrement=False, comment="thousandths"),
    column_of("watch_ms", BigInteger, "content time played at it"),
    column_of("effective_ms", BigInteger, "wall time that took"),
    PrimaryKeyConstraint("attempt", "lesson", "revision", "speed"),
    foreign("attempt_speeds", "attempt", to="attempts", is_dropped_with_it=True),
    postgresql_with=ROOM_FOR_UPDATES,
    comment="how long an attempt watched each lesson at which speed",
)
