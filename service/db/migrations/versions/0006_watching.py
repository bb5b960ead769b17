"""Watching: the scopes of attempts, and what was watched by session."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "followed",
        sa.Column("partition", sa.SmallInteger(), autoincrement=False, nullable=False, comment="of users"),
        sa.Column(
            "entry_ms",
            sa.BigInteger(),
            nullable=False,
            comment="raw events are followed up to here: milliseconds of the stream id",
        ),
        sa.Column(
            "entry_seq",
            sa.BigInteger(),
            nullable=False,
            comment="raw events are followed up to here: sequence number of the stream id",
        ),
        sa.Column(
            "ordinal",
            sa.SmallInteger(),
            nullable=False,
            comment="and up to this place in the entry, included",
        ),
        sa.PrimaryKeyConstraint("partition", name="pk_followed"),
        comment="how far viewings have followed the raw events, a row a partition",
        postgresql_with={"fillfactor": 80},
    )
    op.create_table(
        "playing_hours",
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="who watched"),
        sa.Column("hour", sa.Integer(), nullable=False, comment="of wall time, since 1970"),
        sa.Column(
            "name_digest",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of slug and session, see service.db.digests",
        ),
        sa.Column(
            "seconds",
            sa.LargeBinary(),
            nullable=False,
            comment="a bit a second of that hour: in which this session played",
        ),
        sa.PrimaryKeyConstraint("user_id", "hour", "name_digest", name="pk_playing_hours"),
        comment="when sessions played, to find those that did at the same time; kept for some days",
        postgresql_with={"fillfactor": 80},
    )
    op.create_index("ix_playing_hours_hour", "playing_hours", ["hour"], unique=False)
    op.create_table(
        "viewing_flags",
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="who watched"),
        sa.Column(
            "slug_digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of slug, see service.db.digests"
        ),
        sa.Column("scope", sa.Integer(), nullable=False, comment="of the pair, in which it counted"),
        sa.Column(
            "name_digest",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of slug and session, see service.db.digests",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="faster_than_clock or parallel_playback"),
        sa.Column(
            "implausible_ms",
            sa.BigInteger(),
            nullable=False,
            comment="how much content time is implausible for this reason",
        ),
        sa.Column("seen", sa.LargeBinary(), nullable=False, comment="a bit a cell: which those were"),
        sa.PrimaryKeyConstraint(
            "user_id", "slug_digest", "scope", "name_digest", "reason", name="pk_viewing_flags"
        ),
        comment="what of a viewing is implausible, and why; only where something is",
    )
    op.create_table(
        "viewing_speeds",
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="who watched"),
        sa.Column(
            "slug_digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of slug, see service.db.digests"
        ),
        sa.Column("scope", sa.Integer(), nullable=False, comment="of the pair, in which it counted"),
        sa.Column(
            "name_digest",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of slug and session, see service.db.digests",
        ),
        sa.Column("speed", sa.SmallInteger(), nullable=False, comment="thousandths"),
        sa.Column("watch_ms", sa.BigInteger(), nullable=False, comment="content time played at this speed"),
        sa.Column("effective_ms", sa.BigInteger(), nullable=False, comment="wall time that took"),
        sa.Column(
            "seen", sa.LargeBinary(), nullable=False, comment="a bit a cell: which were played at this speed"
        ),
        sa.PrimaryKeyConstraint(
            "user_id", "slug_digest", "scope", "name_digest", "speed", name="pk_viewing_speeds"
        ),
        comment="what of a viewing was played at which speed",
        postgresql_with={"fillfactor": 80},
    )
    op.create_table(
        "viewings",
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="who watched"),
        sa.Column(
            "slug_digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of slug, see service.db.digests"
        ),
        sa.Column("scope", sa.Integer(), nullable=False, comment="of the pair, in which it counted"),
        sa.Column(
            "name_digest",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of slug and session, see service.db.digests",
        ),
        sa.Column("slug", sa.Text(collation="C"), nullable=False, comment="the movie"),
        sa.Column(
            "session",
            sa.Text(collation="C"),
            nullable=False,
            comment="one playback; empty for the nameless session of the pair",
        ),
        sa.Column(
            "first_at", sa.DateTime(timezone=True), nullable=False, comment="of its first event in this scope"
        ),
        sa.Column(
            "last_at", sa.DateTime(timezone=True), nullable=False, comment="of its last event in this scope"
        ),
        sa.Column("events", sa.BigInteger(), nullable=False, comment="how many those are"),
        sa.Column("watch_ms", sa.BigInteger(), nullable=False, comment="content time played"),
        sa.Column("effective_ms", sa.BigInteger(), nullable=False, comment="wall time that took"),
        sa.Column(
            "implausible_ms",
            sa.BigInteger(),
            nullable=False,
            comment="how much of the content time is implausible, for whatever reason",
        ),
        sa.Column("seen", sa.LargeBinary(), nullable=False, comment="a bit a cell: which were played"),
        sa.Column(
            "flagged",
            sa.LargeBinary(),
            nullable=False,
            comment="a bit a cell: which of them were played implausibly",
        ),
        sa.Column(
            "speed",
            sa.SmallInteger(),
            nullable=False,
            comment="of the session after its last event, in thousandths",
        ),
        sa.PrimaryKeyConstraint("user_id", "slug_digest", "scope", "name_digest", name="pk_viewings"),
        comment="what one session saw of a lesson's movie in one scope",
        postgresql_with={"fillfactor": 80},
    )
    op.create_table(
        "attempt_scopes",
        sa.Column("attempt", sa.BigInteger(), autoincrement=False, nullable=False, comment="whose"),
        sa.Column("lesson", sa.Text(collation="C"), nullable=False, comment="for which lesson"),
        sa.Column("revision", sa.Integer(), nullable=False, comment="for which video of it"),
        sa.Column(
            "part",
            sa.Integer(),
            nullable=False,
            comment="counts the ranges of the video in this attempt, from 1",
        ),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="who watches"),
        sa.Column("slug", sa.Text(collation="C"), nullable=False, comment="the movie"),
        sa.Column(
            "slug_digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of slug, see service.db.digests"
        ),
        sa.Column("scope_first", sa.Integer(), nullable=False, comment="from this scope of the pair on"),
        sa.Column(
            "scope_last",
            sa.Integer(),
            nullable=True,
            comment="up to this one, included; as long as it is open, all that come",
        ),
        sa.ForeignKeyConstraint(
            ["attempt"], ["attempts.attempt"], name="fk_attempt_scopes_attempts", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["lesson", "revision"],
            ["lesson_revisions.lesson", "lesson_revisions.revision"],
            name="fk_attempt_scopes_lesson_revisions",
        ),
        sa.PrimaryKeyConstraint("attempt", "lesson", "revision", "part", name="pk_attempt_scopes"),
        comment="which scopes of the user's pair with a movie count for an attempt's lesson",
        postgresql_with={"fillfactor": 80},
    )
    op.create_index(
        "ix_attempt_scopes_user_id_slug_digest", "attempt_scopes", ["user_id", "slug_digest"], unique=False
    )
    op.create_index(
        "uq_attempt_scopes_open",
        "attempt_scopes",
        ["attempt", "lesson"],
        unique=True,
        postgresql_where=sa.text("scope_last IS NULL"),
    )
    op.add_column(
        "attempts",
        sa.Column(
            "turn",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="rises whenever its ranges of scopes have to follow a change",
        ),
    )
    op.add_column(
        "attempts",
        sa.Column(
            "is_levelled",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="whether they have followed the last one",
        ),
    )
    op.create_index(
        "ix_attempts_unlevelled",
        "attempts",
        ["course", "user_id"],
        unique=False,
        postgresql_where=sa.text("NOT is_levelled"),
    )
    op.create_index("ix_lesson_revisions_slug", "lesson_revisions", ["slug"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_lesson_revisions_slug", "lesson_revisions")
    op.drop_index("ix_attempts_unlevelled", "attempts")
    op.drop_column("attempts", "is_levelled")
    op.drop_column("attempts", "turn")
    for table in (
        "attempt_scopes",
        "followed",
        "viewings",
        "viewing_speeds",
        "viewing_flags",
        "playing_hours",
    ):
        op.drop_table(table)
