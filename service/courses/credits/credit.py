"""What watching before an assignment is worth: before it is whatever counted in a scope that is no attempt's.

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
    """What one session saw of the movie in one scope, while it was not assigned.

    `ended_us` is the time of its last event; `flagged` are the cells that were played implausibly.
    """

    session: str
    ended_us: int
    seen: int
    flagged: int = 0
    scope: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """The cells for which a session is credited: no two sessions have the same one."""

    session: str
    seen: int
    scope: int = 0


Credit: TypeAlias = tuple[Share, ...]
NO_CREDIT: Credit = ()


def credit_of(
    watched: Iterable[Watching], policy: CreditPolicy, duration_ms: int, since_us: int, given: int = 0
) -> Credit:
    """The union of the cells of all sessions that count, each cell by the session that had it first.

    A session counts whose last event is not before `since_us`. Where the cap leaves no room for all of it, the earliest
    sessions come first, and of each its earliest cells. `given` are cells that are credited already: they count towards
    the cap, and are not given again.
    """
    if policy.window_months == 0:  # not even of the same day
        return NO_CREDIT
    whole = all_of(cells_of(duration_ms))
    cells_max = cells_of(duration_ms) * policy.cap_permille // WHOLE_PERMILLE
    shares, taken = [], given & whole
    for session in sorted(watched, key=lambda session: (session.ended_us, session.session, session.scope)):
        if session.ended_us < since_us:
            continue
        counts = session.seen if policy.includes_flagged else session.seen & ~session.flagged
        share = lowest(counts & whole & ~taken, cells_max - taken.bit_count())
        if share:
            shares.append(Share(session.session, share, session.scope))
            taken |= share
    return tuple(shares)


def window_us(policy: CreditPolicy, assigned_us: int, zone: tzinfo) -> int:
    """Since when watching counts: `window_months` back from the assignment, in calendar months of `zone`."""
    return months_earlier_us(assigned_us, policy.window_months, zone)


def seen_with(own: int, credit: Credit) -> int:
    """What counts for an attempt: its own cells and those that it is credited."""
    for share in credit:
        own |= share.seen
    return own
