"""Watching sessions, and seeks past the limit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "watch_sessions",
        sa.Column(
            "session",
            sa.Text(collation="C"),
            nullable=False,
            comment="its name, which its events have as theirs",
        ),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="who watches"),
        sa.Column("lesson", sa.Text(collation="C"), nullable=False, comment="which lesson"),
        sa.Column("revision", sa.Integer(), nullable=False, comment="which video of it"),
        sa.Column("slug", sa.Text(collation="C"), nullable=False, comment="the movie of that video"),
        sa.Column(
            "attempt",
            sa.BigInteger(),
            nullable=True,
            comment="the one that was open; NULL where the course was not assigned",
        ),
        sa.Column("client_info", postgresql.JSONB(), nullable=True, comment="what the player says of itself"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False, comment="when it was started"),
        sa.Column(
            "look_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when to look whether it is stale; NULL once it is closed",
        ),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True, comment="since when it is closed"),
        sa.Column(
            "closed_by",
            sa.Text(),
            nullable=True,
            comment="client, or stale where nothing was heard of it any more",
        ),
        sa.ForeignKeyConstraint(
            ["lesson", "revision"],
            ["lesson_revisions.lesson", "lesson_revisions.revision"],
            name="fk_watch_sessions_lesson_revisions",
        ),
        sa.PrimaryKeyConstraint("session", name="pk_watch_sessions"),
        comment="playbacks of lessons, from being opened to being closed",
        postgresql_with={"fillfactor": 80},
    )
    op.create_index(
        "ix_watch_sessions_look_at",
        "watch_sessions",
        ["look_at"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "ix_watch_sessions_user_id_lesson_started_at",
        "watch_sessions",
        ["user_id", "lesson", "started_at"],
        unique=False,
    )
    op.create_table(
        "seeks",
        sa.Column("session", sa.Text(collation="C"), nullable=False, comment="of which playback"),
        sa.Column(
            "seek",
            sa.Text(collation="C"),
            nullable=False,
            comment="its name within the session: the client's, or one made of what it says",
        ),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="who watches"),
        sa.Column("lesson", sa.Text(collation="C"), nullable=False, comment="which lesson"),
        sa.Column("revision", sa.Integer(), nullable=False, comment="which video of it"),
        sa.Column("slug", sa.Text(collation="C"), nullable=False, comment="the movie of that video"),
        sa.Column("attempt", sa.BigInteger(), nullable=True, comment="the session's"),
        sa.Column("from_ms", sa.Integer(), nullable=False, comment="where the jump began"),
        sa.Column("to_ms", sa.Integer(), nullable=False, comment="where it went, or wanted to go"),
        sa.Column("limit_ms", sa.Integer(), nullable=False, comment="how far seeking was free then"),
        sa.Column("decision", sa.Text(), nullable=False, comment="allowed, blocked or flagged"),
        sa.Column(
            "has_happened",
            sa.Boolean(),
            nullable=False,
            comment="whether the player went there, whatever was decided",
        ),
        sa.Column(
            "is_skip",
            sa.Boolean(),
            nullable=False,
            comment="whether it went past the limit by more than 5 s",
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="what the player says of it"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="when it was sought"),
        sa.ForeignKeyConstraint(
            ["session"], ["watch_sessions.session"], name="fk_seeks_watch_sessions", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("session", "seek", name="pk_seeks"),
        comment="seeks past the limit: those within it are nowhere but among the raw events",
    )
    op.create_index(
        "ix_seeks_attempt_lesson_at",
        "seeks",
        ["attempt", "lesson", "at"],
        unique=False,
        postgresql_where=sa.text("attempt IS NOT NULL"),
    )
    op.create_index("ix_seeks_user_id_lesson_at", "seeks", ["user_id", "lesson", "at"], unique=False)


def downgrade() -> None:
    op.drop_table("seeks")
    op.drop_table("watch_sessions")
