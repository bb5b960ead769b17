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


@pytest.mark.parametrize("is_snapshotted", [True, False])
@pytest.mark.parametrize("named", [{"id": "a"}, {"seq": 1}])
async def test_what_is_sent_again_to_a_redis_that_forgot_it_counts_once(
    town: Town, is_snapshotted: bool, named: dict[str, Any]
) -> None:
    """Until the flusher notices, such a Redis takes for new what Postgres has."""
    event = Event("ann", "dune", "segment", 9000, START_US, START_US, from_ms=0, **named)
    await town.send(10, user="ann")
    await town.flush()
    remembered = await town.remember()
    await town.tell([event])
    await town.flusher.step()
    if is_snapshotted:
        await town.flush()
    await town.go_back(remembered)
    again = [event._replace(at_ms=10_000), event._replace(id="b", seq=2)]
    assert await apply(town.redis, PARTITION, again, CONSTANTS) == ["10000", "9000"]
    assert [town.model.apply(one).duplicate for one in again] == [True, False]
    town.accepted += 2  # entries that wait, and are stored
    town.restart()
    await town.flush()
    await town.check()


async def test_a_redis_that_is_put_back_as_it_was_before_it_was_emptied_goes_on(town: Town) -> None:
    """It has all events, and knows of no entry as late as the one that the recovery in between began at."""
    await town.send_unsnapshotted(50)
    remembered = await town.remember()
    await town.redis.flushall()
    town.restart()
    town.flusher._snapshot_interval_seconds = 1e9
    await town.flusher._leases.balance()
    await town.flusher._follow_leases()
    await town.go_back(remembered)
    town.restart()
    for _ in range(4):
        await town.flusher.step()
    assert not town.flusher._is_behind()
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


@pytest.mark.parametrize("is_wiped", [True, False])
@pytest.mark.parametrize("is_known", [True, False])
async def test_a_session_that_its_pair_s_snapshot_left_behind_is_brought_level(
    town: Town, is_wiped: bool, is_known: bool
) -> None:
    """The snapshot counts for the pair what the tablet told, and holds the phone's state alone."""
    if is_known:
        await town.tell(told_by("tablet", 0))
    await town.flush()
    town.flusher._snapshot_interval_seconds = 1e9
    await town.tell(told_by("phone", 0))
    await town.flusher.step()
    remembered = await town.remember()
    await town.tell(told_by("tablet", 10))
    await town.flusher.step()
    await assert_behind(town, "tablet", is_known=is_known)
    await town.go_back({} if is_wiped else remembered)
    town.restart()
    await town.flush()
    await town.check()
    await town.tell(told_by("tablet", 10))  # all but the last are duplicates
    await town.tell(told_by("tablet", 20))
    await town.check()
    assert await town.evict() == 1
    await town.check()


async def assert_behind(town: Town, session: str, *, is_known: bool) -> None:
    (pair,) = await town.history.pairs(["ann"])
    versions = {kept.session: kept.version for kept in await town.history.sessions(["ann"])}
    assert versions.pop("phone") == pair.version
    assert (versions.pop(session) < pair.version) if is_known else not versions


def told_by(session: str, since: int) -> list[Event]:
    """Of every kind that moves a session, from so many seconds on; the last one has no `seq`."""
    first = Event("ann", "dune", "play", since * 1000, START_US, START_US, session=session, seq=since)
    told = (("heartbeat", 2, None), ("mark", 3, 1500), ("pause", 4, None))
    events = [
        first._replace(kind=kind, at_ms=(since + at) * 1000, seq=since + at, speed=speed)
        for kind, at, speed in told
    ]
    claim = first._replace(kind="claim", seq=since + 5, segments=((0, (since + 3) * 1000),))
    return [first, *events, claim, first._replace(seq=None)]


@pytest.mark.parametrize("is_wiped", [True, False])
async def test_snapshots_that_were_taken_while_events_came_are_enough(town: Town, is_wiped: bool) -> None:
    """Each holds of what came since the step before only what is counted for pairs, not where sessions are."""
    for turn in range(12):
        await town.send(40)
        remembered = await town.remember()
        await town.send(40)
        await town.flusher.step()
        if turn % 3 == 2:
            await town.go_back({} if is_wiped else remembered)
            town.restart()
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
