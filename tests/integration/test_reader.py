"""Reads that come at the same moment share round trips; one that is refused or given up is nobody else's matter."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from service.counters import coverage, images
from service.counters.reader import Reader
from service.errors import NotFound
from service.stored.reads import StoredReads

if TYPE_CHECKING:
    from tests.integration.town import Town

READS = 300


async def test_reads_at_the_same_moment_share_round_trips(town: Town) -> None:
    await town.send(200)
    reader = Reader(town.redis, 1, StoredReads(town.history))
    users = [name for name in town.model.users for _ in range(READS // len(town.model.users))]
    before = await trips(town)
    found = await asyncio.gather(*(reader.user(name) for name in users))
    assert await trips(town) - before < len(users) / 10
    assert [one.events for one in found] == [town.model.users[name].totals.events for name in users]


async def test_every_pair_and_movie_is_read_as_it_was_counted(town: Town) -> None:
    """Those that users are at, from their own records, and those that they turned away from."""
    await town.send(400)
    reader = Reader(town.redis, 1, StoredReads(town.history))
    names = list(town.model.pairs)
    assert len(names) > 2 * len(town.model.users)
    before = await trips(town)
    found = await asyncio.gather(*(reader.pair(*name) for name in names))
    assert await trips(town) - before < len(names) / 10
    for name, (record, bitmap) in zip(names, found, strict=True):
        pair = town.model.pairs[name]
        assert record == images.record_of(pair)
        assert coverage.seen_of(bitmap) == pair.seen
    for slug, movie in town.model.movies.items():
        total = await reader.movie(slug)
        assert (total.events, total.viewers) == (movie.totals.events, movie.viewers)
    with pytest.raises(NotFound):
        await reader.pair(names[0][0], "a movie that nobody saw")


async def test_one_read_that_fails_or_is_given_up_hurts_no_other(town: Town) -> None:
    await town.send(50)
    reader = Reader(town.redis, 1, StoredReads(town.history))
    known = next(iter(town.model.users))
    given_up = asyncio.create_task(reader.user(known))
    unknown = asyncio.create_task(reader.user("nobody"))
    other = asyncio.create_task(reader.user(known))
    await asyncio.sleep(0)
    given_up.cancel()
    assert (await other).events == town.model.users[known].totals.events
    with pytest.raises(NotFound):
        await unknown
    assert (await reader.user(known)).events


async def trips(town: Town) -> int:
    """How often the server has read from a connection."""
    return int((await town.redis.info("stats"))["total_reads_processed"])
