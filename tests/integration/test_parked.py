"""What cannot be stored is parked with its reason: it blocks nothing, is not lost, and can be tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest

from service.cli.parked import retry, show
from service.counters import keys
from service.counters.partitions import partition_of
from service.db.records import EVENT_COLUMNS
from service.stored.parked import events_in
from tests.integration.bench import NOW_US, PARTITIONS, heartbeat, varied
from tests.integration.ledgers import book_of_postgres, expected_of
from tests.integration.town import CONSTANTS, PARTITION
from tests.integration.waiting import until
from tests.lua.book import apply, book_of_model, book_of_redis
from workers import parking as parking_module
from workers.entries import read_entries, rows_of
from workers.snapshots import SESSIONS_MAX

if TYPE_CHECKING:
    from service.db.parking import ParkedEntry
    from tests.integration.bench import Bench
    from tests.integration.town import Town

ANN = partition_of("ann", PARTITIONS)
REFUSE = "ALTER TABLE {} ADD CONSTRAINT refused CHECK (slug <> 'refused')"
ALLOW = "ALTER TABLE {} DROP CONSTRAINT refused"


async def refuse_rows(bench: Bench) -> None:
    """Days are attached with the constraints that the table has: this one comes after them."""
    day = datetime.fromtimestamp(NOW_US / 1_000_000, UTC).date()
    await bench.ledger.ensure_days(day, day)
    await bench.connection.execute(REFUSE.format("events"))


async def refuse_movie(town: Town) -> None:
    today = datetime.now(UTC).date()
    await town.ledger.ensure_days(today - timedelta(days=1), today + timedelta(days=1))
    await town.ledger._pool.execute("ALTER TABLE events ADD CONSTRAINT refused CHECK (slug <> 'movie 1')")


async def append_garbage(bench: Bench, fields: dict[str, str | bytes], events: int) -> None:
    """As a stranger would write it into ann's stream, with the counts in order."""
    log = keys.log(ANN)
    appended = await bench.redis.hincrby(log, "appended", events)
    entry = await bench.redis.xadd(keys.stream(ANN), {**fields, "appended": appended})  # type: ignore[dict-item]
    await bench.redis.hset(log, "last", entry)


async def the_parked(bench: Bench) -> ParkedEntry:
    (one,) = await bench.ledger.parking.entries()
    assert await bench.ledger.parking.count() == 1
    return one


@pytest.mark.parametrize(
    ("run", "outcomes", "events"),
    [(b"\xff" * 40, "10000,D,0", 2), (b"", "1", 1), (b"\0" * 10, "1,1", 2), (b"\0" * 10, "?", 1)],
)
async def test_an_entry_that_cannot_be_read_is_parked(
    bench: Bench, run: bytes, outcomes: str, events: int
) -> None:
    await bench.send([heartbeat(1)])
    await append_garbage(bench, {"run": run, "outcomes": outcomes}, events)
    await bench.send([heartbeat(2), heartbeat(1, user="bob")])
    await bench.settle()
    await bench.assert_balanced()
    one = await the_parked(bench)
    assert (one.partition, one.run, one.outcomes) == (ANN, run, outcomes.encode())
    assert (one.events, one.reason) == (events, "unreadable")
    assert one.parked_at_us > 0
    assert (await bench.ledger.checkpoints([ANN]))[ANN].appended == 2 + events


async def test_an_entry_without_any_field_of_ours_is_parked_too(bench: Bench) -> None:
    """Its count fits nowhere; the recovery that this brings about gives it one."""
    await bench.send([heartbeat(1)])
    await bench.redis.xadd(keys.stream(ANN), {"x": "y"})

    async def is_parked() -> bool:
        await bench.flusher.step()
        return await bench.ledger.parking.count() == 1

    await until(is_parked, "a parked entry")
    assert (await the_parked(bench)).events == 0
    await bench.send([heartbeat(2)])
    await bench.settle()
    await bench.assert_balanced()


async def test_what_postgres_refuses_is_found_among_the_others(bench: Bench) -> None:
    """Every entry but the refused ones has its rows, and every counter its snapshot."""
    await refuse_rows(bench)
    for number in range(40):
        slug = "refused" if number in (7, 8, 30) else "dune"
        await bench.send([heartbeat(number, slug=slug), heartbeat(number, user="bob")])
    await bench.settle()
    assert await bench.rows() == bench.accepted - 3
    parked = await bench.ledger.parking.entries()
    assert [(one.partition, one.events, one.reason) for one in parked] == [(ANN, 1, "check_violation")] * 3
    assert "refused" in parked[0].detail
    assert await book_of_postgres(bench.connection) == expected_of(bench.model)


async def test_parked_entries_are_listed_and_stored_when_it_is_possible(
    bench: Bench, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLAYHEAD_DATABASE_URL", database_url)
    await refuse_rows(bench)
    await bench.send([heartbeat(1, slug="refused")])
    await append_garbage(bench, {"run": b"?", "outcomes": "1"}, 1)
    await bench.settle()
    refused, unreadable = await bench.ledger.parking.entries()
    capsys.readouterr()

    assert await show() == 0
    first, second, total = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{ANN}:{refused.entry}  2")
    assert "1 events  check_violation: CheckViolationError" in first
    assert "unreadable: error: unpack" in second
    assert total == "2 parked entries, 2 events"

    assert await retry(f"{ANN}:{refused.entry}") == 1
    assert "still parked: CheckViolationError" in capsys.readouterr().out
    await bench.connection.execute(ALLOW.format("events"))
    assert await retry() == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{ANN}:{refused.entry}  stored, 1 rows"
    assert said[1].startswith(f"{ANN}:{unreadable.entry}  still parked, unreadable")
    assert said[2] == "1 stored, 1 still parked"
    await bench.assert_balanced()


async def test_what_is_wrong_with_the_database_is_no_fault_of_an_entry(bench: Bench) -> None:
    """A table that is gone refuses everything: it is waited for, and nothing is parked."""
    await bench.send(varied(1, 100))
    await bench.connection.execute("ALTER TABLE events RENAME TO elsewhere")
    for _ in range(3):
        with pytest.raises(asyncpg.UndefinedTableError):
            await bench.flusher.step()
    await bench.connection.execute("ALTER TABLE elsewhere RENAME TO events")
    await bench.settle()
    await bench.assert_balanced()
    assert await bench.ledger.parking.count() == 0


async def test_rows_that_are_there_already_are_not_parked(bench: Bench) -> None:
    """As where a database was put back with an older checkpoint. Only the very same rows count as there."""
    await bench.send([heartbeat(1), heartbeat(2)])
    await bench.send([heartbeat(3)])
    found = await read_entries(bench.redis, {ANN: (await bench.ledger.checkpoints([ANN]))[ANN].entry}, 10)
    same, different, third = [row for entry in found[ANN] for row in rows_of(ANN, entry, {})]
    different = (*different[:8], 77, *different[9:])
    day = datetime.fromtimestamp(NOW_US / 1_000_000, UTC).date()
    await bench.ledger.ensure_days(day, day)
    async with bench.ledger._pool.acquire() as connection:
        await connection.copy_records_to_table(
            "events", records=[same, different, third], columns=EVENT_COLUMNS
        )
    await bench.settle()
    one = await the_parked(bench)
    assert (one.entry, one.events, one.reason) == (found[ANN][0].id, 2, "unique_violation")
    assert await bench.rows() == 3
    assert (await bench.ledger.checkpoints([ANN]))[ANN].appended == 3


async def test_a_snapshot_that_is_refused_does_not_stop_the_rows(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking_module, "REFUSED_SECONDS", 0.3)
    await bench.connection.execute(REFUSE.format("pairs"))
    for number in range(5):
        await bench.send([heartbeat(number, slug="refused"), heartbeat(number, user="bob")])
        await bench.flusher.step()
    await bench.flusher.finish()
    assert await bench.rows() == bench.accepted
    assert await bench.connection.fetchval("SELECT count(*) FROM pairs WHERE slug = 'refused'") == 0
    assert await bench.ledger.parking.count() == 0
    await bench.connection.execute(ALLOW.format("pairs"))
    await bench.settle()
    await bench.assert_balanced()


async def test_movies_of_pairs_that_were_snapshotted_do_not_wait_for_one_that_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come at the end of a round, which never comes where one is refused: then they go ahead in the next."""
    monkeypatch.setattr(parking_module, "REFUSED_SECONDS", 0.0)
    await bench.connection.execute(REFUSE.format("pairs"))
    slugs = ["refused", *(f"m {number}" for number in range(SESSIONS_MAX + 20))]
    await bench.send([heartbeat(number, slug=slug) for number, slug in enumerate(slugs)])
    for _ in range(6):
        await bench.flusher.step()
    pairs = await bench.connection.fetch("SELECT slug FROM pairs")
    shares = await bench.connection.fetch("SELECT slug FROM movie_shares")
    assert len(pairs) >= SESSIONS_MAX
    assert {row["slug"] for row in pairs} <= {row["slug"] for row in shares}
    await bench.connection.execute(ALLOW.format("pairs"))
    await bench.settle()
    await bench.assert_balanced()


@pytest.mark.parametrize("with_snapshots", [True, False])
async def test_a_user_is_rebuilt_with_what_is_parked(town: Town, with_snapshots: bool) -> None:
    """Redis counted the parked events, and after it was emptied it has them again."""
    await refuse_movie(town)
    town.flusher._snapshot_interval_seconds = 0 if with_snapshots else 1e9
    for _ in range(20):
        await town.send(5)
        await town.flusher.step()
    while await town.flusher.step():
        pass
    assert await town.ledger.parking.count() > 5
    await town.redis.flushall()
    town.restart()
    await town.flush()
    assert await book_of_redis(town.redis, PARTITION, town.model, 0) == book_of_model(town.model, 0)
    await town.check()


async def test_an_erased_user_is_erased_from_what_is_parked(town: Town) -> None:
    """Who else is in the same entry stays parked, and nobody is brought back by a recovery."""
    await refuse_movie(town)
    for _ in range(10):
        await town.send(3, user="remove-me")
        await town.send(8)
        await town.flusher.step()
    together = [town._event(user) for user in ("remove-me", "stays")]
    together = [event._replace(slug="movie 1", id=None, seq=None) for event in together]
    await apply(town.redis, PARTITION, together, CONSTANTS, token="together")
    for event in together:
        town.model.apply(event)
    town.accepted += len(together)
    await town.flush()
    held = [event.user for one in await town.ledger.parking.entries() for event in events_in(one)]
    assert held.count("remove-me") > 2
    await town.erase("remove-me")
    await town.flush()
    parked = await town.ledger.parking.entries()
    assert [event.user for one in parked for event in events_in(one)] == [
        name for name in held if name != "remove-me"
    ]
    assert not any(b"remove-me" in one.run for one in parked)
    await town.redis.flushall()
    town.restart()
    await town.flush()
    await town.check()
