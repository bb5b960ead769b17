"""What the script says became of an event, beside the milliseconds that it was credited (`lua/apply.lua`)."""

from __future__ import annotations

from typing import Final

DUPLICATE: Final = b"D"

ABSENT: Final = b"A"
"""Not counted: its user left Redis, and must be brought in first."""

ERASURE: Final = b"E"
"""Of an entry that is no run of events: its user was erased (`lua/erase.lua`)."""

UNCOUNTED: Final = frozenset((DUPLICATE, ABSENT))


def split(outcomes: bytes) -> list[bytes]:
    return outcomes.split(b",")


def counted(outcomes: bytes) -> int:
    """How many events of an entry counted; an erasure is one."""
    said = split(outcomes)
    return len(said) - said.count(DUPLICATE) - said.count(ABSENT) - said.count(b"")
