"""The first schema."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "checkpoints",
        _partition(),
        sa.Column(
            "entry_ms",
            sa.BigInteger(),
            nullable=False,
            comment="rows are committed up to here: milliseconds of the stream id",
        ),
        sa.Column(
            "entry_seq",
            sa.BigInteger(),
            nullable=False,
            comment="rows are committed up to here, included: sequence number of the stream id",
        ),
        sa.Column(
            "appended",
            sa.BigInteger(),
            nullable=False,
            comment="how many events these rows are, of all that were ever committed",
        ),
        sa.Column(
            "snapshot_ms",
            sa.BigInteger(),
            nullable=False,
            comment="every snapshot is true at least up to here: milliseconds of the stream id",
        ),
        sa.Column(
            "snapshot_seq",
            sa.BigInteger(),
            nullable=False,
            comment="every snapshot is true at least up to here: sequence number of the stream id",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when this row was last written",
        ),
        sa.PrimaryKeyConstraint("partition", name="pk_checkpoints"),
        comment="how far the durable truth has come, a row a partition",
        postgresql_with={"fillfactor": 80},
    )
    op.create_table(
        "events",
        _partition(),
        sa.Column(
            "entry_ms", sa.BigInteger(), nullable=False, comment="stream id of the entry: milliseconds"
        ),
        sa.Column(
            "entry_seq", sa.BigInteger(), nullable=False, comment="stream id of the entry: sequence number"
        ),
        sa.Column("ordinal", sa.SmallInteger(), nullable=False, comment="place in the entry, from 0"),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="who watches"),
        sa.Column("slug", sa.Text(collation="C"), nullable=False, comment="names the movie"),
        sa.Column(
            "session",
            sa.Text(collation="C"),
            nullable=False,
            comment="one playback; empty for the nameless session of the pair",
        ),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="heartbeat, segment, play, pause, end, seek, rate, claim, mark or load",
        ),
        sa.Column("at_ms", sa.Integer(), nullable=False, comment="position"),
        sa.Column("from_ms", sa.Integer(), nullable=True, comment="where the span or the jump began"),
        sa.Column(
            "segments",
            postgresql.ARRAY(sa.Integer()),
            nullable=True,
            comment="a claim's spans in ms, flat: from, to, from, to",
        ),
        sa.Column("speed", sa.SmallInteger(), nullable=True, comment="thousandths"),
        sa.Column("duration_ms", sa.Integer(), nullable=True, comment="of the movie, as the client says"),
        sa.Column("seq", sa.BigInteger(), nullable=True, comment="the client's number within the session"),
        sa.Column("event_id", sa.Text(), nullable=True, comment="the client's id of the event"),
        sa.Column(
            "timed", sa.Boolean(), nullable=False, comment="whether the client gave the time of the event"
        ),
        sa.Column(
            "happened_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="by the client's clock, corrected; else the time of receipt",
        ),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False, comment="by playhead's clock"),
        sa.Column(
            "credited_ms", sa.BigInteger(), nullable=False, comment="watch time that the event counted"
        ),
        sa.Column(
            "implausible_ms",
            sa.BigInteger(),
            nullable=False,
            comment="how much of it the clock does not allow",
        ),
        sa.Column("implausible_reason", sa.Text(), nullable=True, comment="why, as a short snake_case word"),
        sa.PrimaryKeyConstraint(
            "partition", "entry_ms", "entry_seq", "ordinal", "received_at", name="pk_events"
        ),
        comment="raw events, a partition a UTC day of receipt",
        postgresql_partition_by="RANGE (received_at)",
    )
    op.create_index("ix_events_user_id", "events", ["user_id"])
    op.create_table(
        "fixed_settings",
        sa.Column("name", sa.Text(), nullable=False, comment="of the setting"),
        sa.Column("value", sa.Text(), nullable=False, comment="with which the data was made"),
        sa.PrimaryKeyConstraint("name", name="pk_fixed_settings"),
        comment="what cannot change once data is there",
    )
    op.create_table(
        "movie_shares",
        sa.Column("slug", sa.Text(collation="C"), nullable=False, comment="names the movie"),
        _partition(),
        sa.Column("watch_ms", sa.BigInteger(), nullable=False, comment="content time played"),
        sa.Column("effective_ms", sa.BigInteger(), nullable=False, comment="wall time that took"),
        sa.Column("unique_cells", sa.BigInteger(), nullable=False, comment="sum of the pairs' coverage"),
        sa.Column(
            "viewers",
            sa.BigInteger(),
            nullable=False,
            comment="users of the partition that have a pair with the movie",
        ),
        sa.Column("events", sa.BigInteger(), nullable=False, comment="events counted"),
        *_version(),
        sa.PrimaryKeyConstraint("slug", "partition", name="pk_movie_shares"),
        comment="snapshots of a partition's share of a movie; the movie is their sum",
        postgresql_with={"fillfactor": 80},
    )
    op.create_table(
        "pairs",
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="who watches"),
        sa.Column("slug", sa.Text(collation="C"), nullable=False, comment="names the movie"),
        sa.Column(
            "name_digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of slug, see service.db.digests"
        ),
        _partition(),
        sa.Column("watch_ms", sa.BigInteger(), nullable=False, comment="content time played"),
        sa.Column("effective_ms", sa.BigInteger(), nullable=False, comment="wall time that took"),
        sa.Column(
            "unique_cells", sa.BigInteger(), nullable=False, comment="cells seen: bits set in coverage"
        ),
        sa.Column(
            "implausible_ms",
            sa.BigInteger(),
            nullable=False,
            comment="watch time that the clock does not allow",
        ),
        sa.Column("events", sa.BigInteger(), nullable=False, comment="events counted"),
        sa.Column("furthest_ms", sa.Integer(), nullable=False, comment="the highest position reached"),
        sa.Column("latest_ms", sa.Integer(), nullable=True, comment="position of the most recent event"),
        sa.Column(
            "latest_at", sa.DateTime(timezone=True), nullable=True, comment="time of the most recent event"
        ),
        sa.Column(
            "coverage",
            sa.LargeBinary(),
            nullable=False,
            comment="a bit a cell; cell 0 is the most significant bit of byte 0, as in Redis",
        ),
        *_version(),
        sa.PrimaryKeyConstraint("user_id", "name_digest", name="pk_pairs"),
        comment="snapshots of pairs of user and movie",
        postgresql_with={"fillfactor": 80},
    )
    op.create_table(
        "sessions",
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="who watches"),
        sa.Column("slug", sa.Text(collation="C"), nullable=False, comment="names the movie"),
        sa.Column(
            "session",
            sa.Text(collation="C"),
            nullable=False,
            comment="one playback; empty for the nameless session of the pair",
        ),
        sa.Column(
            "name_digest",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of slug and session, see service.db.digests",
        ),
        _partition(),
        sa.Column("position_ms", sa.Integer(), nullable=True, comment="last position"),
        sa.Column("time_us", sa.BigInteger(), nullable=False, comment="time of the last event"),
        sa.Column("since_us", sa.BigInteger(), nullable=True, comment="since when the session plays on"),
        sa.Column("playing", sa.Boolean(), nullable=False, comment="whether it plays on"),
        sa.Column("speed", sa.SmallInteger(), nullable=False, comment="thousandths"),
        sa.Column(
            "credited_ms",
            sa.BigInteger(),
            nullable=False,
            comment="watch time credited so far: what a claim is measured against",
        ),
        sa.Column("seq_max", sa.BigInteger(), nullable=True, comment="highest seq seen"),
        sa.Column("seq_base", sa.BigInteger(), nullable=False, comment="seq of the window's first bit"),
        sa.Column(
            "seq_window",
            sa.LargeBinary(),
            nullable=False,
            comment="a bit a seq: which of the last ones were seen",
        ),
        *_version(),
        sa.PrimaryKeyConstraint("user_id", "name_digest", name="pk_sessions"),
        comment="snapshots of sessions",
        postgresql_with={"fillfactor": 80},
    )
    op.create_table(
        "users",
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="who watches"),
        _partition(),
        sa.Column("watch_ms", sa.BigInteger(), nullable=False, comment="content time played"),
        sa.Column("effective_ms", sa.BigInteger(), nullable=False, comment="wall time that took"),
        sa.Column("unique_cells", sa.BigInteger(), nullable=False, comment="sum of the pairs' coverage"),
        sa.Column("events", sa.BigInteger(), nullable=False, comment="events counted"),
        sa.Column("movies", sa.Integer(), nullable=False, comment="movies begun"),
        *_version(),
        sa.PrimaryKeyConstraint("user_id", name="pk_users"),
        comment="snapshots of users",
        postgresql_with={"fillfactor": 80},
    )


def downgrade() -> None:
    op.drop_table("users")
    op.drop_table("sessions")
    op.drop_table("pairs")
    op.drop_table("movie_shares")
    op.drop_table("fixed_settings")
    op.drop_table("events")
    op.drop_table("checkpoints")


def _partition() -> sa.Column[Any]:
    return sa.Column(
        "partition",
        sa.SmallInteger(),
        autoincrement=False,
        nullable=False,
        comment="the user's partition",
    )


def _version() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column(
            "version_ms",
            sa.BigInteger(),
            nullable=False,
            comment="true up to here: milliseconds of the stream id",
        ),
        sa.Column(
            "version_seq",
            sa.BigInteger(),
            nullable=False,
            comment="true up to here: sequence number of the stream id",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when this row was last written",
        ),
    )
