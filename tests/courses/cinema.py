"""Courses with real counters beside them: what is watched goes the whole way, as far as a test lets it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.courses.store import Courses
from service.courses.watching.watching import Watching
from service.events.event import Event
from service.rules.constants import Constants
from service.stored.scopes import Scopes
from tests.courses.school import NOW
from tests.integration.bench import PARTITIONS, Bench, bench_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from service.courses.watching.watched import WatchedLesson


@dataclass
class Cinema:
    bench: Bench
    courses: Courses
    scopes: Scopes
    watching: Watching

    async def play(
        self,
        slug: str,
        from_s: float,
        to_s: float,
        *,
        user: str = "ann",
        session: str = "",
        speed: int | None = None,
        at_us: int = NOW,
        timed: bool = True,
    ) -> None:
        """From one second of the movie to another; `at_us` is when it ended."""
        await self.bench.send(
            [
                Event(
                    user,
                    slug,
                    "segment",
                    round(to_s * 1000),
                    at_us,
                    at_us,
                    timed,
                    session,
                    from_ms=round(from_s * 1000),
                    speed=speed,
                )
            ]
        )

    async def level(self, course: str = "safety", user: str = "ann") -> None:
        await self.watching.levelling.level_assignments([(course, user)])

    async def lessons(self, attempt: int) -> list[WatchedLesson]:
        return (await self.watching.watched.of_attempts([attempt]))[attempt]

    async def lesson(self, attempt: int, lesson: str = "intro") -> WatchedLesson:
        return await self.watching.watched.of_lesson(attempt, lesson)


@asynccontextmanager
async def cinema_on(redis: Redis, database_url: str) -> AsyncIterator[Cinema]:
    async with bench_on(redis, database_url) as bench:
        courses = await Courses.connect(database_url)
        scopes = Scopes(redis, PARTITIONS, bench.writer, bench.history)
        yield Cinema(bench, courses, scopes, Watching(courses.database, scopes, Constants()))
        await courses.close()
