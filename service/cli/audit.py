"""`playhead audit`, `rebuild` and `recover`: counters held against the raw events, and brought level with Postgres."""

from __future__ import annotations

import asyncio
import os
import time
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service import settings
from service.errors import SettingsError
from workers.comparison import Verdict
from workers.recovering import recover_all
from workers.stores import Stores, open_stores
from workers.verification import verify_all

if TYPE_CHECKING:
    from service.settings import Settings

DRIFTS_SHOWN_MAX = 20

USERS_AT_ONCE = 200
"""Of a sample: users whose raw events are held in memory at once."""


async def audit(
    *,
    sample: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    seed: int | None = None,
) -> int:
    """Compare counters with what the raw events in Postgres give: every clock, place, bit and session.

    The raw events alone are counted again by the plain model of the rules, which shares no code with the Lua. Works
    while events come in; the flusher must run. The exit code is 1 when a counter is not what it should be.

    Parameters
    ----------
    sample
        How many users to compare, picked at random; 0 is everybody, as `playhead rebuild --verify` does.
    seed
        The same seed picks the same users; new by default.
    """
    if not sample:
        return await rebuild(verify=True)
    seed = SystemRandom().randrange(2**32) if seed is None else seed
    started = time.monotonic()
    async with open_stores(settings.load()) as stores:
        with Console(stderr=True).status("looking at some users"):
            verdict = await _sampled(stores, sample, seed)
    print(f"{verdict.users:,} users picked by seed {seed}")
    return _report(verdict, time.monotonic() - started)


async def rebuild(*, verify: bool = False) -> int:
    """Count all raw events anew, without any snapshot, and compare every counter with the result.

    Live counters, movies' totals and the snapshots in Postgres. Changes nothing, and works while events come in; the
    flusher must run. The exit code is 1 when a counter is not what it should be.

    Parameters
    ----------
    verify
        Compare only, which is all that there is so far: without it nothing is done.
    """
    if not verify:
        raise SettingsError(
            "`playhead rebuild` only compares so far: add --verify. An emptied Redis is built again by itself"
        )
    configured = settings.load()
    async with open_stores(configured) as stores:
        checkpoints = await stores.ledger.checkpoints(range(configured.partitions))
    started = time.monotonic()
    bar = Progress(
        TextColumn("replaying"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=sum(checkpoint.appended for checkpoint in checkpoints.values()))
        verdict = await asyncio.to_thread(
            verify_all,
            configured.partitions,
            _processes(configured),
            lambda events: bar.update(task, completed=events),
        )
    return _report(verdict, time.monotonic() - started)


async def _sampled(stores: Stores, sample: int, seed: int) -> Verdict:
    """About so many users, as many of each partition, picked by `seed`."""
    verdict = Verdict()
    pick = Random(seed)  # noqa: S311 - a sample, no secret
    audit, partitions = stores.audit, stores.settings.partitions
    for partition in range(partitions):
        known = [name async for names in stores.history.users(partition) for name in names]
        picked = pick.sample(known, min(len(known), -(-sample // partitions)))
        for start in range(0, len(picked), USERS_AT_ONCE):
            verdict = verdict.plus(await audit.users(partition, picked[start : start + USERS_AT_ONCE]))
    return verdict


def _report(verdict: Verdict, seconds: float) -> int:
    for drift in verdict.drifts[:DRIFTS_SHOWN_MAX]:
        print(f"{drift.key!r}\n  expected {drift.expected}\n  found    {drift.found}")
    if len(verdict.drifts) > DRIFTS_SHOWN_MAX:
        print(f"and {len(verdict.drifts) - DRIFTS_SHOWN_MAX} more")
    print(
        f"{verdict.events:,} raw events replayed in {seconds:.1f} s, {verdict.events / seconds:,.0f} a second;"
        f" {verdict.users:,} users, {verdict.pairs:,} pairs, {verdict.shares:,} movies' shares"
        f" and {verdict.snapshots:,} pairs' snapshots compared: {len(verdict.drifts)} counters drifted"
    )
    if verdict.incomplete:
        print(f"{verdict.incomplete} pairs were left out: some of their raw events are no longer kept")
    return 1 if verdict.drifts else 0


async def recover() -> int:
    """Bring Redis level with Postgres where it lost events, and open it for events. `serve` does this by itself.

    What Redis still has is kept; only the users of lost events are built again. Does nothing to a level partition.
    """
    configured = settings.load()
    async with open_stores(configured):
        pass  # both can be reached
    started = time.monotonic()
    with Console(stderr=True).status("looking at all partitions"):
        done = await asyncio.to_thread(recover_all, configured.partitions, _processes(configured))
    seconds = time.monotonic() - started
    lost, users, events = (sum(getattr(one, name) for one in done) for name in ("lost", "users", "events"))
    print(
        f"{lost:,} lost events, {users:,} users built again,"
        f" {events:,} raw events replayed in {seconds:.1f} s, {events / seconds:,.0f} a second"
    )
    return 0


def _processes(configured: Settings) -> int:
    return min(configured.partitions, os.cpu_count() or 1)
