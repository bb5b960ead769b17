"""Whatever is killed, paused or stopped: what was acknowledged is counted once, in Redis and in Postgres."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.faults.faults import RENEW, short_schedule

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.storm import Storm

RENEWALS = 3


async def test_renewed_http_processes_lose_no_request(storm: Storm, seed: int) -> None:
    """SIGHUP: clients with old and new connections see neither a broken one nor a 5xx."""
    findings = await storm.rage([RENEW] * RENEWALS)
    assert not findings, (f"FAULTS_SEED={seed}", findings)
    for answers in storm.crowd.answers:
        assert (answers.unanswered, answers.refused) == (0, 0), answers.last_failure


async def test_nothing_acknowledged_is_lost_or_counted_twice(
    storm: Storm, seed: int, say: Callable[[str], None]
) -> None:
    """Every process of playhead dies once, at a random moment, while ten clients write."""
    findings = await storm.rage(short_schedule(random.Random(seed)))
    assert not findings, (f"FAULTS_SEED={seed}", findings)
    assert not storm.findings.wrong, (f"FAULTS_SEED={seed}", storm.findings.wrong)
    assert any(answers.unanswered for answers in storm.crowd.answers), "nobody noticed any fault"
    longest = max(wound.silent_seconds for wound in storm.wounds)
    faults, events = len(storm.wounds), storm.crowd.acknowledged
    attempts = sum(len(learner.attempts) for learner in storm.crowd.learners)
    assert attempts > 2 * len(storm.crowd.learners), "nobody renewed anything"
    say(
        f"FAULTS_SEED={seed}, {faults} faults, {events} events, {attempts} attempts, silent {longest:.1f} s at most"
    )
