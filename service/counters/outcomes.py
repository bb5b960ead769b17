"""What the script says became of an event, beside the milliseconds that it was credited (`lua/apply.lua`)."""

from __future__ import annotations

from typing import Final, NamedTuple

DUPLICATE: Final = b"D"

ABSENT: Final = b"A"
"""Not counted: its user left Redis, and must be brought in first."""

ERASURE: Final = b"E"
"""Of an entry that is no run of events: its user was erased (`lua/erase.lua`)."""

UNCOUNTED: Final = frozenset((DUPLICATE, ABSENT))


class Counted(NamedTuple):
    """What an event that counted was worth, and in which scope of its pair."""

    credited_ms: int
    implausible_ms: int
    scope: int


def read(outcome: bytes) -> Counted:
    """Of an event that counted."""
    worth, _, scope = outcome.partition(b"@")
    credited, _, implausible = worth.partition(b"!")
    return Counted(int(credited), int(implausible or 0), int(scope or 0))


def split(outcomes: bytes) -> list[bytes]:
    return outcomes.split(b",")


def counted(outcomes: bytes) -> int:
    """How many events of an entry counted; an erasure is one."""
    said = split(outcomes)
    return len(said) - said.count(DUPLICATE) - said.count(ABSENT) - said.count(b"")
