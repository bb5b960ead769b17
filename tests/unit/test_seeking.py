"""Whether a player may seek, by how far was watched from second 0 on."""

from __future__ import annotations

import pytest

from service.courses.model import SkipPolicy
from service.courses.playing.seeking import SeekReason, decide_seek

LIMIT_CELLS, LIMIT_MS = 100, 100_000
BLOCK, FLAG, ALLOW = SkipPolicy.BLOCK, SkipPolicy.FLAG, SkipPolicy.ALLOW

CASES = [
    # to, policy, assigned: reason, allowed, recorded, skip, flagged
    (0, BLOCK, True, "within_limit", True, False, False, False),
    (LIMIT_MS, BLOCK, True, "within_limit", True, False, False, False),
    (LIMIT_MS, FLAG, True, "within_limit", True, False, False, False),
    (LIMIT_MS, ALLOW, False, "within_limit", True, False, False, False),
    (LIMIT_MS + 1, BLOCK, True, "blocked", False, True, False, False),
    (LIMIT_MS + 90_000, BLOCK, True, "blocked", False, True, False, False),
    (LIMIT_MS + 1, FLAG, True, "flagged", True, True, False, True),
    (LIMIT_MS + 5000, FLAG, True, "flagged", True, True, False, True),
    (LIMIT_MS + 5001, FLAG, True, "flagged", True, True, True, True),
    (LIMIT_MS + 5000, ALLOW, True, "allowed", True, True, False, False),
    (LIMIT_MS + 5001, ALLOW, True, "allowed", True, True, True, False),
    (LIMIT_MS + 1, BLOCK, False, "not_assigned", True, True, False, False),
    (LIMIT_MS + 5000, BLOCK, False, "not_assigned", True, True, False, False),
    (LIMIT_MS + 5001, BLOCK, False, "not_assigned", True, True, True, False),
    (LIMIT_MS + 5001, FLAG, False, "not_assigned", True, True, True, False),
]


@pytest.mark.parametrize(
    ("to_ms", "policy", "is_assigned", "reason", "is_allowed", "is_recorded", "is_skip", "is_flagged"), CASES
)
def test_a_seek_is_decided(
    to_ms: int,
    policy: SkipPolicy,
    is_assigned: bool,
    reason: str,
    is_allowed: bool,
    is_recorded: bool,
    is_skip: bool,
    is_flagged: bool,
) -> None:
    decision = decide_seek(to_ms, LIMIT_CELLS, policy, is_assigned=is_assigned)
    assert (decision.reason, decision.limit_ms) == (SeekReason(reason), LIMIT_MS)
    assert (decision.is_allowed, decision.is_recorded) == (is_allowed, is_recorded)
    assert (decision.is_skip, decision.is_flagged) == (is_skip, is_flagged)


@pytest.mark.parametrize("policy", SkipPolicy)
def test_where_nothing_was_watched_yet_the_limit_is_the_start(policy: SkipPolicy) -> None:
    """As at the start of every attempt."""
    assert decide_seek(0, 0, policy, is_assigned=True).reason is SeekReason.WITHIN_LIMIT
    assert decide_seek(1, 0, policy, is_assigned=True).is_allowed == (policy is not BLOCK)
