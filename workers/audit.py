"""The audit: holds live counters of some users against what the raw events give, through the model.

The raw events alone, without any snapshot, are applied by `service.rules.model`, which shares no code with the Lua.
Live state is read together with the id of the last entry in it, and compared once Postgres has all rows up to there.
Of users who are not in Redis because they were idle, the snapshots in Postgres are the state: those are compared.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from service.db.records import START
from service.errors import Unavailable
from service.rules.model import Model
from service.stored.parked import raw_events
from workers.comparison import Verdict, compare, standing_of_live, standing_of_snapshots
from workers.live import read_live

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from redis.asyncio import Redis

    from service.db.history import History
    from service.db.ledger import Ledger
    from service.db.records import Checkpoint, EntryId
    from service.rules.constants import Constants
    from workers.live import Live

FLUSHED_SECONDS_MAX = 30.0
"""How long to wait for the flusher to bring the rows of what was read."""

POLL_SECONDS = 0.05

LOOKS_MORE = 3


class Audit:
    """`keeps_all` says that no raw event was ever dropped; otherwise a pair with fewer of them is left out."""

    def __init__(
        self, redis: Redis, history: History, ledger: Ledger, constants: Constants, *, keeps_all: bool
    ) -> None:
        self._redis = redis
        self._history = history
        self._ledger = ledger
        self._constants = constants
        self._keeps_all = keeps_all

    async def users(self, partition: int, names: Sequence[str]) -> Verdict:
        """Compare some users of a partition. Raises Unavailable when the flusher does not come after.

        What is asked for is named before it is read, and in between a user may begin another movie, leave Redis or come
        back. So whoever seems to have drifted is looked at again: a real drift stays.
        """
        verdict = await self._once(partition, names)
        for _ in range(LOOKS_MORE):
            if not verdict.drifts:
                break
            verdict = await self._once(partition, names)
        return verdict

    async def _once(self, partition: int, names: Sequence[str]) -> Verdict:
        verdict = Verdict()
        async for live in read_live(self._redis, partition, names):
            verdict = verdict.plus(await self.compare_live(partition, live, Model(self._constants), START))
        return verdict

    async def compare_live(self, partition: int, live: Live, model: Model, since: EntryId) -> Verdict:
        """`model` has these users up to `since`; it is brought up to where `live` is."""
        events = 0
        if live.upto > since:
            await self.wait_flushed(partition, live.upto)
            for _, event in await raw_events(self._history, partition, live.names, since, live.upto):
                model.apply(event)
                events += 1
        here = [name for name in live.names if name in live.states.users or not live.has_evicted]
        standing = standing_of_live(partition, live.states)
        incomplete, drifts = compare(model, here, standing, keeps_all=self._keeps_all)
        verdict = Verdict(len(live.names), len(live.states.pairs), events, incomplete, drifts=tuple(drifts))
        if len(here) == len(live.names):
            return verdict
        gone = set(live.names).difference(here)
        return verdict.plus(await self.compare_snapshots(gone, model, live.upto))

    async def compare_snapshots(self, names: Collection[str], model: Model, upto: EntryId) -> Verdict:
        """Snapshots of users in the model, which has them up to `upto`. What is newer by now is left out."""
        users = await self._history.totals(names)
        pairs, scopes = await self._history.pairs(names), await self._history.scopes(names)
        sessions = await self._history.sessions(names)
        standing = standing_of_snapshots(users, pairs, scopes, sessions, upto)
        incomplete, drifts = compare(model, names, standing, keeps_all=self._keeps_all)
        return Verdict(incomplete=incomplete, snapshots=len(pairs), drifts=tuple(drifts))

    async def wait_flushed(self, partition: int, upto: EntryId) -> Checkpoint:
        """Until all rows up to there are in Postgres. Raises Unavailable."""
        deadline = time.monotonic() + FLUSHED_SECONDS_MAX
        while (checkpoint := await self.checkpoint(partition)).entry < upto:
            if time.monotonic() > deadline:
                raise Unavailable(f"the rows of partition {partition} up to {upto} did not reach Postgres")
            await asyncio.sleep(POLL_SECONDS)
        return checkpoint

    async def checkpoint(self, partition: int) -> Checkpoint:
        return (await self._ledger.checkpoints([partition]))[partition]
