"""Erasures: that users were erased, and how much that was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "checkpoints",
        sa.Column(
            "erased",
            sa.BigInteger(),
            nullable=False,
            server_default="0",
            comment="how many users were ever erased, of whom nothing is told here",
        ),
    )
    op.alter_column("checkpoints", "erased", server_default=None)
    op.create_table(
        "erasures",
        sa.Column(
            "partition",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="the user's partition",
        ),
        sa.Column(
            "entry_ms",
            sa.BigInteger(),
            nullable=False,
            comment="stream id of the erasure's entry: milliseconds",
        ),
        sa.Column(
            "entry_seq",
            sa.BigInteger(),
            nullable=False,
            comment="stream id of the erasure's entry: sequence number",
        ),
        sa.Column("events", sa.BigInteger(), nullable=False, comment="raw events deleted"),
        sa.Column("pairs", sa.Integer(), nullable=False, comment="snapshots of pairs deleted"),
        sa.Column("sessions", sa.Integer(), nullable=False, comment="snapshots of sessions deleted"),
        sa.Column(
            "erased_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when",
        ),
        sa.PrimaryKeyConstraint("partition", "entry_ms", "entry_seq", name="pk_erasures"),
        comment="that somebody was erased, and how much that was; not who",
    )


def downgrade() -> None:
    op.drop_table("erasures")
    op.drop_column("checkpoints", "erased")
