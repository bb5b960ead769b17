"""The worker that renews by rule, with a clock that tests move."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from service.settings import Settings
from tests.courses.school import DAY_US, YEARLY, assign, at, complete, put
from tests.integration.waiting import until
from workers.flushing import flush_until_stopped
from workers.loop import drive
from workers.renewals import Renewals

if TYPE_CHECKING:
    from service.courses.store import Courses


async def test_it_opens_what_is_due_year_after_year(courses: Courses) -> None:
    """The next year counts from the completion, which was ten days before it was due."""
    await put(courses, renewal=YEARLY)
    now = at("2026-03-15")
    renewals = Renewals(courses.attempts, lambda: now)
    opened = (await assign(courses)).attempt
    for number in (2, 3, 4):
        await complete(courses, opened.attempt, now)
        assert not await renewals.step()
        now += 330 * DAY_US
        assert not await renewals.step()
        now += 25 * DAY_US
        assert await renewals.step()
        opened = (await courses.assignments.get("safety", "ann")).attempt
        assert (opened.number, opened.opened_us) == (number, now)
        assert not await renewals.step()


async def test_its_loop_outlives_a_database_that_fails(courses: Courses, module_database_url: str) -> None:
    await put(courses, renewal=YEARLY)
    await complete(courses, (await assign(courses)).attempt.attempt)
    connection = await asyncpg.connect(module_database_url)
    await connection.execute("ALTER TABLE attempts RENAME TO elsewhere")
    stop, failures = asyncio.Event(), 0

    def fail() -> None:
        nonlocal failures
        failures += 1

    step = Renewals(courses.attempts, lambda: at("2028-01-01")).step
    driving = asyncio.create_task(drive("renewals", step, stop, 0.01, fail))

    async def has_failed() -> bool:
        return failures > 0

    async def is_renewed() -> bool:
        return (await courses.assignments.get("safety", "ann")).attempt.number == 2

    await until(has_failed, "a step fails")
    await connection.execute("ALTER TABLE elsewhere RENAME TO attempts")
    await until(is_renewed, "the attempt is renewed")
    stop.set()
    await driving
    await connection.close()


@pytest.mark.usefixtures("redis")
async def test_the_flushers_process_renews(
    courses: Courses, redis_url: str, module_database_url: str
) -> None:
    """By the real clock: what was completed years ago is due."""
    await put(courses, renewal=YEARLY)
    assigned = await assign(courses, now_us=at("2023-12-01"))
    await complete(courses, assigned.attempt.attempt, at("2024-01-01"))
    settings = Settings(
        redis_url=redis_url, database_url=module_database_url, partitions=1, audit_users_per_minute=0
    )
    stop = asyncio.Event()
    running = asyncio.create_task(flush_until_stopped(settings, stop, "flusher"))

    async def is_renewed() -> bool:
        return (await courses.assignments.get("safety", "ann")).attempt.number == 2

    await until(is_renewed, "the attempt is renewed")
    stop.set()
    await running
