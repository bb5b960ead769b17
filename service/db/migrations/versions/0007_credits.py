"""Credits, and what reports read: how long an attempt watched each lesson, and at which speed."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
BITMAP = "a bit a cell; cell 0 is the most significant bit of byte 0"
LESSON_COMMENTS: dict[str, tuple[sa.types.TypeEngine[Any], str, str]] = {
    "seen_cells": (
        sa.Integer(),
        "how many of its cells were seen",
        "how many of its cells count: seen or credited",
    ),
    "started_at": (TIME, "when it was first watched", "when it was first watched, or credited"),
}


def name_of(name: str, comment: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=False, comment=comment)


def of_attempt(comment: str) -> sa.Column[int]:
    return sa.Column("attempt", sa.BigInteger(), autoincrement=False, nullable=False, comment=comment)


def upgrade() -> None:
    add_durations()
    add_speeds()
    add_credits()


def add_durations() -> None:
    for name, comment in (("watch_ms", "content time played"), ("effective_ms", "wall time that took")):
        column = sa.Column(name, sa.BigInteger(), nullable=False, server_default="0", comment=comment)
        op.add_column("attempt_lessons", column)
        op.alter_column("attempt_lessons", name, server_default=None)
    op.alter_column("attempt_lessons", "last_viewed_at", existing_type=TIME, nullable=True)
    for name, (kind, before, comment) in LESSON_COMMENTS.items():
        op.alter_column(
            "attempt_lessons",
            name,
            existing_type=kind,
            existing_nullable=False,
            existing_comment=before,
            comment=comment,
        )


def add_speeds() -> None:
    op.create_table(
        "attempt_speeds",
        of_attempt("which attempt"),
        name_of("lesson", "which lesson"),
        sa.Column("revision", sa.Integer(), nullable=False, comment="which video of it"),
        sa.Column("speed", sa.SmallInteger(), autoincrement=False, nullable=False, comment="thousandths"),
        sa.Column("watch_ms", sa.BigInteger(), nullable=False, comment="content time played at it"),
        sa.Column("effective_ms", sa.BigInteger(), nullable=False, comment="wall time that took"),
        sa.PrimaryKeyConstraint("attempt", "lesson", "revision", "speed", name="pk_attempt_speeds"),
        sa.ForeignKeyConstraint(
            ["attempt"], ["attempts.attempt"], name="fk_attempt_speeds_attempts", ondelete="CASCADE"
        ),
        comment="how long an attempt watched each lesson at which speed",
        postgresql_with={"fillfactor": 80},
    )


def add_credits() -> None:
    op.create_table(
        "credits",
        sa.Column(
            "credit",
            sa.BigInteger(),
            sa.Identity(always=False),
            nullable=False,
            comment="its number, of all credits",
        ),
        of_attempt("for which it counts"),
        name_of("user_id", "whose"),
        name_of("lesson", "which lesson"),
        sa.Column("revision", sa.Integer(), nullable=False, comment="which video of it"),
        sa.Column("created_at", TIME, nullable=False, comment="when it was given"),
        sa.Column("created_by", sa.Text(), nullable=True, comment="by whom; NULL where no person was known"),
        sa.Column(
            "window_months",
            sa.SmallInteger(),
            nullable=False,
            comment="the policy of then: how far back watching counted",
        ),
        sa.Column(
            "cap_permille",
            sa.SmallInteger(),
            nullable=False,
            comment="the policy of then: how much of the lesson might be credited",
        ),
        sa.Column(
            "includes_flagged",
            sa.Boolean(),
            nullable=False,
            comment="the policy of then: whether flagged watching counted",
        ),
        sa.Column("since_at", TIME, nullable=False, comment="the first moment of that window"),
        sa.Column("until_at", TIME, nullable=False, comment="its end: the assignment"),
        sa.Column("seen", sa.LargeBinary(), nullable=False, comment=f"what it gives: {BITMAP}"),
        sa.Column("seen_cells", sa.Integer(), nullable=False, comment="how many cells those are"),
        sa.Column("taken_back_at", TIME, nullable=True, comment="since when it does not count"),
        sa.Column(
            "taken_back_by", sa.Text(), nullable=True, comment="by whom; NULL where no person was known"
        ),
        sa.Column(
            "withdrawn_at",
            TIME,
            nullable=True,
            comment="the completion that stood on it, and was withdrawn with it",
        ),
        sa.PrimaryKeyConstraint("credit", name="pk_credits"),
        sa.ForeignKeyConstraint(
            ["attempt"], ["attempts.attempt"], name="fk_credits_attempts", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["lesson", "revision"],
            ["lesson_revisions.lesson", "lesson_revisions.revision"],
            name="fk_credits_lesson_revisions",
        ),
        comment="what watching before an assignment was worth",
    )
    op.create_index("ix_credits_attempt_credit", "credits", ["attempt", "credit"])
    op.create_index("ix_credits_user_id_credit", "credits", ["user_id", "credit"])
    op.create_table(
        "credit_shares",
        sa.Column("credit", sa.BigInteger(), autoincrement=False, nullable=False, comment="of which credit"),
        sa.Column(
            "place",
            sa.SmallInteger(),
            nullable=False,
            comment="in the order in which they were credited, from 0",
        ),
        name_of("slug", "the movie that was watched"),
        name_of("session", "the playback; empty for the nameless session of the pair"),
        sa.Column("scope", sa.Integer(), nullable=False, comment="the scope of the pair in which it counted"),
        sa.Column("first_at", TIME, nullable=False, comment="the time of its first event there"),
        sa.Column("last_at", TIME, nullable=False, comment="the time of its last event there"),
        sa.Column(
            "seen",
            sa.LargeBinary(),
            nullable=False,
            comment=f"what it gave, and no share before it: {BITMAP}",
        ),
        sa.PrimaryKeyConstraint("credit", "place", name="pk_credit_shares"),
        sa.ForeignKeyConstraint(
            ["credit"], ["credits.credit"], name="fk_credit_shares_credits", ondelete="CASCADE"
        ),
        comment="which session gave which cells of a credit",
    )


def downgrade() -> None:
    for table in ("credit_shares", "credits", "attempt_speeds"):
        op.drop_table(table)
    op.execute("UPDATE attempt_lessons SET last_viewed_at = started_at WHERE last_viewed_at IS NULL")
    op.alter_column("attempt_lessons", "last_viewed_at", existing_type=TIME, nullable=False)
    for name, (kind, before, comment) in LESSON_COMMENTS.items():
        op.alter_column(
            "attempt_lessons",
            name,
            existing_type=kind,
            existing_nullable=False,
            existing_comment=comment,
            comment=before,
        )
    for name in ("watch_ms", "effective_ms"):
        op.drop_column("attempt_lessons", name)
