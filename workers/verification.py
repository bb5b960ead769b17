"""The verification: all raw events of a partition counted anew, and every counter held against them.

The events come sorted by user, so nobody ever holds more than some users in memory. The movies' shares are read first,
at one moment, and the replay ends there: at its end each share must be the sum over its pairs. Users are compared on
the way: their snapshots as of that moment, and what Redis has of them as of the later moment at which it is read, for
which the few raw events in between are applied too. So it is exact while events come in.

Partitions don't know each other: each is verified by a process of its own, as many at once as there are cores.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import signal
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import aclosing
from typing import TYPE_CHECKING

import uvloop

from service import settings
from service.counters import keys
from service.counters.records import MovieRecord
from service.db.records import START
from service.rules.model import Model, User
from service.stored.parked import parked_changes, raw_events
from workers.audit import POLL_SECONDS, Audit
from workers.comparison import Drift, Verdict
from workers.live import read_live, read_shares
from workers.stores import open_stores

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from multiprocessing.sharedctypes import Synchronized

    from redis.asyncio import Redis

    from service.db.history import History
    from service.db.records import EntryId
    from service.rules.constants import Constants
    from workers.stores import Stores

USERS_AT_ONCE = 200
"""Users held in memory at once."""

SHARES_MAX = 20_000
"""Movies whose shares are read at one moment: it holds Redis for some 40 ms. The shares of more are left out."""

SNAPSHOTS_SECONDS_MAX = 30.0
"""How long to wait for the snapshots to have come as far as the shares. Later they are left out."""

LOOKS_MORE = 2

PROGRESS_SECONDS = 0.2


class Verification:
    def __init__(
        self, redis: Redis, history: History, audit: Audit, constants: Constants, *, keeps_all: bool
    ) -> None:
        self._redis = redis
        self._history = history
        self._audit = audit
        self._constants = constants
        self._keeps_all = keeps_all

    async def partition(self, partition: int, on_progress: Callable[[int], None]) -> Verdict:
        """Every counter of a partition. Raises Unavailable when the flusher does not come after.

        An erasure under way has left the raw events before it has left the shares, or the other way round; so where
        anything seems to have drifted all is looked at again.
        """
        verdict = await self._once(partition, on_progress)
        for _ in range(LOOKS_MORE):
            if not verdict.drifts:
                break
            verdict = await self._once(partition, lambda _: None)
        return verdict

    async def _once(self, partition: int, on_progress: Callable[[int], None]) -> Verdict:
        slugs = [share.slug for share in await self._history.shares(partition)][:SHARES_MAX]
        upto, live = await read_shares(self._redis, partition, slugs)
        has_snapshots = await self._wait_snapshots(partition, upto)
        verdict, shares = Verdict(), dict[str, MovieRecord]()
        async with aclosing(self._models(partition, upto)) as models:
            async for model in models:
                _add_given(shares, model)
                events = sum(pair.totals.events for pair in model.pairs.values())
                verdict = verdict.plus(Verdict(events=events))
                verdict = verdict.plus(await self._users(partition, model, upto, has_snapshots=has_snapshots))
                on_progress(events)
        if not self._keeps_all:
            return verdict
        snapshots = {
            share.slug: MovieRecord(*share.record)
            for share in (await self._history.shares(partition) if has_snapshots else ())
            if share.version and share.version <= upto
        }
        asked = {slug: live.get(slug, MovieRecord()) for slug in slugs}
        drifts = (
            *_differing(lambda slug: keys.movie(partition, slug), shares, asked),
            *_differing(lambda slug: f"movie_shares {partition} {slug}", shares, snapshots),
        )
        return verdict.plus(Verdict(shares=len(asked), drifts=drifts))

    async def _wait_snapshots(self, partition: int, upto: EntryId) -> bool:
        """Until the rows have come up to there, and the snapshots too; gives whether these did."""
        checkpoint = await self._audit.wait_flushed(partition, upto)
        deadline = time.monotonic() + SNAPSHOTS_SECONDS_MAX
        while checkpoint.snapshot < upto and time.monotonic() < deadline:
            await asyncio.sleep(POLL_SECONDS)
            checkpoint = await self._audit.checkpoint(partition)
        return checkpoint.snapshot >= upto

    async def _models(self, partition: int, upto: EntryId) -> AsyncGenerator[Model, None]:
        """All users of the partition, some at a time, as their raw events up to there give them."""
        model, user = Model(self._constants), ""
        parked = sorted({name for name, _ in await parked_changes(self._history.parking, partition)})
        async with aclosing(self._history.replay(partition, upto)) as replayed:
            async for events in replayed:
                for event in events:
                    if event.user in parked:
                        continue
                    if event.user != user:
                        user = event.user
                        if len(model.users) >= USERS_AT_ONCE:
                            yield model
                            model = Model(self._constants)
                    model.apply(event)
        if model.users:
            yield model
        for start in range(0, len(parked), USERS_AT_ONCE):
            model, names = Model(self._constants), parked[start : start + USERS_AT_ONCE]
            for _, event in await raw_events(self._history, partition, names, START, upto):
                model.apply(event)
            yield model
        known = await self._history.users_without_events(partition, upto)
        bare = [name for name in known if name not in parked]
        for start in range(0, len(bare), USERS_AT_ONCE):
            model = Model(self._constants)
            model.users.update((name, User()) for name in bare[start : start + USERS_AT_ONCE])
            yield model

    async def _users(self, partition: int, model: Model, upto: EntryId, *, has_snapshots: bool) -> Verdict:
        """All users of the model, who are in it up to `upto`; whoever seems to have drifted is looked at again."""
        names = list(model.users)
        verdict = await self._audit.compare_snapshots(names, model, upto) if has_snapshots else Verdict()
        async for live in read_live(self._redis, partition, names):
            found = await self._audit.compare_live(partition, live, model, upto)
            verdict = verdict.plus(await self._audit.users(partition, live.names) if found.drifts else found)
        return verdict


def _add_given(shares: dict[str, MovieRecord], model: Model) -> None:
    """What these users' pairs give to the movies: a share is their sum."""
    for (_, slug), pair in model.pairs.items():
        totals = pair.totals
        given = MovieRecord(totals.watch_ms, totals.effective_ms, totals.unique_cells, 1, totals.events)
        shares[slug] = shares.get(slug, MovieRecord()).plus(given)


def _differing(
    spell: Callable[[str], str], shares: dict[str, MovieRecord], found: dict[str, MovieRecord]
) -> list[Drift]:
    expected = {slug: shares.get(slug, MovieRecord()) for slug in found}
    return [
        Drift(spell(slug), str(expected[slug]), str(record))
        for slug, record in found.items()
        if record != expected[slug]
    ]


def verify_all(partitions: int, processes: int, on_progress: Callable[[int], None]) -> Verdict:
    """Every partition, each in a process; says now and then how many events were replayed so far."""
    context = multiprocessing.get_context("spawn")
    replayed = context.Value("Q", 0)
    verdict = Verdict()
    with ProcessPoolExecutor(processes, context, _begin, (replayed,)) as pool:
        waiting = {pool.submit(_verify_partition, partition) for partition in range(partitions)}
        try:
            while waiting:
                done, waiting = wait(waiting, PROGRESS_SECONDS, FIRST_COMPLETED)
                on_progress(replayed.value)
                for one in done:
                    verdict = verdict.plus(one.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return verdict


_replayed: Synchronized[int] | None = None
"""In a process of the pool: the count that all of them share."""


def _begin(replayed: Synchronized[int]) -> None:
    global _replayed  # noqa: PLW0603 - a pool gives its processes nothing else to keep things in
    _replayed = replayed
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()  # as in workers.recovering


def _verify_partition(partition: int) -> Verdict:
    return uvloop.run(_verified(partition))


async def _verified(partition: int) -> Verdict:
    async with open_stores(settings.load()) as stores:
        return await verification_of(stores).partition(partition, _progressed)


def _progressed(events: int) -> None:
    assert _replayed is not None
    with _replayed.get_lock():
        _replayed.value += events


def verification_of(stores: Stores) -> Verification:
    return Verification(
        stores.redis, stores.history, stores.audit, stores.constants, keeps_all=stores.keeps_all
    )
