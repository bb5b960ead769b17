"""The audit in the background: now and then somebody at random, so that a drift shows before anybody asks."""

from __future__ import annotations

import time
from random import random
from typing import TYPE_CHECKING

import structlog

from service import metrics
from service.errors import Unavailable

if TYPE_CHECKING:
    from service.db.history import History
    from workers.audit import Audit

_log = structlog.get_logger()

EVENTS_MAX = 20_000
"""Whoever has more raw events is left out: they would be held in memory, and take a second."""

DRIFTS_SAID_MAX = 20
"""Drifts of one user that are logged; all are counted."""


class RandomAudit:
    """`step` audits one user, and is driven by `workers.loop.drive`. It needs no lease: it only reads."""

    def __init__(self, audit: Audit, history: History) -> None:
        self._audit = audit
        self._history = history

    async def step(self) -> bool:
        picked = await self._history.random_user(random())  # noqa: S311 - a sample, no secret
        if picked is None:
            return False
        name, partition, events = picked
        if events > EVENTS_MAX:
            metrics.AUDIT_SKIPPED.inc()
            return False
        started = time.monotonic()
        try:
            verdict = await self._audit.users(partition, [name])
        except Unavailable:  # the flusher says by itself what keeps it
            metrics.AUDIT_SKIPPED.inc()
            return False
        metrics.AUDIT_SECONDS.observe(time.monotonic() - started)
        metrics.AUDIT_USERS.inc()
        metrics.AUDIT_DRIFTS.inc(len(verdict.drifts))
        for drift in verdict.drifts[:DRIFTS_SAID_MAX]:
            _log.error("counter_drifted", key=drift.key, expected=drift.expected, found=drift.found)
        return False
