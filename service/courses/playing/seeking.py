"""Whether a player may seek to a place, and what is to be recorded of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from service.courses.model import SkipPolicy
from service.rules.spans import CELL_MS

SKIP_MS = 5000
"""A jump no further past the limit is no skip: players round positions, and reports lag behind what was watched."""


class SeekReason(StrEnum):
    """Why a seek was decided as it was."""

    WITHIN_LIMIT = "within_limit"
    NOT_ASSIGNED = "not_assigned"
    BLOCKED = "blocked"
    FLAGGED = "flagged"
    ALLOWED = "allowed"


@dataclass(frozen=True, slots=True)
class SeekDecision:
    """`is_recorded`: it went, or wanted to go, past the limit. `is_skip`: it went past it by more than SKIP_MS."""

    is_allowed: bool
    is_recorded: bool
    is_skip: bool
    is_flagged: bool
    limit_ms: int
    reason: SeekReason


def decide_seek(to_ms: int, verified_cells: int, policy: SkipPolicy, *, is_assigned: bool) -> SeekDecision:
    """The limit is the stretch verified from second 0 on; where the seek comes from does not matter.

    What was not allowed did not happen, and so is no skip, whatever the player wanted.
    """
    limit_ms = verified_cells * CELL_MS
    if to_ms <= limit_ms:
        return SeekDecision(True, False, False, False, limit_ms, SeekReason.WITHIN_LIMIT)
    reason = _REASONS[policy] if is_assigned else SeekReason.NOT_ASSIGNED
    is_allowed = reason is not SeekReason.BLOCKED
    return SeekDecision(
        is_allowed,
        is_recorded=True,
        is_skip=is_allowed and to_ms - limit_ms > SKIP_MS,
        is_flagged=reason is SeekReason.FLAGGED,
        limit_ms=limit_ms,
        reason=reason,
    )


_REASONS = {
    SkipPolicy.BLOCK: SeekReason.BLOCKED,
    SkipPolicy.FLAG: SeekReason.FLAGGED,
    SkipPolicy.ALLOW: SeekReason.ALLOWED,
}
