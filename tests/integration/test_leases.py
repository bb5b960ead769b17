"""Several flushers share the partitions: evenly, one holder each, and none stays without for long."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from service.counters import keys
from service.db.leasing import share_of
from service.db.ledger import Ledger
from service.db.records import CheckpointMove, EntryId, Flush
from service.errors import FlushConflict
from service.rules.constants import Constants
from tests.integration.bench import PARTITIONS, heartbeat, varied
from tests.integration.ledgers import is_settled
from tests.integration.waiting import until
from workers import leases as leases_module
from workers.leases import LEASE_SECONDS, Leases
from workers.recovery import Recovery

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.bench import Bench

TAKEN_OVER_SECONDS = 3 * LEASE_SECONDS
"""On a busy machine; it is LEASE_SECONDS and a step."""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases are looked after at every step."""
    monkeypatch.setattr(leases_module, "RENEW_SECONDS", 0.0)


@pytest.mark.parametrize("partitions", [1, 4, 7, 8])
@pytest.mark.parametrize("alive", [1, 2, 3, 5, 9])
def test_shares_are_even_and_leave_nothing_over(partitions: int, alive: int) -> None:
    shares = [share_of(partitions, alive, before) for before in range(alive)]
    assert sum(shares) == partitions
    assert max(shares) - min(shares) <= 1


@pytest.mark.usefixtures("impatient")
async def test_flushers_that_come_and_go_share_evenly(bench: Bench) -> None:
    def leases(name: str) -> Leases:
        return Leases(bench.ledger.leasing, name, range(PARTITIONS))

    present = [leases("a")]
    for name in "bcde":
        await balanced(present)
        present.append(leases(name))
    await balanced(present)
    while len(present) > 1:
        await present.pop(0).leave()
        await balanced(present)
    assert present[0].held.keys() == set(range(PARTITIONS))


async def balanced(present: list[Leases]) -> None:
    """After a round in which the excess is given back, and one in which it is taken."""
    for one in present * 2:
        await one.balance()
    held = [partition for one in present for partition in one.held]
    assert sorted(held) == list(range(PARTITIONS))
    sizes = [len(one.held) for one in present]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.usefixtures("impatient")
async def test_two_flushers_under_load_write_each_event_once(bench: Bench, database_url: str) -> None:
    """Both go on all the time, one of them leaves and comes back; each has its share of the rows."""
    other_ledger = await Ledger.connect(database_url)
    left = bench.another(events_max=100, name="left")
    right = bench.another(other_ledger, events_max=100, name="right")
    for turn in range(20):
        await bench.send(varied(turn, 60))
        await asyncio.gather(left.step(), right.step() if turn % 10 < 8 else right._leases.leave())
        if turn % 10 == 7:
            assert len(left._leases.held) == len(right._leases.held) == PARTITIONS // 2
    await bench.settle(left, right)
    await bench.assert_balanced()
    await other_ledger.close()


async def test_a_commit_of_an_earlier_epoch_is_refused_even_where_the_entry_still_matches(
    bench: Bench,
) -> None:
    stands = (await bench.ledger.checkpoints([0]))[0]
    slow = await bench.ledger.leasing.take("slow", [0], [], 1)
    await bench.ledger.leasing.leave("slow")
    await bench.ledger.leasing.take("quick", [0], [], 1)
    flush = Flush([CheckpointMove(0, stands.entry, EntryId(5, 0))], epochs=slow)
    with pytest.raises(FlushConflict, match="partition 0 is in epoch 2, not in 1") as refused:
        await bench.ledger.commit(flush)
    assert refused.value.partitions == {0}
    assert (await bench.ledger.checkpoints([0]))[0].entry == stands.entry


async def test_a_snapshot_alone_needs_the_epoch_too(bench: Bench) -> None:
    await bench.ledger.leasing.take("quick", [0], [], 1)
    with pytest.raises(FlushConflict):
        await bench.ledger.commit(Flush(epochs={0: 0}))


async def test_a_conflict_in_one_partition_starts_no_other_again(bench: Bench) -> None:
    await bench.send(varied(1, 100))
    await bench.settle()
    before = dict(bench.flusher._progress)
    await bench.ledger.fence(2, (await bench.ledger.checkpoints([2]))[2])
    await bench.send(varied(2, 100))
    await bench.settle()
    assert [
        partition for partition, mine in bench.flusher._progress.items() if mine is not before[partition]
    ] == [2]
    await bench.assert_balanced()


async def test_a_recovery_by_hand_takes_its_partition_from_under_a_running_flusher(bench: Bench) -> None:
    """What the flusher had read is refused, it begins the partition again, and nothing is there twice."""
    await bench.send(varied(1, 200))
    await bench.settle()
    await bench.send(varied(2, 200))
    by_hand = Recovery(bench.redis, bench.ledger, bench.history, Constants())
    for partition, stands in (await bench.ledger.checkpoints(range(PARTITIONS))).items():
        await bench.redis.hdel(keys.log(partition), "open")
        assert await by_hand.level(partition, stands)
    await bench.settle()
    await bench.assert_balanced()


async def test_a_session_left_in_a_commit_does_not_hold_its_partitions(
    bench: Bench, database_url: str
) -> None:
    """As of a flusher that was stopped, or whose machine vanished, between two statements of its transaction."""
    gone = await Ledger.connect(database_url, name="gone")
    await gone.leasing.announce("gone", 0.0)
    await gone.leasing.take("gone", range(PARTITIONS), [], PARTITIONS)
    async with gone._pool.acquire() as connection:
        await connection.execute("BEGIN; SELECT FROM checkpoints FOR UPDATE")
        await bench.send(varied(1, 100))
        await bench.settle(bench.another(name="next"))
        assert await holders(bench) == ["next"] * PARTITIONS
    await bench.assert_balanced()
    await gone.close()


class Flushing:
    """`python -m workers.flushing` as a process of its own."""

    def __init__(self, log: Path, redis_url: str, database_url: str) -> None:
        self.log = log
        with log.open("wb") as out:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "workers.flushing", log.stem],
                env={
                    **os.environ,
                    "PLAYHEAD_REDIS_URL": redis_url,
                    "PLAYHEAD_DATABASE_URL": database_url,
                    "PLAYHEAD_PARTITIONS": str(PARTITIONS),
                    "PLAYHEAD_SNAPSHOT_INTERVAL_SECONDS": "0",
                    "PLAYHEAD_FLUSH_INTERVAL_MS": "20",
                },
                stdout=out,
                stderr=out,
            )

    @property
    def name(self) -> str:
        return self.log.stem


@contextmanager
def flushing(folder: Path, redis_url: str, database_url: str, *names: str) -> Iterator[list[Flushing]]:
    started = [Flushing(folder / f"{name}.log", redis_url, database_url) for name in names]
    try:
        yield started
    finally:
        for one in started:
            one.popen.kill()
            one.popen.wait()


async def holders(bench: Bench) -> list[str | None]:
    stands = await bench.ledger.checkpoints(range(PARTITIONS))
    return [stands[partition].holder for partition in range(PARTITIONS)]


async def until_shared(bench: Bench) -> None:
    async def shared() -> bool:
        found = await holders(bench)
        return found.count("one") == found.count("two") == PARTITIONS // 2

    await until(shared, "two flushers with two partitions each")


async def until_flushed(bench: Bench) -> float:
    async def flushed() -> bool:
        return await is_settled(bench.redis, bench.connection, PARTITIONS)

    return await until(flushed, "everything in Postgres")


async def test_processes_take_over_from_each_other(
    bench: Bench, redis_url: str, database_url: str, tmp_path: Path
) -> None:
    """One is paused beyond its lease and wakes again, the other is killed, the last stops: all under load."""
    with flushing(tmp_path, redis_url, database_url, "one", "two") as (one, two):
        await until_shared(bench)
        await bench.send(varied(1, 200))
        await until_flushed(bench)

        one.popen.send_signal(signal.SIGSTOP)
        await bench.send(varied(2, 200))
        paused = await until_flushed(bench)
        assert await holders(bench) == ["two"] * PARTITIONS
        assert paused < TAKEN_OVER_SECONDS

        await bench.send(varied(3, 200))
        one.popen.send_signal(signal.SIGCONT)
        await until_shared(bench)
        await bench.send(varied(4, 200))
        await until_flushed(bench)
        await bench.assert_balanced()

        two.popen.kill()
        await bench.send(varied(5, 200))
        killed = await until_flushed(bench)
        assert killed < TAKEN_OVER_SECONDS
        await bench.assert_balanced()

        with flushing(tmp_path, redis_url, database_url, "two"):
            await until_shared(bench)
            await bench.send(varied(6, 200))
            stopping = time.monotonic()
            one.popen.terminate()
            await until_flushed(bench)
            assert one.popen.wait(10) == 0

            async def all_two() -> bool:
                return await holders(bench) == ["two"] * PARTITIONS

            await until(all_two, "everything with the one that is left")
            # Within the time of a lease: nobody waited for it to run out.
            assert time.monotonic() - stopping < LEASE_SECONDS
            await bench.send([heartbeat(1)])
            await until_flushed(bench)
        await bench.assert_balanced()
        print(f"paused {paused:.1f} s, killed {killed:.1f} s")
        assert "lease_lost" in one.log.read_text()
        assert "lease_given_back" in one.log.read_text()
