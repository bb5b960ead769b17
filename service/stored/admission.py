"""Admission: brings evicted users back into Redis, many at once, before their next events are applied."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service import clock, metrics
from service.counters import images, keys, scripts
from service.counters.images import Put
from service.db.failures import asking
from service.errors import PostgresUnavailable, Unavailable
from service.stored.images import images_of, remember_ids, snapshots_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from redis.asyncio import Redis

    from service.db.history import History
    from service.rules.constants import Constants

USERS_AT_ONCE = 200
"""Users read in one go: those of all requests that wait, so that a crowd that returns is few queries."""

TRIES = 5
"""How often somebody may leave the partition between the reading and the putting."""


class Admission:
    """`admit` may be called by any number at once; what waits for the same partition is brought in together."""

    def __init__(
        self, redis: Redis, history: History, constants: Constants, *, timeout_seconds: float
    ) -> None:
        self._redis = redis
        self._history = history
        self._constants = constants
        self._timeout_seconds = timeout_seconds
        self._waiting: dict[int, dict[str, asyncio.Future[None]]] = {}
        self._working: dict[int, asyncio.Task[None]] = {}

    async def admit(self, partition: int, names: Collection[str]) -> None:
        """Afterwards these users are in Redis, new ones without any pair. Raises Unavailable."""
        waiting = self._waiting.setdefault(partition, {})
        loop = asyncio.get_running_loop()
        mine = [waiting.setdefault(name, loop.create_future()) for name in names]
        if partition not in self._working:
            self._working[partition] = asyncio.create_task(
                self._work(partition), name=f"admission {partition}"
            )
        await asyncio.wait(mine)  # others wait for the same ones: whoever is cancelled must not cancel those
        for answer in mine:
            answer.result()

    async def close(self) -> None:
        for working in list(self._working.values()):
            await working

    async def _work(self, partition: int) -> None:
        """Brings in all who wait, those who came first before the others, and ends when nobody does."""
        waiting = self._waiting[partition]
        try:
            while waiting:
                batch = {name: waiting.pop(name) for name in list(waiting)[:USERS_AT_ONCE]}
                failed: Exception | None = None
                try:
                    async with asyncio.timeout(self._timeout_seconds):
                        await self._bring(partition, list(batch))
                except TimeoutError:
                    failed = PostgresUnavailable(
                        "Postgres, where this user's counters are, answers too slowly"
                    )
                except Exception as raised:  # whoever waits must hear of it
                    failed = raised
                _settle(batch.values(), failed)
        finally:
            del self._working[partition]

    async def _bring(self, partition: int, names: list[str]) -> None:
        for _ in range(TRIES):
            given = await scripts.call_one(self._redis, "pass", [keys.log(partition)], [])
            with asking("where this user's counters are"):
                model, _ = await snapshots_of(self._history, self._constants, names)
                now_us = clock.now_us()
                await remember_ids(self._history, model, names, now_us)
            put = Put(now_us, 0, self._constants.idempotency_window_us)
            calls = [images.admit(partition, given, image, put) for image in images_of(model, names)]
            replies = await scripts.call(self._redis, calls)
            failures = [reply for reply in replies if isinstance(reply, Exception)]
            if not failures:
                metrics.ADMITTED.inc(sum(replies))
                return
            if not all(isinstance(failure, scripts.Stale) for failure in failures):
                raise failures[0]
        raise Unavailable("users leave Redis as fast as they are brought in; try again")


def _settle(waiting: Collection[asyncio.Future[None]], failed: Exception | None) -> None:
    for answer in waiting:
        if answer.done():
            continue
        if failed is None:
            answer.set_result(None)
        else:
            answer.set_exception(failed)
            answer.exception()  # nobody may be left who asks
