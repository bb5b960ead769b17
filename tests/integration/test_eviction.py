"""Idle users leave Redis once Postgres has everything of them, and come back as they were before their next event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.counters import keys, scripts
from service.counters.coverage import bitmap_of
from service.counters.images import record_of
from service.counters.reader import Reader
from service.errors import NotFound, NotRecovered, PostgresUnavailable
from service.stored.admission import Admission
from service.stored.reads import StoredReads
from tests.integration.town import CONSTANTS, PARTITION
from workers.eviction import IDLE_SECONDS_MIN, Eviction, find_idle, idle_seconds_at

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from tests.integration.town import Town


async def keys_of_users(redis: Redis) -> list[bytes]:
    """All keys that grow with the number of users."""
    found = [key async for key in redis.scan_iter("{p0}:*", count=1000)]
    kept = (b"{p0}:stream", b"{p0}:log", b"{p0}:call:", b"{p0}:movie:")
    return [key for key in found if not key.startswith(kept)]


async def test_evicted_users_leave_nothing_behind_and_come_back_as_they_were(town: Town) -> None:
    await town.send(300)
    await town.flush()
    assert await town.evict() == len(town.model.users)
    assert await keys_of_users(town.redis) == []
    await town.check()


async def test_who_came_back_goes_on_counting(town: Town) -> None:
    """Sessions, ids, seq windows and movies' shares too: duplicates of before are still told."""
    for _ in range(5):
        await town.send(60)
        await town.flush()
        assert await town.evict() > 0
    await town.check()


async def test_who_is_not_in_postgres_yet_stays(town: Town) -> None:
    await town.send(100)
    await town.flush()
    await town.send(1, user="ann")
    assert await town.evict() == len(town.model.users) - 1
    assert await town.redis.exists(keys.user(PARTITION, "ann"))
    await town.check()


async def test_who_has_rows_but_no_snapshot_yet_stays(town: Town) -> None:
    await town.send(100)
    await town.flush()
    await town.send_unsnapshotted(1)
    assert await town.evict() == len(town.model.users) - 1
    town.restart()
    await town.flush()
    assert await town.evict() == 1
    await town.check()


async def test_a_restarted_flusher_lets_nobody_go_before_all_have_snapshots(town: Town) -> None:
    await town.send(100)
    await town.flush()
    await town.send_unsnapshotted(100)
    town.restart()
    await town.flusher._leases.balance()
    await town.flusher._follow_leases()
    assert await town.evict() == 0
    await town.flush()
    await town.check()


async def test_an_event_in_between_keeps_its_user(town: Town) -> None:
    """Redis is asked who is idle first, and lets go later."""
    await town.send(1, user="ann")
    await town.flush()
    snapshotted, far = town.flusher.snapshotted[PARTITION], 2**53
    found = await find_idle(town.redis, PARTITION, "0", far, snapshotted)
    assert found.users == ["ann"]
    await town.send(1, user="ann")
    call: scripts.Call = ("evict", [keys.log(PARTITION)], ["ann", far, snapshotted])
    assert await scripts.call(town.redis, [call]) == [0]
    await town.check()


async def test_nobody_is_brought_back_as_an_older_self(town: Town) -> None:
    """Between reading an image and putting it, its user came back, watched on, and left again."""
    await town.send(20, user="ann")
    await town.flush()
    await town.evict()
    slow = Admission(town.redis, town.history, CONSTANTS, timeout_seconds=5)
    original, looked = town.history.sessions, 0

    async def sessions(names: list[str]) -> object:
        nonlocal looked
        looked += 1
        found = await original(names)
        if looked == 1:
            town.history.sessions = original  # type: ignore[method-assign]
            await town.send(20, user="ann")
            await town.flush()
            assert await town.evict() == 1
        return found

    town.history.sessions = sessions  # type: ignore[assignment,method-assign]
    await slow.admit(PARTITION, ["ann"])
    await town.check()


@pytest.mark.parametrize("question", ["scopes", "sessions"])
async def test_who_gets_a_first_snapshot_while_being_asked_for_is_let_in(
    town: Town, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    """Pairs, scopes and sessions are asked for one after the other; another process had let the user in before."""
    await town.send(10, user="ann")
    await town.flush()
    await town.evict()
    slow = Admission(town.redis, town.history, CONSTANTS, timeout_seconds=5)
    original = getattr(town.history, question)

    async def ask(names: list[str]) -> object:
        monkeypatch.undo()
        await town.send(30, user="bob")
        await town.flush()
        return await original(names)

    monkeypatch.setattr(town.history, question, ask)
    await slow.admit(PARTITION, ["bob"])
    await town.check()


async def test_nobody_is_let_in_while_redis_is_brought_level(town: Town) -> None:
    """What Postgres has may be older than what the recovery puts in place."""
    await town.send(10, user="ann")
    await town.flush()
    await town.evict()
    await scripts.call_one(town.redis, "close", [keys.log(PARTITION)], ["recovery"])
    admission = Admission(town.redis, town.history, CONSTANTS, timeout_seconds=5)
    for user in ("ann", "never seen"):
        with pytest.raises(NotRecovered):
            await admission.admit(PARTITION, [user])
    assert await keys_of_users(town.redis) == []


async def test_a_user_who_was_never_seen_is_let_in(town: Town) -> None:
    await town.send(10, user="ann")
    await town.flush()
    await town.evict()
    await town.send(10, user="somebody new")
    await town.flush()
    await town.check()


async def test_without_postgres_present_users_go_on_and_absent_ones_are_told(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.send(10, user="ann")
    await town.send(10, user="bob")
    await town.flush()
    await town.evict()
    await town.send(1, user="ann")

    async def away(*_: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    with monkeypatch.context() as patched:
        patched.setattr(town.history, "pairs", away)
        await town.send(10, user="ann")
        with pytest.raises(PostgresUnavailable, match="Connection refused"):
            await town.send(10, user="bob")
    await town.check()


async def test_reads_of_evicted_users_give_the_same_numbers(town: Town) -> None:
    await town.send(300)
    await town.flush()
    reader = Reader(town.redis, 1, StoredReads(town.history))
    before = {name: await read_all(reader, name) for name in town.model.users}
    assert await town.evict() == len(before)
    assert {name: await read_all(reader, name) for name in before} == before
    for (name, slug), pair in town.model.pairs.items():
        assert await reader.pair(name, slug) == (record_of(pair), bitmap_of(pair.seen))
    with pytest.raises(NotFound):
        await reader.user("nobody")
    with pytest.raises(NotFound):
        await reader.pair(next(iter(before)), "no movie")
    with pytest.raises(NotFound):
        await reader.recent_pairs("nobody", 10, None)


async def read_all(reader: Reader, name: str) -> object:
    """Totals, and the user's pairs page by page, two on each."""
    pages, after = [], None
    while page := await reader.recent_pairs(name, 2, after):
        pages.append(page)
        after = (page[-1].record.latest_us, page[-1].slug)
    return (await reader.user(name))[:5], pages


async def test_a_redis_that_went_back_to_before_an_eviction_is_brought_level(town: Town) -> None:
    await town.send(200)
    await town.flush()
    remembered = await town.remember()
    await town.send(50)
    await town.flush()
    await town.evict()
    await town.send(20)
    await town.flush()
    await town.go_back(remembered)
    await town.flush()
    await town.check()


async def test_a_redis_that_went_back_to_after_an_eviction_is_brought_level(town: Town) -> None:
    """Users of lost events who had left already then: the movies still have what they gave."""
    await town.send(200)
    await town.flush()
    await town.evict()
    remembered = await town.remember()
    await town.send(50)
    await town.flush()
    await town.go_back(remembered)
    await town.send(5, user="somebody new")
    await town.flush()
    await town.check()


async def test_the_worker_lets_idle_users_go_and_keeps_the_others(town: Town) -> None:
    await town.send(50)
    await town.flush()
    users = len(town.model.users)
    eviction = Eviction(town.redis, lambda: town.flusher.snapshotted, idle_seconds=60)
    # The town's clock runs an hour behind; one user is of now.
    present = next(iter(town.model.users))
    await town.redis.set(keys.stride(PARTITION, present), await _active_now(town.redis, present))
    await eviction.step()
    assert await town.redis.keys("{p0}:user:*") == [keys.user(PARTITION, present).encode()]
    assert await town.redis.keys("{p0}:stride:*") == [keys.stride(PARTITION, present).encode()]
    assert users > 1
    await town.check()


async def _active_now(redis: Redis, user: str) -> bytes:
    """The user's stride, as if an event had just come."""
    stride = await redis.get(keys.stride(PARTITION, user))
    assert isinstance(stride, bytes)
    return stride[:40] + (2**52).to_bytes(8, "big") + stride[48:]


async def test_memory_that_gets_scarce_lets_users_go_sooner(town: Town) -> None:
    await town.send(50)
    await town.flush()
    used = (await town.redis.info("memory"))["used_memory"]
    await town.redis.config_set("maxmemory", int(used / 0.9))
    try:
        eviction = Eviction(town.redis, lambda: town.flusher.snapshotted, idle_seconds=0)
        await eviction.step()  # sees how full it is
        assert await town.redis.keys("{p0}:user:*")
        await eviction.step()
        assert not await town.redis.keys("{p0}:user:*")
    finally:
        await town.redis.config_set("maxmemory", 0)
    await town.check()


def test_the_fuller_the_sooner() -> None:
    assert idle_seconds_at(0.0, 3600) == 3600
    assert idle_seconds_at(0.5, 0) is None
    ages = [idle_seconds_at(share / 100, 3600) for share in range(75, 101)]
    assert ages == sorted(ages, key=lambda age: -(age or 0))
    assert ages[-1] == IDLE_SECONDS_MIN
    assert idle_seconds_at(0.99, 2) == 2
