"""A playhead with a course in it, between real servers, and exports that are brought in."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.events.event import Event
from service.events.quantities import microseconds
from service.rules.model import Model
from tests.moving.exporting import bring

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    import asyncpg

    from service.moving.books import Books
    from tests.courses.cinema import Cinema
    from tests.moving.exporting import Row


@dataclass
class Town:
    """A playhead with the course `safety` in it, and a way to bring in exports."""

    cinema: Cinema
    redis_url: str
    database_url: str
    folder: Path
    connection: asyncpg.Connection[Any]

    async def bring(self, **rows: Any) -> Books:
        """While a flusher runs."""
        async with self.flushing():
            return await bring(self.redis_url, self.database_url, self.folder, **rows)

    @asynccontextmanager
    async def flushing(self) -> AsyncIterator[None]:
        done = asyncio.Event()
        stepping = asyncio.create_task(self._flush(done))
        try:
            yield
        finally:
            done.set()
            await stepping

    async def _flush(self, done: asyncio.Event) -> None:
        while not done.is_set():
            await self.cinema.bench.flusher.step()
            await asyncio.sleep(0.01)

    async def attempts(self, user: str = "ann") -> list[Any]:
        return await self.cinema.courses.attempts.of("safety", user, 10, 1000)

    async def settle(self) -> None:
        """All is in Postgres, and followed."""
        await self.cinema.bench.settle()
        for partition in range(4):
            await self.cinema.watching.following.catch_up(partition)

    async def everything(self) -> dict[str, Any]:
        """All that an import may change: the live counters, and every table but the staging and its log."""
        await self.settle()
        told: dict[str, Any] = {}
        for name in (
            "assignments",
            "user_courses",
            "user_lessons",
            "imported_lessons",
            "attempts",
            "attempt_lessons",
            "attempt_scopes",
            "attempt_speeds",
            "viewings",
        ):
            told[name] = [
                tuple(row) for row in await self.connection.fetch(f"SELECT * FROM {name} ORDER BY 1, 2, 3")
            ]
        told["events"] = [
            tuple(row)
            for row in await self.connection.fetch(
                "SELECT user_id, slug, session, kind, at_ms, from_ms, speed, seq, happened_at, credited_ms, scope"
                " FROM events ORDER BY user_id, slug, session, seq, kind, scope"
            )
        ]
        users = sorted({row[0] for row in told["events"]})
        told["live"] = await self.cinema.scopes.read(
            [(user, slug) for user in users for slug in ("intro-v1", "rules-v1")]
        )
        return told


def of_model(rows: Sequence[Row], slug: str = "intro-v1") -> tuple[Any, ...]:
    """What these points count as heartbeats: watch time, cells, place, furthest."""
    model = Model()
    for row in sorted(rows, key=lambda one: one["createdAt"]):
        time_us = microseconds(row["createdAt"])
        model.apply(
            Event("ann", slug, "heartbeat", round(row["progress"] * 1000), time_us, time_us, timed=True)
        )
    pair = model.pairs["ann", slug]
    return pair.totals.watch_ms, pair.seen, pair.latest_ms, pair.latest_us, pair.furthest_ms
