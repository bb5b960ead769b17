"""Faults at random moments while clients write, and the books after each round of them."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg

from tests.faults import victims
from tests.faults.books import Books, Findings
from tests.faults.faults import Fault, commit
from tests.faults.writers import PROBE, Crowd
from tests.integration.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.faults.writers import Document
    from tests.integration.serving import Serving

SILENT_SECONDS_MAX = 15.0
"""After any fault events are acknowledged again within this."""

REDIS_TIMEOUT_SECONDS = 3
"""Of the service under test: shorter than clients wait, so that nothing comes to count long after they gave up."""

STORED_SECONDS_MAX = 60.0
LULL_SECONDS_MAX = 0.8
"""Between the end of one fault and the next."""


class Wound(NamedTuple):
    """A fault and what it cost: for how long nobody got an acknowledgement, and until all was flowing to Postgres."""

    fault: Fault
    silent_seconds: float
    stored_seconds: float
    acknowledged: int


class Storm:
    """One playhead, its clients and its books."""

    def __init__(self, serving: Serving, seed: int, **crowd: Any) -> None:
        self.serving = serving
        self.crowd = Crowd(serving.url, seed, **crowd)
        self.books = Books(self.crowd, serving.redis_url, serving.database_url)
        self.wounds: list[Wound] = []
        self.findings = Findings()
        self._chance = random.Random(f"{seed} moments")

    async def rage(self, faults: Iterable[Fault], tell: Callable[[Wound], None] = lambda _: None) -> Findings:
        """One round: these faults, one after the other, then rest and audit."""
        async with self.crowd.writing():
            for fault in faults:
                await asyncio.sleep(self._chance.uniform(0, LULL_SECONDS_MAX))
                wound = await self._suffer(fault)
                self.wounds.append(wound)
                tell(wound)
        findings = await self.books.audit(self.serving.url)
        self.findings.lost, self.findings.doubled = findings.lost, findings.doubled
        self.findings.wrong += findings.wrong
        return findings

    async def _suffer(self, fault: Fault) -> Wound:
        """Over once every process is there again, and an event sent after that is in Postgres."""
        acknowledged, began = self.crowd.acknowledged, time.monotonic()
        self.crowd.pulse.begin()
        await commit(fault, self.serving)
        for kind in victims.KINDS:
            await victims.appeared(self.serving.pid, kind)
        event = await self.crowd.probe()
        silent_seconds = self.crowd.pulse.longest_seconds
        await until(lambda: self._is_stored(event), "the event in Postgres", STORED_SECONDS_MAX)
        if silent_seconds > SILENT_SECONDS_MAX:
            self.findings.wrong.append(f"after {fault.name} nothing was accepted for {silent_seconds:.1f} s")
        stored_seconds = time.monotonic() - began
        return Wound(fault, silent_seconds, stored_seconds, self.crowd.acknowledged - acknowledged)

    async def _is_stored(self, event: Document) -> bool:
        try:
            connection = await asyncpg.connect(self.serving.database_url, timeout=2)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        try:
            found = "SELECT true FROM events WHERE user_id = $1 AND session = $2"
            return bool(await connection.fetchval(found, PROBE, event["session"], timeout=2))
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        finally:
            connection.terminate()

    def summary(self) -> list[dict[str, Any]]:
        """A line for each group of faults."""
        groups: dict[str, list[Wound]] = defaultdict(list)
        for wound in self.wounds:
            groups[wound.fault.group].append(wound)
        return [
            {
                "fault": group,
                "times": len(wounds),
                "acknowledged_meanwhile": sum(wound.acknowledged for wound in wounds),
                "silent_seconds_median": round(median(wound.silent_seconds for wound in wounds), 2),
                "silent_seconds_max": round(max(wound.silent_seconds for wound in wounds), 2),
                "flowing_again_seconds_median": round(median(wound.stored_seconds for wound in wounds), 2),
                "flowing_again_seconds_max": round(max(wound.stored_seconds for wound in wounds), 2),
            }
            for group, wounds in sorted(groups.items())
        ]
