"""Scopes: what was played of a pair between two cuts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_KINDS = "heartbeat, segment, play, pause, end, seek, rate, claim, mark or load"


def upgrade() -> None:
    op.add_column(
        "events", _scope("of the pair, in which it counted; of a cut, the one that it began", default="0")
    )
    op.alter_column("events", "kind", comment=f"{_KINDS}; or cut", existing_comment=_KINDS)
    op.add_column("pairs", _scope("the current one", default="0"))
    op.create_table(
        "scopes",
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="who watches"),
        sa.Column("slug", sa.Text(collation="C"), nullable=False, comment="names the movie"),
        sa.Column(
            "name_digest",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of slug, see service.db.digests",
        ),
        _scope("of the pair, from 0"),
        sa.Column(
            "partition",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="the user's partition",
        ),
        _count("watch_ms", "content time played in it"),
        _count("effective_ms", "wall time that took"),
        _count("unique_cells", "cells seen in it: bits set in coverage"),
        _count("implausible_ms", "watch time that the clock does not allow"),
        _count("events", "events counted in it"),
        sa.Column("furthest_ms", sa.Integer(), nullable=False, comment="the highest position reached in it"),
        sa.Column("latest_ms", sa.Integer(), nullable=True, comment="position of its most recent event"),
        sa.Column(
            "latest_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="time of its most recent event",
        ),
        sa.Column("coverage", sa.LargeBinary(), nullable=False, comment="a bit a cell, as in pairs"),
        _count("version_ms", "true up to here: milliseconds of the stream id"),
        _count("version_seq", "true up to here: sequence number of the stream id"),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when this row was last written",
        ),
        sa.PrimaryKeyConstraint("user_id", "name_digest", "scope", name="pk_scopes"),
        comment="snapshots of what was played of a pair in each of its scopes, of pairs that were ever cut",
        postgresql_with={"fillfactor": 80},
    )


def downgrade() -> None:
    op.drop_table("scopes")
    op.drop_column("pairs", "scope")
    op.alter_column("events", "kind", comment=_KINDS, existing_comment=f"{_KINDS}; or cut")
    op.drop_column("events", "scope")


def _count(name: str, comment: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, comment=comment)


def _scope(comment: str, default: str | None = None) -> sa.Column[int]:
    return sa.Column("scope", sa.Integer(), nullable=False, server_default=default, comment=comment)
