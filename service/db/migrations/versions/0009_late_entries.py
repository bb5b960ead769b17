"""Late entries: those whose rows came after following had passed them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "late_entries",
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
            comment="stream id of the entry: milliseconds",
        ),
        sa.Column(
            "entry_seq",
            sa.BigInteger(),
            nullable=False,
            comment="stream id of the entry: sequence number",
        ),
        sa.PrimaryKeyConstraint("partition", "entry_ms", "entry_seq", name="pk_late_entries"),
        comment="entries that were stored after they had been parked, and are still to be followed",
    )


def downgrade() -> None:
    op.drop_table("late_entries")
