"""What watching before an assignment is worth.

A credit is kept beside the cells that an attempt has itself, never mixed with them. So crediting again gives the same,
and what is taken back leaves exactly what the attempt has of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from service.courses.cells import all_of, lowest
from service.courses.dates import months_earlier_us
from service.courses.model import WHOLE_PERMILLE, cells_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import tzinfo

    from service.courses.model import CreditPolicy


@dataclass(frozen=True, slots=True)
class Watching:
    """What one session saw of the movie while it was not assigned; `ended_us` is the time of its last event."""

    session: str
    ended_us: int
    seen: int
    is_flagged: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """The cells for which a session is credited: no two sessions have the same one."""

    session: str
    seen: int


Credit: TypeAlias = tuple[Share, ...]
NO_CREDIT: Credit = ()


def credit_of(
    watched: Iterable[Watching], policy: CreditPolicy, duration_ms: int, assigned_us: int, zone: tzinfo
) -> Credit:
    """The union of the cells of all sessions that count, each cell by the session that had it first.

    A session counts from its last event on, `window_months` back from the assignment, in calendar months of `zone`.
    Where the cap leaves no room for all of it, the earliest sessions come first, and of each its earliest cells.
    """
    if policy.window_months == 0:  # not even of the same day
        return NO_CREDIT
    since_us = months_earlier_us(assigned_us, policy.window_months, zone)
    whole = all_of(cells_of(duration_ms))
    cells_max = cells_of(duration_ms) * policy.cap_permille // WHOLE_PERMILLE
    shares, taken = [], 0
    for session in sorted(watched, key=lambda session: (session.ended_us, session.session)):
        if not since_us <= session.ended_us < assigned_us:
            continue
        if session.is_flagged and not policy.includes_flagged:
            continue
        share = lowest(session.seen & whole & ~taken, cells_max - taken.bit_count())
        if share:
            shares.append(Share(session.session, share))
            taken |= share
    return tuple(shares)


def seen_with(own: int, credit: Credit) -> int:
    """What counts for an attempt: its own cells and those that it is credited."""
    for share in credit:
        own |= share.seen
    return own
