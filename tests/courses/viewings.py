"""What sessions watched, put where it is found once raw events were followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.counters.coverage import bitmap_of
from service.courses.cells import seen_in
from service.db.connections import open_pool
from service.db.digests import digest
from tests.courses.school import NOW

if TYPE_CHECKING:
    import asyncpg

    from service.courses.cells import Span

VIEWING = """
INSERT INTO viewings (
    user_id, slug_digest, scope, name_digest, slug, session, first_at, last_at, events, watch_ms, effective_ms,
    implausible_ms, seen, flagged, speed
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10, 0, $11, $12, $13)
ON CONFLICT (user_id, slug_digest, scope, name_digest) DO UPDATE
SET seen = excluded.seen, last_at = excluded.last_at, watch_ms = excluded.watch_ms
"""
SPEED = "INSERT INTO viewing_speeds VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING"
RANGE = "INSERT INTO attempt_scopes VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"


class Viewings:
    """Writes rows over connections of its own."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    @classmethod
    async def connect(cls, database_url: str) -> Viewings:
        return cls(await open_pool(database_url, 10, "viewings"))

    async def close(self) -> None:
        await self._pool.close()

    async def add(
        self,
        slug: str,
        *spans: Span,
        user: str = "ann",
        session: str = "s",
        scope: int = 0,
        at_us: int = NOW,
        first_us: int | None = None,
        flagged: Span = (0, 0),
        speed: int = 1000,
    ) -> None:
        """One session's, of which the last event was at this time."""
        watch_ms = sum(end - first for first, end in spans) * 1000
        key = (user, digest(slug), scope, digest(slug, session))
        seen, effective_ms = bitmap_of(seen_in(spans)), watch_ms * 1000 // speed
        times = (at_us if first_us is None else first_us, at_us)
        flags = bitmap_of(seen_in([flagged]))
        async with self._pool.acquire() as connection:
            await connection.execute(
                VIEWING, *key, slug, session, *times, watch_ms, effective_ms, seen, flags, speed
            )
            await connection.execute(SPEED, *key, speed, watch_ms, effective_ms, seen)

    async def own(
        self,
        attempt: int,
        lesson: str,
        slug: str,
        first: int,
        last: int | None = None,
        *,
        user: str = "ann",
        part: int = 1,
        revision: int = 1,
    ) -> None:
        """Give an attempt these scopes."""
        async with self._pool.acquire() as connection:
            await connection.execute(
                RANGE, attempt, lesson, revision, part, user, slug, digest(slug), first, last
            )

    async def end(self, attempt: int, last: int) -> None:
        """With this scope the ranges of an attempt that are open."""
        async with self._pool.acquire() as connection:
            await connection.execute(
                "UPDATE attempt_scopes SET scope_last = $2 WHERE attempt = $1 AND scope_last IS NULL",
                attempt,
                last,
            )

    async def extend(self, attempt: int, lesson: str, slug: str, *, user: str, first: int) -> None:
        """Give an attempt that has ranges another one, of this movie."""
        await self.end(attempt, first - 1)
        await self.own(attempt, lesson, slug, first, user=user, part=2)
