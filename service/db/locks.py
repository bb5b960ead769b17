"""Advisory locks: what only one process at a time may do to a database.

A lock is a pair of 32-bit numbers. The first is playhead's own: other products may share the database.
"""

from __future__ import annotations

from typing import Final

_PLAYHEAD: Final = int.from_bytes(b"play")

MIGRATE: Final = (_PLAYHEAD, 1)
"""Held while the schema is brought to another revision."""

MAKE_DAYS: Final = (_PLAYHEAD, 2)
"""Held while day partitions are made."""

IMPORT: Final = (_PLAYHEAD, 3)
"""Held, by its connection, as long as an import out of another system goes on."""

TRY: Final = "SELECT pg_try_advisory_lock({}, {})"
"""Takes the lock, if nobody has it, and keeps it for as long as the connection lives. Gives whether it did."""

TAKE: Final = "SELECT pg_advisory_xact_lock({}, {})"
"""Waits for the lock and keeps it until the transaction ends, so that no crash can leave it behind."""
