"""Scopes as they are read and cut: live, of who left Redis, and after Redis lost everything."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from service.counters.calls import Bounds
from service.counters.writer import Writer
from service.events.event import Event
from service.stored.scopes import Scopes
from tests.integration.town import CONSTANTS, PARTITION, START_US
from tests.opening import open_partitions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.stored.scopes import Scope
    from tests.integration.town import Town

PAIR = ("ann", "dune")


@asynccontextmanager
async def scopes_of(town: Town) -> AsyncIterator[tuple[Scopes, Writer]]:
    await open_partitions(town.redis, PARTITION)
    bounds = Bounds(queue_events_max=100_000, backlog_events_max=10**9, timeout_seconds=5)
    writer = Writer(town.redis, 1, CONSTANTS, bounds, town.admission.admit)
    applying = asyncio.create_task(writer.run())
    yield Scopes(town.redis, 1, writer, town.history), writer
    writer.close()
    await applying


def played(number: int, start_s: int, end_s: int, pair: tuple[str, str] = PAIR) -> Event:
    now_us = START_US + number * 1_000_000
    return Event(*pair, "segment", end_s * 1000, now_us, now_us, from_ms=start_s * 1000, id=f"{number}")


def told(scopes: list[Scope]) -> list[tuple[int, int, int]]:
    return [(scope.number, scope.watch_ms // 1000, scope.seen) for scope in scopes]


def cells(start: int, end: int) -> int:
    return (1 << end) - (1 << start)


async def test_each_scope_has_what_was_played_in_it(town: Town) -> None:
    async with scopes_of(town) as (scopes, writer):
        await writer.apply([played(1, 0, 10)])
        assert told((await scopes.read([PAIR]))[0]) == [(0, 10, cells(0, 10))]
        assert await scopes.cut([PAIR]) == [1]
        await writer.apply([played(2, 5, 20), played(3, 5, 20)])
        assert await scopes.cut([PAIR]) == [2]
        assert told((await scopes.read([PAIR]))[0]) == [(0, 10, cells(0, 10)), (1, 30, cells(5, 20))]
        await writer.apply([played(4, 100, 101)])
        assert told((await scopes.read([PAIR]))[0])[2:] == [(2, 1, cells(100, 101))]
        assert (await scopes.read([PAIR]))[0][2].furthest_ms == 101_000


async def test_a_cut_where_nothing_was_played_changes_nothing(town: Town) -> None:
    async with scopes_of(town) as (scopes, writer):
        assert await scopes.cut([PAIR, ("nobody", "dune")]) == [0, 0]
        assert await town.redis.keys("*user*") == []
        await writer.apply([played(1, 0, 10)])
        assert await scopes.cut([PAIR]) == await scopes.cut([PAIR, PAIR][:1]) == [1]
        assert await asyncio.gather(*(scopes.cut([PAIR]) for _ in range(20))) == [[1]] * 20
        assert told((await scopes.read([PAIR]))[0]) == [(0, 10, cells(0, 10))]
        assert await scopes.read([("nobody", "dune"), ("ann", "other")]) == [[], []]


async def test_many_pairs_at_once_awkward_names_and_two_of_the_same(town: Town) -> None:
    pairs = [("é\n", "a:b"), ("é\n", "1:a:b"), ("a", "1:dune"), ("a1:", "dune"), ("", ":"), ("{p1}", "0:0")]
    async with scopes_of(town) as (scopes, writer):
        await writer.apply([played(place, place, place + 3, pair) for place, pair in enumerate(pairs)])
        assert await scopes.cut([*pairs, *pairs]) == [1] * 12
        await writer.apply([played(10 + place, place, place + 1, pair) for place, pair in enumerate(pairs)])
        assert [told(found) for found in await scopes.read(pairs)] == [
            [(0, 3, cells(place, place + 3)), (1, 1, cells(place, place + 1))] for place in range(6)
        ]


async def test_who_left_redis_still_has_scopes(town: Town) -> None:
    async with scopes_of(town) as (scopes, writer):
        await writer.apply([played(1, 0, 10), played(2, 0, 10, ("bob", "dune"))])
        await scopes.cut([PAIR])
        await writer.apply([played(3, 2, 4)])
        await scopes.cut([PAIR])
        before = await scopes.read([PAIR, ("bob", "dune")])
        await town.flush()
        assert await town.evict() == 2
        assert [key for key in await town.redis.keys("*") if b"ann" in key] == []
        assert await scopes.read([PAIR, ("bob", "dune")]) == before
        assert await scopes.cut([PAIR, ("bob", "dune")]) == [2, 1]
        await writer.apply([played(4, 50, 60)])
        assert told((await scopes.read([PAIR]))[0]) == [*told(before[0]), (2, 10, cells(50, 60))]


async def test_whose_cut_is_not_in_postgres_yet_stays(town: Town) -> None:
    async with scopes_of(town) as (scopes, writer):
        await writer.apply([played(1, 0, 10), played(2, 0, 10, ("bob", "dune"))])
        await town.flush()
        await scopes.cut([PAIR])
        assert await town.evict() == 1
        assert await scopes.cut([PAIR]) == [1]


async def test_redis_that_lost_everything_has_its_scopes_again(town: Town) -> None:
    async with scopes_of(town) as (scopes, writer):
        for number in range(3):
            await writer.apply([played(2 * number, number, number + 10)])
            await scopes.cut([PAIR])
            if number == 1:
                await town.flush()
        before = await scopes.read([PAIR])
        town.flusher._snapshot_interval_seconds = 1e9  # the last of it is in raw events alone
        while await town.flusher.step():
            pass
        await town.redis.flushall()
        town.restart()
        await town.flush()
        assert await scopes.read([PAIR]) == before
        assert await scopes.cut([PAIR]) == [3]
