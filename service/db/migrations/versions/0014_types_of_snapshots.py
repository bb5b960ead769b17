"""Types of snapshots: one value is all that a flush brings of one counter, so an upsert takes one array of them.

An array a column took Postgres a sixth longer, since it lays each of sixteen arrays out by itself before it joins them,
and the flusher more than twice as long.
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TYPES = {
    "user_snapshot": """
        user_id text, partition smallint, watch_ms bigint, effective_ms bigint, unique_cells bigint,
        events bigint, movies integer, version_ms bigint, version_seq bigint
    """,
    "pair_snapshot": """
        user_id text, slug text, name_digest bytea, partition smallint, watch_ms bigint, effective_ms bigint,
        unique_cells bigint, implausible_ms bigint, events bigint, furthest_ms integer, latest_ms integer,
        latest_at timestamptz, coverage bytea, scope integer, version_ms bigint, version_seq bigint
    """,
    "scope_snapshot": """
        user_id text, slug text, name_digest bytea, scope integer, partition smallint, watch_ms bigint,
        effective_ms bigint, unique_cells bigint, implausible_ms bigint, events bigint, furthest_ms integer,
        latest_ms integer, latest_at timestamptz, coverage bytea, version_ms bigint, version_seq bigint
    """,
    "session_snapshot": """
        user_id text, slug text, session text, name_digest bytea, partition smallint, position_ms integer,
        time_us bigint, since_us bigint, playing boolean, speed smallint, credited_ms bigint, seq_max bigint,
        seq_base bigint, seq_window bytea, version_ms bigint, version_seq bigint
    """,
    "movie_share_snapshot": """
        slug text, partition smallint, watch_ms bigint, effective_ms bigint, unique_cells bigint,
        viewers bigint, events bigint, version_ms bigint, version_seq bigint
    """,
}


def upgrade() -> None:
    for name, attributes in _TYPES.items():
        op.execute(f"CREATE TYPE {name} AS ({attributes})")


def downgrade() -> None:
    for name in _TYPES:
        op.execute(f"DROP TYPE {name}")
