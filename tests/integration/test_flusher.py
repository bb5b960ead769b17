"""Every acknowledged event is one row, every counter one snapshot, whatever fails on the way."""

from __future__ import annotations

import asyncio
import statistics
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from service import clock
from service.counters import keys
from service.counters.backlog import Backlog, read_backlog
from service.counters.partitions import partition_of
from service.db import days
from service.db.ledger import Ledger
from service.db.migrate import upgrade
from service.db.records import MovieShareSnapshot, PairSnapshot
from service.embedded import DataFolder, EmbeddedPostgres
from service.errors import NotRecovered
from service.events.event import CUT, KINDS, Event
from service.rules.model import FASTER_THAN_CLOCK, Model
from tests.conftest import UNSYNCED
from tests.integration.bench import NOW_US, PARTITIONS, Bench, InjectedError, bench_on, heartbeat, varied
from tests.integration.ledgers import book_of_postgres, expected_of, is_settled
from tests.integration.waiting import until
from workers import flusher as flusher_module
from workers.days import Days
from workers.loop import drive
from workers.snapshots import SESSIONS_MAX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from redis.asyncio import Redis

    from service.db.records import Flush, Snapshots


class NotingLedger(Ledger):
    """Keeps the snapshots that it commits."""

    snapshots: list[Snapshots]

    async def commit(self, flush: Flush) -> None:
        await super().commit(flush)
        self.snapshots = [*getattr(self, "snapshots", ()), *filter(None, [flush.snapshots])]


DELAY_SECONDS_MAX = 5.0
"""Typical is a tenth of a second (the pause between two flushes); a busy machine may take longer."""


class FailingLedger(Ledger):
    """Fails the n-th of its calls, before or after it took effect."""

    fails_at = 0
    takes_effect = False
    calls = 0

    async def commit(self, flush: Flush) -> None:
        await self._perhaps(super().commit(flush))

    async def checkpoints(self, partitions: Any) -> Any:
        return await self._perhaps(super().checkpoints(partitions))

    async def changed_since_snapshot(self, partition: int) -> Any:
        return await self._perhaps(super().changed_since_snapshot(partition))

    async def thinned_since_snapshot(self, partition: int) -> Any:
        return await self._perhaps(super().thinned_since_snapshot(partition))

    async def _perhaps(self, call: Awaitable[Any]) -> Any:
        self.calls += 1
        if self.calls != self.fails_at:
            return await call
        if self.takes_effect:
            await call
        else:
            call.close()  # type: ignore[attr-defined]
        raise InjectedError


async def test_rows_are_what_was_sent(bench: Bench) -> None:
    """Every kind and every column; times to the microsecond; a duplicate makes no row."""
    events = varied(1, 400)
    duplicates = await bench.send(events)
    assert duplicates > 20
    await bench.settle()
    rows = await bench.connection.fetch(
        "SELECT *, (extract(epoch FROM happened_at) * 1000000)::bigint AS happened_us,"
        " (extract(epoch FROM received_at) * 1000000)::bigint AS received_us FROM events"
    )
    assert sorted(map(told, rows), key=repr) == sorted(expected_rows(events), key=repr)
    assert {row["kind"] for row in rows} == {*KINDS, CUT}
    assert any(row["implausible_ms"] for row in rows)


def told(row: asyncpg.Record) -> tuple[object, ...]:
    segments = row["segments"]
    return (
        row["partition"],
        Event(
            row["user_id"],
            row["slug"],
            row["kind"],
            row["at_ms"],
            row["happened_us"],
            row["received_us"],
            row["timed"],
            row["session"],
            row["seq"],
            row["event_id"],
            row["from_ms"],
            row["speed"],
            tuple(zip(segments[::2], segments[1::2], strict=True)) if segments else (),
            row["duration_ms"],
        ),
        row["credited_ms"],
        row["implausible_ms"],
        row["implausible_reason"],
        row["scope"],
        segments is not None,
    )


def expected_rows(events: list[Event]) -> Iterator[tuple[object, ...]]:
    model = Model()
    for event in events:
        outcome = model.apply(event)
        if not outcome.duplicate:
            yield (
                partition_of(event.user, PARTITIONS),
                event,
                outcome.credited_ms,
                outcome.implausible_ms,
                FASTER_THAN_CLOCK if outcome.implausible_ms else None,
                outcome.scope,
                event.kind == "claim",
            )


async def test_rows_keep_the_order_of_receipt(bench: Bench) -> None:
    for number in range(5):
        await bench.send([heartbeat(number * 3 + place) for place in range(3)])
    await bench.settle()
    ordered = await bench.connection.fetch("SELECT at_ms FROM events ORDER BY entry_ms, entry_seq, ordinal")
    assert [row["at_ms"] for row in ordered] == [number * 1000 for number in range(15)]


async def test_snapshots_are_what_redis_holds(bench: Bench) -> None:
    """The model agrees with Redis bit for bit (tests/lua), so Postgres is compared with the model."""
    for start in range(5):
        await bench.send(varied(start, 100))
        await bench.settle()
    await bench.assert_balanced()


async def test_a_snapshot_says_up_to_where_it_is_true(bench: Bench) -> None:
    await bench.send([heartbeat(1)])
    await bench.settle()
    partition = partition_of("ann", PARTITIONS)
    last = await bench.redis.hget(keys.log(partition), "last")
    for table in ("users", "pairs", "sessions", "movie_shares"):
        stored = await bench.connection.fetchrow(f"SELECT version_ms, version_seq, partition FROM {table}")
        assert f"{stored['version_ms']}-{stored['version_seq']}".encode() == last
        assert stored["partition"] == partition


async def test_what_is_committed_is_trimmed(bench: Bench) -> None:
    await bench.send(varied(1, 200))
    assert (await read_backlog(bench.redis, PARTITIONS)).events == bench.accepted
    await bench.settle()
    for partition in range(PARTITIONS):
        assert await bench.redis.xlen(keys.stream(partition)) == 0
        log = await bench.redis.hgetall(keys.log(partition))
        assert log[b"persisted"] == log[b"appended"]
        checkpoint = (await bench.ledger.checkpoints([partition]))[partition]
        assert str(checkpoint.entry).encode() == log[b"last"]
    assert await read_backlog(bench.redis, PARTITIONS) == Backlog(0, None, 0, 0)


async def test_an_idle_flusher_writes_nothing(bench: Bench) -> None:
    await bench.send([heartbeat(1)])
    await bench.settle()
    before = await bench.connection.fetchval("SELECT max(xmin::text::bigint) FROM checkpoints")
    for _ in range(5):
        assert await bench.flusher.step() is False
    assert await bench.connection.fetchval("SELECT max(xmin::text::bigint) FROM checkpoints") == before


@pytest.mark.parametrize("takes_effect", [False, True], ids=["before", "after"])
async def test_whichever_call_fails_nothing_is_lost_or_written_twice(
    bench: Bench, database_url: str, takes_effect: bool
) -> None:
    """Of a commit that raised nobody knows whether it took effect: both are tried, for each call in turn."""
    ledger = await FailingLedger.connect(database_url)
    ledger.takes_effect = takes_effect
    for place in range(1, 14):
        ledger.calls, ledger.fails_at = 0, place
        await bench.send(varied(place, 50))
        flusher = bench.another(ledger)
        while ledger.calls < place:
            await bench.send([heartbeat(place * 100 + ledger.calls, user="bob")])
            with suppress(InjectedError):
                await flusher.step()
        if place % 2:
            flusher = bench.another(ledger)  # as after a crash; else the same one goes on
        await bench.settle(flusher)
        await bench.assert_balanced()
    await ledger.close()


async def test_a_connection_that_breaks_in_a_commit_costs_nothing(bench: Bench, database_url: str) -> None:
    """The server ends every connection of the ledger, again and again, while it commits."""
    ledger = await Ledger.connect(database_url)
    flusher = bench.another(ledger)
    for turn in range(15):
        await bench.send(varied(turn, 300))
        step = asyncio.create_task(flusher.step())
        await asyncio.sleep(0.002 * turn)  # a different moment each time, none of them waited for
        await bench.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await asyncio.gather(step, return_exceptions=True)
    await bench.settle(flusher)
    await bench.assert_balanced()
    await ledger.close()


async def test_a_flusher_ended_at_any_moment_is_followed_by_another(bench: Bench) -> None:
    for turn in range(40):
        await bench.send(varied(turn, 40))
        step = asyncio.create_task(bench.another().step())
        for _ in range(turn):
            await asyncio.sleep(0.0005)  # how far it comes differs from turn to turn
        step.cancel()
        await asyncio.gather(step, return_exceptions=True)
    await bench.settle(bench.another())
    await bench.assert_balanced()


async def test_a_flusher_that_finishes_leaves_no_snapshot_undone(bench: Bench) -> None:
    flusher = bench.another(snapshot_interval_seconds=3600.0)
    await bench.send([heartbeat(1)])
    await bench.settle(flusher)
    await bench.send([*varied(1, 500), heartbeat(2)])
    await flusher.finish()
    assert await is_settled(bench.redis, bench.connection, PARTITIONS)
    await bench.assert_balanced()


async def test_what_a_flusher_left_without_snapshot_is_taken_up_by_one_that_runs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that is left finds nothing in the streams, and no new event tells it of the other."""
    monkeypatch.setattr(flusher_module, "IDLE_SECONDS", 0.1)
    idle = bench.another()
    await idle.step()
    await bench.send(varied(1, 100))
    dying = bench.another(snapshot_interval_seconds=3600.0)
    while await bench.rows() < bench.accepted:
        await dying.step()
    await bench.settle(idle)
    await bench.assert_balanced()


async def test_what_has_no_snapshot_yet_gets_it_after_a_restart(bench: Bench) -> None:
    slow = bench.another(snapshot_interval_seconds=3600.0)
    await bench.send([heartbeat(1)])
    await bench.settle(slow)
    await bench.send([*varied(1, 200), heartbeat(2)])
    while await bench.rows() < bench.accepted:
        await slow.step()
    assert await bench.connection.fetchval("SELECT events FROM users WHERE user_id = 'ann'") == 1
    await bench.settle(bench.another())
    await bench.assert_balanced()


async def test_a_snapshot_never_comes_before_its_rows(bench: Bench) -> None:
    """Also while events keep coming: whoever rebuilds from Postgres must find the rows that a snapshot holds."""
    flusher = bench.another(events_max=50)
    for turn in range(30):
        await bench.send([heartbeat(turn * 40 + number) for number in range(40)])
        await flusher.step()
        ahead = await bench.connection.fetchval(
            "SELECT count(*) FROM users JOIN checkpoints USING (partition)"
            " WHERE (version_ms, version_seq) > (entry_ms, entry_seq)"
        )
        assert ahead == 0
        snapshot = await bench.connection.fetchval("SELECT events FROM users WHERE user_id = 'ann'")
        assert (snapshot or 0) <= await bench.rows()
    await bench.settle(flusher)
    await bench.assert_balanced()


async def test_more_sessions_than_one_snapshot_may_hold(bench: Bench) -> None:
    count = SESSIONS_MAX * 2 + 500
    events = [
        heartbeat(number % 50, session=f"s {number}", slug=f"m {number % 7}") for number in range(count)
    ]
    await bench.send([event._replace(id=None) for event in events])
    await bench.settle()
    await bench.assert_balanced()
    assert await bench.connection.fetchval("SELECT count(*) FROM sessions") == count


async def test_a_round_of_snapshots_ends_however_much_comes_in_meanwhile(bench: Bench) -> None:
    """Each pair is snapshotted once in it, those included that go on while they wait."""
    flusher, movies = bench.another(snapshot_interval_seconds=3600.0), SESSIONS_MAX * 2 + 500
    partition = partition_of("ann", PARTITIONS)

    def watch(seq: int, count: int) -> list[Event]:
        return [heartbeat(seq, slug=f"m {number}", session="s", id=None, seq=seq) for number in range(count)]

    await bench.send(watch(1, movies))
    await flusher.step()
    begun = (await bench.ledger.checkpoints([partition]))[partition].entry
    for seq in range(2, 12):  # half of its snapshots are of pairs, the other half of their movies
        await bench.send(watch(seq, SESSIONS_MAX + 100))
        await flusher.step()
    assert (await bench.ledger.checkpoints([partition]))[partition].snapshot >= begun
    assert await bench.connection.fetchval("SELECT count(*) FROM pairs") == movies
    await flusher.finish()
    await bench.assert_balanced()


async def test_a_movie_is_snapshotted_once_a_round_however_many_watch_it(
    bench: Bench, database_url: str
) -> None:
    """With what all of the round's pairs gave to it, those included that went on while they waited."""
    ledger = await NotingLedger.connect(database_url)
    assert isinstance(ledger, NotingLedger)
    flusher = bench.another(ledger, snapshot_interval_seconds=3600.0)
    viewers = [f"viewer {number}" for number in range(SESSIONS_MAX * PARTITIONS * 2)]
    await bench.send([heartbeat(1, user) for user in viewers])
    await flusher.step()
    await bench.send([heartbeat(2, user) for user in viewers])
    for _ in range(10):
        await flusher.step()
    shares = [share for snapshots in ledger.snapshots for share in snapshots.movie_shares]
    pairs = [pair for snapshots in ledger.snapshots for pair in snapshots.pairs]
    assert len(pairs) == len(viewers)
    assert sorted(tuple(share[:2]) for share in shares) == [
        ("dune", partition) for partition in range(PARTITIONS)
    ]
    for share in map(MovieShareSnapshot._make, shares):
        mine = [pair for pair in map(PairSnapshot._make, pairs) if pair.partition == share.partition]
        assert share.events == 2 * len(mine)
        assert share[-2:] >= max(pair[-2:] for pair in mine)
    await ledger.close()


async def test_entries_of_a_thousand_events(bench: Bench) -> None:
    await bench.send([heartbeat(number % 7200, id=str(number)) for number in range(5500)])
    assert await bench.redis.xlen(keys.stream(partition_of("ann", PARTITIONS))) == 6
    await bench.settle()
    await bench.assert_balanced()
    assert await bench.connection.fetchval("SELECT max(ordinal) FROM events") == 999


async def test_days_are_made_as_events_need_them(bench: Bench) -> None:
    """By the time of receipt, in UTC, to the microsecond."""
    midnight_us = (NOW_US // 86_400_000_000 + 1) * 86_400_000_000
    received = [midnight_us - 1, midnight_us, midnight_us + 3 * 86_400_000_000]
    await bench.send([heartbeat(n, time_us=us, received_us=us) for n, us in enumerate(received)])
    await bench.settle()
    rows = await bench.connection.fetch("SELECT tableoid::regclass::text AS day FROM events ORDER BY at_ms")
    midnight = datetime.fromtimestamp(midnight_us / 1_000_000, UTC).date()
    expected = [midnight - timedelta(days=1), midnight, midnight + timedelta(days=3)]
    assert [row["day"] for row in rows] == [days.day_name(day) for day in expected]


async def test_old_days_are_dropped_and_their_counters_stay(bench: Bench) -> None:
    now_us, day_us = clock.now_us(), 86_400_000_000
    received = [now_us - 40 * day_us, now_us - 31 * day_us, now_us - 29 * day_us, now_us]
    await bench.send([heartbeat(n, time_us=us, received_us=us) for n, us in enumerate(received)])
    await bench.settle()
    assert await Days(bench.ledger, keep_days=0).step() is False
    assert await bench.rows() == 4
    await Days(bench.ledger, keep_days=30).step()
    assert await bench.rows() == 4  # nobody has followed them yet
    await bench.connection.execute(
        "INSERT INTO followed SELECT partition, entry_ms, entry_seq, 32767 FROM checkpoints"
    )
    await Days(bench.ledger, keep_days=30).step()
    assert await bench.rows() == 2
    assert await book_of_postgres(bench.connection) == expected_of(bench.model)
    await bench.send([heartbeat(9, time_us=now_us, received_us=now_us)])
    await bench.settle(bench.another())
    assert await book_of_postgres(bench.connection) == expected_of(bench.model)
    today = datetime.fromtimestamp(now_us / 1_000_000, UTC).date()
    assert await days.days(bench.connection) == [
        today - timedelta(days=29),
        *(today + timedelta(days=ahead) for ahead in range(4)),
    ]


async def test_the_flusher_goes_on_after_redis_was_emptied(bench: Bench) -> None:
    """By hand, or because an empty Redis took the place of a lost one: it is rebuilt, and new events follow."""
    await bench.send(varied(1, 300))
    await bench.settle()
    await bench.redis.flushall()
    after = [event._replace(id=None, seq=None) for event in varied(2, 300)]
    with pytest.raises(NotRecovered):
        await bench.send(after)
    await bench.settle(bench.another())
    await bench.send(after)
    await bench.settle()
    await bench.assert_balanced()


async def test_the_delay_from_acknowledgement_to_postgres(
    bench: Bench, record_property: Callable[[str, object], None]
) -> None:
    stop = asyncio.Event()
    flushing = asyncio.create_task(drive("flusher", bench.flusher.step, stop, 0.1))
    delays = []
    for number in range(20):
        await bench.send([heartbeat(number)])

        async def arrived(wanted: int = number + 1) -> bool:
            return await bench.rows() == wanted

        delays.append(await until(arrived, "the row", DELAY_SECONDS_MAX, 0.002))
    stop.set()
    await flushing
    typical = statistics.median(delays)
    record_property("delay_seconds_median", round(typical, 3))
    print(f"acknowledgement to Postgres: median {typical:.3f} s, longest {max(delays):.3f} s")
    assert typical < DELAY_SECONDS_MAX / 2


async def test_postgres_may_be_away(redis: Redis, tmp_path: Path) -> None:
    """Events are accepted meanwhile, the backlog shows their number and age, and afterwards all of it arrives."""
    with DataFolder(tmp_path / "data") as folder:
        postgres = EmbeddedPostgres(folder, UNSYNCED, is_synced=False).start()
        await upgrade(postgres.url)
        async with bench_on(redis, postgres.url) as bench:
            stop, failures = asyncio.Event(), []
            await bench.send(varied(1, 50))
            flushing = asyncio.create_task(
                drive("flusher", bench.flusher.step, stop, 0.05, lambda: failures.append(1))
            )
            await bench.connection.close()
            postgres.stop()
            before = bench.accepted
            sent_us = clock.now_us()
            await bench.send(varied(2, 200))

            async def aged() -> bool:
                backlog = await read_backlog(redis, PARTITIONS)
                assert backlog.events >= bench.accepted - before
                now_us = clock.now_us()
                return 0.5 <= backlog.age_seconds(now_us) <= (now_us - sent_us) / 1_000_000 + 10

            await until(aged, "an age of half a second")

            async def failed_twice() -> bool:
                return len(failures) >= 2

            await until(failed_twice, "two failures")
            await bench.send(varied(3, 200))
            postgres.start()
            bench.connection = await asyncpg.connect(postgres.url)

            async def settled() -> bool:
                return await is_settled(redis, bench.connection, PARTITIONS)

            await until(settled, "everything in Postgres")
            backlog = await read_backlog(redis, PARTITIONS)
            assert (backlog.events, backlog.age_seconds(clock.now_us())) == (0, 0.0)
            await bench.assert_balanced()
            stop.set()
            await flushing
        postgres.stop()
