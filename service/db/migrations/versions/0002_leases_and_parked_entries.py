"""Leases of partitions, and entries that are parked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "checkpoints",
        sa.Column("holder", sa.Text(), nullable=True, comment="the flusher that has the partition, by name"),
    )
    op.add_column(
        "checkpoints",
        sa.Column(
            "epoch",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="rises with each holder; a commit under an earlier one is refused",
        ),
    )
    op.create_table(
        "flushers",
        sa.Column("name", sa.Text(), nullable=False, comment="of its own choice, new at every start"),
        sa.Column(
            "alive_until",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="until when it counts as alive, by the clock of Postgres",
        ),
        sa.PrimaryKeyConstraint("name", name="pk_flushers"),
        comment="the flushers that share the partitions",
        postgresql_with={"fillfactor": 80},
    )
    op.create_table(
        "parked_entries",
        sa.Column(
            "partition",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="the user's partition",
        ),
        sa.Column(
            "entry_ms", sa.BigInteger(), nullable=False, comment="stream id of the entry: milliseconds"
        ),
        sa.Column(
            "entry_seq", sa.BigInteger(), nullable=False, comment="stream id of the entry: sequence number"
        ),
        sa.Column("run", sa.LargeBinary(), nullable=False, comment="its packed events"),
        sa.Column("outcomes", sa.LargeBinary(), nullable=False, comment="what each event counted"),
        sa.Column(
            "appended",
            sa.BigInteger(),
            nullable=False,
            comment="how many events its partition had, up to and with it",
        ),
        sa.Column("events", sa.Integer(), nullable=False, comment="how many of its events counted"),
        sa.Column("reason", sa.Text(), nullable=False, comment="why, as a short snake_case word"),
        sa.Column("detail", sa.Text(), nullable=False, comment="why, in the words of what refused it"),
        sa.Column(
            "parked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when it was parked",
        ),
        sa.PrimaryKeyConstraint("partition", "entry_ms", "entry_seq", name="pk_parked_entries"),
        comment="entries that could not be stored, until they are tried again",
    )


def downgrade() -> None:
    op.drop_table("parked_entries")
    op.drop_table("flushers")
    op.drop_column("checkpoints", "epoch")
    op.drop_column("checkpoints", "holder")
