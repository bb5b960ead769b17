"""`playhead audit` and `playhead recover`: live counters held against Postgres, and brought level with it."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from random import SystemRandom
from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from service import settings
from service.counters.connection import connect
from service.counters.constants import constants_of
from service.db.history import History
from service.db.ledger import Ledger
from workers.audit import Audit, Verdict, audit_all
from workers.recovery import Recovery
from workers.servers import database_url_of, redis_url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from service.settings import Settings

REDIS_TIMEOUT_SECONDS = 30.0
DRIFTS_SHOWN_MAX = 20


class Stores(NamedTuple):
    settings: Settings
    redis: Redis
    history: History
    ledger: Ledger


async def audit(
    *,
    sample: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    seed: int | None = None,
) -> int:
    """Compare live counters with what the raw events in Postgres give: every clock, place, bit and session.

    The raw events alone are counted again by the plain model of the rules, which shares no code with the Lua. Works
    while events come in; the flusher must run. The exit code is 1 when a counter is not what it should be.

    Parameters
    ----------
    sample
        How many users to compare, picked at random; 0 is all of them.
    seed
        The same seed picks the same users; new by default.
    """
    seed = SystemRandom().randrange(2**32) if seed is None else seed
    started = time.monotonic()
    async with _stores() as stores:
        auditor = Audit(
            stores.redis,
            stores.history,
            stores.ledger,
            constants_of(stores.settings),
            keeps_all=not stores.settings.events_keep_days,
        )
        console = Console(stderr=True)
        with console.status("") as status:
            verdict = await audit_all(
                auditor,
                stores.settings.partitions,
                lambda so_far: status.update(f"{so_far.users:,} users, {so_far.events:,} events"),
                sample=sample,
                seed=seed,
            )
    _report(verdict, time.monotonic() - started, sample, seed)
    return 1 if verdict.drifts else 0


def _report(verdict: Verdict, seconds: float, sample: int, seed: int) -> None:
    for drift in verdict.drifts[:DRIFTS_SHOWN_MAX]:
        print(f"{drift.key!r}\n  expected {drift.expected}\n  found    {drift.found}")
    if len(verdict.drifts) > DRIFTS_SHOWN_MAX:
        print(f"and {len(verdict.drifts) - DRIFTS_SHOWN_MAX} more")
    picked = f" (sample, seed {seed})" if sample else ""
    print(
        f"{verdict.users:,} users{picked}, {verdict.pairs:,} pairs, {verdict.events:,} raw events in {seconds:.1f} s:"
        f" {len(verdict.drifts)} counters drifted"
    )
    if verdict.incomplete:
        print(f"{verdict.incomplete} pairs were left out: some of their raw events are no longer kept")


async def recover() -> int:
    """Bring Redis level with Postgres where it lost events, and open it for events. `serve` does this by itself.

    What Redis still has is kept; only the users of lost events are built again. Does nothing to a level partition.
    """
    async with _stores() as stores:
        recovery = Recovery(stores.redis, stores.ledger, stores.history, constants_of(stores.settings))
        partitions = range(stores.settings.partitions)
        lost = users = events = 0
        started = time.monotonic()
        for partition, checkpoint in (await stores.ledger.checkpoints(partitions)).items():
            if done := await recovery.level(partition, checkpoint):
                lost, users, events = lost + done.lost, users + done.users, events + done.events
    seconds = time.monotonic() - started
    print(
        f"{lost:,} lost events, {users:,} users built again, {events:,} raw events replayed in {seconds:.1f} s"
    )
    return 0


@asynccontextmanager
async def _stores() -> AsyncIterator[Stores]:
    configured = settings.load()
    database_url = database_url_of(configured)
    ledger = await Ledger.connect(database_url)
    history = await History.connect(database_url)
    redis = connect(redis_url_of(configured), REDIS_TIMEOUT_SECONDS)
    try:
        yield Stores(configured, redis, history, ledger)
    finally:
        await redis.aclose()
        await history.close()
        await ledger.close()
