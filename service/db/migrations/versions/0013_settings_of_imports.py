"""Settings of imports: by what the points that are staged are judged, whoever finishes it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "move_imports",
        sa.Column(
            "settings",
            sa.Text(),
            nullable=True,
            comment="by what its points are judged, as JSON; NULL: by the settings of who finishes it",
        ),
    )


def downgrade() -> None:
    op.drop_column("move_imports", "settings")
