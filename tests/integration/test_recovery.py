"""A Redis that was emptied, or went back in time, is brought level with Postgres, and nothing is counted twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.counters import keys
from service.db.records import CheckpointMove, Flush
from service.errors import FlushConflict, NotRecovered
from service.events.event import Event
from service.rules.model import Model
from tests.integration.town import CONSTANTS, PARTITION, START_US
from tests.lua.book import apply
from workers.entries import Changed, read_entries, rows_of
from workers.rebuilding import Rebuilding

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from tests.integration.town import Town


async def test_events_are_refused_until_a_partition_is_known_to_be_level(redis: Redis) -> None:
    event = Event("ann", "dune", "play", 0, START_US, START_US)
    with pytest.raises(NotRecovered):
        await apply(redis, PARTITION, [event], CONSTANTS)
    assert await redis.keys("*") == []


async def test_an_emptied_redis_is_rebuilt(town: Town) -> None:
    await town.send(300)
    await town.flush()
    await town.redis.flushall()
    await town.flush()
    await town.check()
    await town.send(100)
    await town.check()


async def test_an_emptied_redis_is_rebuilt_from_raw_events_after_old_snapshots(town: Town) -> None:
    await town.send(100)
    await town.flush()
    await town.send_unsnapshotted(200)
    await town.redis.flushall()
    town.restart()
    await town.flush()
    await town.check()


async def test_a_snapshot_is_never_taken_of_an_emptied_redis(town: Town) -> None:
    """It would say that nothing has changed since, and the raw events that it lacks would not be looked at again."""
    await town.send(100)
    await town.flush()
    await town.send_unsnapshotted(200)
    await town.redis.flushall()
    town.flusher._snapshot_interval_seconds = 0
    await town.flusher.step()
    await town.flush()
    await town.check()


async def test_a_redis_that_went_back_is_brought_level(town: Town) -> None:
    await town.send(200)
    await town.flush()
    remembered = await town.remember()
    await town.send(50)
    await town.flush()
    await town.go_back(remembered)
    await town.flush()
    await town.check()


async def test_what_was_accepted_after_it_went_back_counts_too(town: Town) -> None:
    await town.send(200)
    await town.flush()
    remembered = await town.remember()
    await town.send(50)
    await town.flush()
    await town.go_back(remembered)
    await town.send(30, user="somebody new")
    await town.flush()
    await town.check()


async def test_a_redis_that_forgot_entries_nobody_has_is_taken_as_it_is(town: Town) -> None:
    """What neither Redis nor Postgres has is lost; the rest still counts and goes on."""
    await town.send(50)
    await town.flush()
    before = await town.remember()
    kept, accepted = town.model, town.accepted
    town.model = Model(CONSTANTS)
    await town.send(20, user="lost")
    await town.go_back(before)
    town.model, town.accepted = kept, accepted
    await town.send(20, user="later")
    await town.flush()
    await town.check()


async def test_an_interrupted_recovery_is_begun_again(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    await town.send(100)
    await town.flush()
    await town.send_unsnapshotted(200)
    await town.redis.flushall()
    town.restart()
    original, calls = Rebuilding._put, 0

    async def put_once(*args: Any) -> int:
        nonlocal calls
        calls += 1
        await original(*args)
        raise ConnectionError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Rebuilding, "_put", put_once)
        with pytest.raises(ConnectionError):
            await town.flusher.step()
    assert calls == 1
    with pytest.raises(NotRecovered):
        await town.send(1)
    town.restart()
    await town.flush()
    await town.check()


async def test_a_superseded_recovery_changes_nothing(town: Town) -> None:
    await town.send(50)
    await town.flush()
    await town.redis.hset(keys.log(PARTITION), "recovering", "another one's")
    recovery = town.flusher._recovery
    with pytest.raises(Exception, match="another recovery"):
        await recovery._resume(
            PARTITION,
            "mine",
            (await town.flusher._ledger.checkpoints([PARTITION]))[PARTITION],
            [],
            is_sparse=False,
        )
    await town.redis.hdel(keys.log(PARTITION), "recovering")
    await town.check()


async def test_a_flusher_that_read_before_a_recovery_cannot_commit_after_it(town: Town) -> None:
    """What waits is appended anew by the recovery; the old ids must not reach Postgres too."""
    await town.send(100)
    await town.flush()
    remembered = await town.remember()
    await town.send(20)
    await town.flush()
    await town.go_back(remembered)
    slow = town.flusher
    await town.send(20, user="late")
    before = (await town.ledger.checkpoints([PARTITION]))[PARTITION]
    found = await read_entries(town.redis, {PARTITION: before.entry}, 1000)
    town.restart()
    await town.flush()
    changed: Changed = {}
    rows = [row for entry in found[PARTITION] for row in rows_of(PARTITION, entry, changed)]
    move = CheckpointMove(PARTITION, before.entry, found[PARTITION][-1].id, len(rows))
    with pytest.raises(FlushConflict):
        await town.ledger.commit(Flush([move], rows, epochs={PARTITION: before.epoch}))
    town.flusher = slow
    await town.flush()
    await town.check()
