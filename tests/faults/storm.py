"""Faults at random moments while clients write, and the books after each round of them."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg

from tests.faults.books import Books, Findings
from tests.faults.faults import Fault, commit
from tests.faults.writers import PROBE, Crowd
from tests.integration.waiting import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from tests.faults.writers import Document
    from tests.integration.serving import Serving

    Commit = Callable[[Fault, Serving], Awaitable[None]]

SILENT_SECONDS_MAX = 15.0
"""After any fault events are acknowledged again within this."""

START_AGAIN_SECONDS_MAX = 60.0
"""The same where all of playhead ended and is started again, on a machine that may have other things to do."""

REDIS_TIMEOUT_SECONDS = 3
"""Of the service under test: shorter than clients wait, so that nothing comes to count long after they gave up."""

STORED_SECONDS_MAX = 60.0
LULL_SECONDS_MAX = 0.8
"""Between the end of one fault and the next."""


class Wound(NamedTuple):
    """A fault and what it cost: for how long nobody got an acknowledgement, and until all was flowing to Postgres."""

    fault: Fault
    silent_seconds: float
    flowing_seconds: float
    acknowledged: int


class Storm:
    """One playhead, its clients and its books. The books read from the servers themselves, whatever lies between."""

    def __init__(
        self,
        serving: Serving,
        seed: int,
        commit: Commit = commit,
        *,
        redis_url: str | None = None,
        database_url: str | None = None,
    ) -> None:
        self.serving = serving
        self.crowd = Crowd(serving.url, seed)
        self._commit = commit
        self._database_url = database_url or serving.database_url
        self.books = Books(self.crowd, redis_url or serving.redis_url, self._database_url)
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
        """Over once an event that was sent after the fault is in Postgres."""
        acknowledged, began = self.crowd.acknowledged, time.monotonic()
        self.crowd.pulse.begin()
        await self._commit(fault, self.serving)
        event = await self.crowd.probe()
        silent_seconds = self.crowd.pulse.longest_seconds
        await until(lambda: self._is_stored(event), "the event in Postgres", STORED_SECONDS_MAX)
        bound = START_AGAIN_SECONDS_MAX if "supervisor" in fault.kinds else SILENT_SECONDS_MAX
        if silent_seconds > bound:
            self.findings.wrong.append(f"after {fault.name} nothing was accepted for {silent_seconds:.1f} s")
        flowing_seconds = time.monotonic() - began
        return Wound(fault, silent_seconds, flowing_seconds, self.crowd.acknowledged - acknowledged)

    async def _is_stored(self, event: Document) -> bool:
        try:
            connection = await asyncpg.connect(self._database_url, timeout=2)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        try:
            found = "SELECT true FROM events WHERE user_id = $1 AND session = $2"
            return bool(await connection.fetchval(found, PROBE, event["session"], timeout=2))
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        finally:
            connection.terminate()

    @property
    def kills(self) -> int:
        return sum(wound.fault.kills for wound in self.wounds)

    def result(self) -> dict[str, Any]:
        """All of it, for a report."""
        answers = self.crowd.answers
        return {
            "kills": self.kills,
            "acknowledged": self.crowd.acknowledged,
            "answers_lost": sum(one.unanswered for one in answers),
            "refused": sum(one.refused for one in answers),
            "recognised_as_duplicates": sum(one.duplicates for one in answers),
            "lost": self.findings.lost,
            "doubled": self.findings.doubled,
            "wrong": self.findings.wrong,
            "faults": self._lines(),
        }

    def _lines(self) -> list[dict[str, Any]]:
        """One for each group of faults."""
        groups: dict[str, list[Wound]] = defaultdict(list)
        for wound in self.wounds:
            groups[wound.fault.group].append(wound)
        return [
            {
                "fault": group,
                "times": len(wounds),
                "acknowledged": sum(wound.acknowledged for wound in wounds),
                **_spread("silent_seconds", [wound.silent_seconds for wound in wounds]),
                **_spread("flowing_seconds", [wound.flowing_seconds for wound in wounds]),
            }
            for group, wounds in sorted(groups.items())
        ]


def _spread(name: str, seconds: list[float]) -> dict[str, float]:
    return {f"{name}_median": round(median(seconds), 2), f"{name}_max": round(max(seconds), 2)}
