"""Judged viewings: how much a viewing told to have played, and since when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, comment in (
        ("judged_ms", "wall time of what was played that can be held against the clock"),
        ("excess_ms", "how much of that the clock does not allow"),
    ):
        op.add_column(
            "viewings",
            sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False, comment=comment),
        )
    op.add_column(
        "viewings",
        sa.Column(
            "since_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the earliest of that began",
        ),
    )


def downgrade() -> None:
    for name in ("judged_ms", "excess_ms", "since_at"):
        op.drop_column("viewings", name)
