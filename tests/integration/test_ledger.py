"""A flush is committed whole, once, and never over something newer."""

from __future__ import annotations

import asyncio
import json
import random
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
import pytest_asyncio

from service import limits
from service.db import days, inspection
from service.db.digests import digest
from service.db.failures import is_passing
from service.db.ledger import Ledger
from service.db.queries import query
from service.db.records import (
    START,
    Checkpoint,
    CheckpointMove,
    EntryId,
    EventRow,
    Flush,
    MovieShareSnapshot,
    PairSnapshot,
    ScopeSnapshot,
    SessionSnapshot,
    Snapshots,
    UserSnapshot,
)
from service.errors import FlushConflict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)
TODAY = NOON.date()
FIRST = EntryId(5, 0)
BITS = bytes(range(256)) * 2
HUGE = 2**53
TABLES = ("events", "users", "pairs", "scopes", "sessions", "movie_shares")

AWKWARD_NAMES = [
    "Ünïcödé",
    "日本語の題名",
    "👩‍👩‍👧‍👦",
    "e\u0301",
    "\u00e9",
    "\u202eright to left",
    "tab\tand\nnewline\r",
    "'; DROP TABLE users; --",
    '"quoted" \\N \\. \\x00',
    "{a,b}",
    "NULL",
    " ",
    "\ufeff\uffff\U0010ffff",
    "\x01\x7f\x80",
]


@asynccontextmanager
async def opened(database_url: str) -> AsyncIterator[Ledger]:
    ledger = await Ledger.connect(database_url)
    try:
        yield ledger
    finally:
        await ledger.close()


@pytest_asyncio.fixture
async def ledger(database_url: str) -> AsyncIterator[Ledger]:
    async with opened(database_url) as ledger:
        await ledger.checkpoints(range(8))
        yield ledger


@pytest_asyncio.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def test_a_partition_never_seen_stands_at_the_start(ledger: Ledger) -> None:
    assert await ledger.checkpoints([9, 3]) == {9: Checkpoint(START, START), 3: Checkpoint(START, START)}


async def test_a_checkpoint_moves_with_its_flush(ledger: Ledger) -> None:
    await ledger.commit(Flush([CheckpointMove(3, START, EntryId(HUGE, HUGE))]))
    assert (await ledger.checkpoints([3]))[3].entry == EntryId(HUGE, HUGE)


async def test_a_repeated_flush_is_refused(ledger: Ledger, connection: Any) -> None:
    await ledger.commit(Flush([moved()], [row()]))
    with pytest.raises(FlushConflict, match="partition 3 stands at 5-0, not at 0-0"):
        await ledger.commit(Flush([moved()], [row()]))
    assert await written(connection) == {"events": 1}


async def test_a_flush_of_a_partition_without_checkpoint_is_refused(ledger: Ledger) -> None:
    with pytest.raises(FlushConflict, match="partition 9 stands at None"):
        await ledger.commit(Flush([moved(9)]))


async def test_of_two_flushes_at_once_one_wins(ledger: Ledger, database_url: str, connection: Any) -> None:
    """Whatever the order in which they name their partitions, they don't lock each other up."""
    there = Flush([moved(partition) for partition in range(8)], [row()])
    back = replace(there, checkpoints=there.checkpoints[::-1])
    async with opened(database_url) as other:
        outcomes = await asyncio.gather(ledger.commit(there), other.commit(back), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["FlushConflict", "NoneType"]
    assert await written(connection) == {"events": 1}


async def test_a_conflict_writes_nothing(ledger: Ledger, connection: Any) -> None:
    await ledger.commit(Flush([moved(3)]))
    before = await ledger.checkpoints(range(8))
    with pytest.raises(FlushConflict):
        await ledger.commit(Flush([moved(2), moved(3)], [row(partition=2)], snapshots()))
    assert await ledger.checkpoints(range(8)) == before
    assert await written(connection) == {}


@pytest.mark.parametrize(
    ("row_changes", "user_changes"),
    [
        ({"user_id": "nul\0"}, {}),
        ({"at_ms": 2**31}, {}),
        ({}, {"user_id": "nul\0"}),
        ({}, {"user_id": "half a pair \ud800"}),
        ({}, {"partition": 2**15}),
    ],
)
async def test_what_cannot_be_stored_writes_nothing(
    ledger: Ledger, connection: Any, row_changes: dict[str, Any], user_changes: dict[str, Any]
) -> None:
    """And it says so: this is not a failure that passes."""
    rows = [row(), row(ordinal=1, **row_changes)]
    users = [user()._replace(**user_changes)]
    failure = await failure_of(ledger, Flush([moved()], rows, Snapshots(users)))
    assert failure is not None
    assert not is_passing(failure)
    assert (await ledger.checkpoints([3]))[3].entry == START
    assert await written(connection) == {}


async def test_a_lost_connection_passes(ledger: Ledger, connection: Any) -> None:
    """What fails meanwhile says that it may be repeated, and the ledger comes back by itself."""
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    deadline = time.monotonic() + 10
    while failure := await failure_of(ledger, Flush([moved()])):
        assert is_passing(failure)
        assert time.monotonic() < deadline
    assert (await ledger.checkpoints([3]))[3].entry == FIRST


async def failure_of(ledger: Ledger, flush: Flush) -> Exception | None:
    try:
        await ledger.commit(flush)
    except Exception as error:
        return error
    return None


async def test_a_commit_waits_for_the_disk_even_if_the_server_does_not(connection: Any) -> None:
    assert await promised(connection, "off") == "on"
    assert await promised(connection, "remote_apply") == "remote_apply"


async def promised(connection: Any, synchronous_commit: str) -> str:
    async with connection.transaction():
        await connection.execute(f"SET LOCAL synchronous_commit = {synchronous_commit}")
        await connection.execute(query("promise_durability"))
        return str(await connection.fetchval("SHOW synchronous_commit"))


async def test_a_row_comes_back_as_it_went(ledger: Ledger, connection: Any) -> None:
    sent = row(
        from_ms=172_800_000,
        segments=[0, 1, 5, 172_800_000],
        speed=16_000,
        duration_ms=0,
        seq=HUGE,
        event_id="é",
    )
    await ledger.commit(Flush([moved()], [sent, row(ordinal=1)]))
    whole, bare = map(tuple, await connection.fetch("SELECT * FROM events ORDER BY ordinal"))
    times = (NOON - timedelta(microseconds=1), NOON)
    assert whole == (*sent[:16], *times, *sent[18:])
    assert bare == (*row(ordinal=1)[:16], *times, *sent[18:])


async def test_rows_lie_in_the_day_of_their_receipt(ledger: Ledger, connection: Any) -> None:
    midnight = datetime(2026, 3, 10, tzinfo=UTC)
    times = [midnight - timedelta(microseconds=1), midnight, midnight + timedelta(days=9)]
    rows = [row(ordinal=n, received_at_us=micros(when)) for n, when in enumerate(times)]
    await ledger.commit(Flush([moved()], rows))
    found = await connection.fetch("SELECT tableoid::regclass::text AS day FROM events ORDER BY ordinal")
    assert [record["day"] for record in found] == ["events_20260309", "events_20260310", "events_20260319"]


async def test_days_are_made_by_many_at_once(ledger: Ledger, database_url: str, connection: Any) -> None:
    first, last = date(2026, 2, 27), date(2026, 3, 5)
    async with opened(database_url) as other:
        made = await asyncio.gather(*(one.ensure_days(first, last) for one in (ledger, other) * 3))
    assert sorted(day for some in made for day in some) == await days.days(connection)
    assert [day.day for day in await days.days(connection)] == [27, 28, 1, 2, 3, 4, 5]


async def test_days_are_made_while_others_write(ledger: Ledger, connection: Any) -> None:
    """An open transaction that has written to `events` holds nobody up."""
    await ledger.ensure_days(TODAY, TODAY)
    async with connection.transaction():
        await connection.execute("LOCK TABLE events IN ROW EXCLUSIVE MODE")
        async with asyncio.timeout(10):
            assert await ledger.ensure_days(TODAY, TODAY + timedelta(days=1)) == [TODAY + timedelta(days=1)]


async def test_old_days_are_dropped_with_their_rows(ledger: Ledger, connection: Any) -> None:
    rows = [row(ordinal=n, received_at_us=micros(NOON + timedelta(days=n))) for n in range(-3, 2)]
    await ledger.commit(Flush([moved()], rows))
    assert await ledger.drop_days_before(TODAY - timedelta(days=1)) == []
    for ordinal, dropped in (
        (-3, ["events_20260306"]),
        (1, ["events_20260307"]),
    ):  # as far as they are followed
        await connection.execute("DELETE FROM followed")
        await connection.execute(
            "INSERT INTO followed SELECT partition, entry_ms, entry_seq, $1 FROM checkpoints", ordinal
        )
        assert await ledger.drop_days_before(TODAY - timedelta(days=1)) == dropped
    assert await connection.fetchval("SELECT min(ordinal) FROM events") == -1
    assert await ledger.drop_days_before(TODAY - timedelta(days=1)) == []


async def test_a_drop_does_not_wait_for_long(ledger: Ledger, connection: Any) -> None:
    await ledger.ensure_days(TODAY, TODAY)
    async with connection.transaction():
        await connection.fetch("SELECT * FROM events")
        assert await ledger.drop_days_before(TODAY + timedelta(days=1)) == []
    assert await ledger.drop_days_before(TODAY + timedelta(days=1)) == ["events_20260309"]


async def test_a_late_row_brings_its_day_back(ledger: Ledger, connection: Any) -> None:
    await ledger.ensure_days(TODAY, TODAY)
    await ledger.drop_days_before(TODAY + timedelta(days=1))
    await ledger.commit(Flush([moved()], [row()]))
    assert await days.days(connection) == [TODAY]


async def test_snapshots_are_written(ledger: Ledger, connection: Any) -> None:
    sent = snapshots(EntryId(HUGE, 7), count=HUGE)
    await ledger.commit(Flush([moved()], (), sent))
    assert await written(connection) == {
        "users": 1,
        "pairs": 1,
        "scopes": 1,
        "sessions": 1,
        "movie_shares": 1,
    }
    pair = await connection.fetchrow("SELECT * FROM pairs")
    assert (pair["watch_ms"], pair["latest_at"], pair["coverage"]) == (HUGE, NOON, BITS)
    assert (pair["version_ms"], pair["version_seq"]) == (HUGE, 7)
    assert (await ledger.checkpoints([3]))[3] == Checkpoint(FIRST, EntryId(HUGE, 7))


@pytest.mark.parametrize("version", [EntryId(9, 8), EntryId(8, 10), EntryId(9, 9)])
async def test_a_snapshot_is_not_overwritten_by_one_that_is_no_newer(
    ledger: Ledger, connection: Any, version: EntryId
) -> None:
    await ledger.commit(Flush((), (), snapshots(EntryId(9, 9), count=1)))
    await ledger.commit(Flush((), (), snapshots(version, count=2)))
    assert await counts(connection) == {1}
    assert (await ledger.checkpoints([3]))[3].snapshot == EntryId(9, 9)


@pytest.mark.parametrize("version", [EntryId(9, 10), EntryId(10, 0)])
async def test_a_snapshot_is_overwritten_by_a_newer_one(
    ledger: Ledger, connection: Any, version: EntryId
) -> None:
    await ledger.commit(Flush((), (), snapshots(EntryId(9, 9), count=1)))
    await ledger.commit(Flush((), (), snapshots(version, count=2)))
    assert await counts(connection) == {2}
    assert (await ledger.checkpoints([3]))[3].snapshot == version


async def test_sessions_of_a_pair_are_kept_apart(ledger: Ledger, connection: Any) -> None:
    """Also those whose names say the same when written one after the other."""
    names = [("dune", ""), ("dune", "1"), ("dune1", ""), ("dun", "e1")]
    sessions = [session_of(slug, session) for slug, session in names]
    await ledger.commit(Flush((), (), Snapshots(sessions=sessions)))
    stored = await connection.fetch("SELECT slug, session FROM sessions")
    assert {tuple(record) for record in stored} == set(names)


async def test_more_snapshots_than_one_statement_takes(ledger: Ledger, connection: Any) -> None:
    many = [user(f"user {n}") for n in range(2345)]
    await ledger.commit(Flush((), (), Snapshots(many)))
    assert await written(connection) == {"users": 2345}


async def test_what_changed_since_the_snapshot_is_known(ledger: Ledger) -> None:
    rows = [row(entry_ms=n, slug=f"movie {n % 4}") for n in range(1, 9)]
    await ledger.commit(Flush([moved()], [*rows, row(partition=4, slug="elsewhere")]))
    assert {slug for _, slug in await ledger.changed_since_snapshot(3)} == {f"movie {n}" for n in range(4)}
    await ledger.commit(Flush((), (), Snapshots(upto={3: EntryId(6, 0)})))
    changed = await ledger.changed_since_snapshot(3)
    assert set(changed) == {("ann", "movie 3"), ("ann", "movie 0")}
    await ledger.commit(Flush((), (), Snapshots(upto={3: EntryId(8, 0)})))
    assert await ledger.changed_since_snapshot(3) == {}


async def test_what_changed_is_found_by_the_primary_key(ledger: Ledger, connection: Any) -> None:
    """Also with a plan made without looking at the parameter, over several days: no day is read through."""
    rows = [
        row(partition=n % 8, entry_ms=n, received_at_us=micros(NOON + timedelta(days=n % 3)))
        for n in range(1, 20_001)
    ]
    upto = Snapshots(upto=dict.fromkeys(range(8), EntryId(19_990, 0)))
    await ledger.commit(Flush([moved(partition) for partition in range(8)], rows, upto))
    await connection.execute("ANALYZE events, checkpoints")
    await connection.execute(f"PREPARE changed AS {query('find_changed_sessions')}")
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    [plan] = json.loads(await connection.fetchval("EXPLAIN (FORMAT JSON) EXECUTE changed (3)"))
    scans = [node for node in nodes(plan["Plan"]) if node.get("Relation Name", "").startswith("events")]
    conditions = [node["Index Cond"] for node in nodes(plan["Plan"]) if "pkey" in node.get("Index Name", "")]
    assert len(conditions) == len(scans) == 3
    assert all(
        "partition" in condition and "ROW(entry_ms, entry_seq)" in condition for condition in conditions
    )


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(deeper for child in plan.get("Plans", []) for deeper in nodes(child))]


async def test_awkward_names_are_kept_apart(ledger: Ledger, connection: Any) -> None:
    longest = [random.Random(n).choices(range(0x10000, 0x110000), k=limits.SLUG_CHARS_MAX) for n in range(3)]
    names = [*AWKWARD_NAMES, *("".join(map(chr, codes)) for codes in longest)]
    for at_ms, name in enumerate(names, 1):
        step = CheckpointMove(3, EntryId(at_ms - 1, 0), EntryId(at_ms, 0))
        await ledger.commit(Flush([step], [row(entry_ms=at_ms, **named(name))], snapshots(name=name)))
    assert set((await written(connection)).values()) == {len(names)}
    for name in names:
        user_id, slug, session = named(name).values()
        pair = await inspection.pair(connection, user_id, slug)
        assert pair is not None
        assert (pair["user_id"], pair["slug"], pair["rows"]) == (user_id, slug, 1)
        assert [one["session"] for one in pair["sessions"]] == [session]
    found = await ledger.changed_since_snapshot(3)
    assert set(found) <= {(one["user_id"], one["slug"]) for one in map(named, names)}


async def test_a_setting_is_fixed_by_whoever_comes_first(ledger: Ledger, database_url: str) -> None:
    async with opened(database_url) as other:
        answers = await asyncio.gather(
            *(one.fix_setting("partitions", str(n)) for n, one in enumerate([ledger, other] * 4))
        )
    assert len(set(answers)) == 1
    assert await ledger.fix_setting("partitions", "77") == answers[0]


async def test_a_movie_is_the_sum_of_its_shares(ledger: Ledger, connection: Any) -> None:
    """However large."""
    shares = [MovieShareSnapshot("dune", n, HUGE, HUGE, n, 1, 2, *FIRST) for n in range(1025)]
    await ledger.commit(Flush((), (), Snapshots(movie_shares=shares)))
    movie = await inspection.movie(connection, "dune")
    assert movie is not None
    assert (movie["shares"], movie["watch_ms"], movie["viewers"], movie["events"]) == (
        1025,
        1025 * HUGE,
        1025,
        2050,
    )
    assert type(movie["watch_ms"]) is int


async def test_a_user_is_shown(ledger: Ledger, connection: Any) -> None:
    await ledger.commit(Flush((), (), snapshots(count=5)))
    user = await inspection.user(connection, "ann")
    assert user is not None
    assert (user["user_id"], user["watch_ms"], user["movies"]) == ("ann", 5, 1)


async def test_a_pair_without_snapshot_has_its_rows(ledger: Ledger, connection: Any) -> None:
    await ledger.commit(Flush([moved()], [row(), row(ordinal=1)]))
    assert await inspection.pair(connection, "ann", "dune") == {"sessions": [], "rows": 2}


async def test_what_was_never_written_is_none(connection: Any) -> None:
    assert await inspection.user(connection, "nobody") is None
    assert await inspection.movie(connection, "nothing") is None
    assert await inspection.pair(connection, "nobody", "nothing") is None


def test_stream_ids_are_read_and_written_as_redis_does() -> None:
    assert EntryId.parse("1700000000000-12") == EntryId.parse(b"1700000000000-12") == (1_700_000_000_000, 12)
    assert str(EntryId(1_700_000_000_000, 12)) == "1700000000000-12"
    assert EntryId(9, 10) < EntryId(10, 0) < EntryId(10, 2) < EntryId(10, 10)


def moved(partition: int = 3) -> CheckpointMove:
    return CheckpointMove(partition, START, FIRST)


def row(**changes: Any) -> EventRow:
    plain = EventRow(
        *(3, 5, 0, 0, "ann", "dune", "", "heartbeat", 4_500_000),
        *(None, None, None, None, None, None, True),
        *(micros(NOON) - 1, micros(NOON), 10_000, 0, None),
    )
    return plain._replace(**changes)


def named(name: str) -> dict[str, str]:
    return {
        "user_id": name[: limits.USER_CHARS_MAX],
        "slug": name[: limits.SLUG_CHARS_MAX],
        "session": name[: limits.SESSION_CHARS_MAX],
    }


def snapshots(version: EntryId = FIRST, *, count: int = 0, name: str | None = None) -> Snapshots:
    """One of each kind, in partition 3."""
    names = named(name) if name else {"user_id": "ann", "slug": "dune", "session": ""}
    user_id, slug, session = names.values()
    at_us = micros(NOON)
    return Snapshots(
        users=[user(user_id, version, count)],
        pairs=[
            PairSnapshot(
                *(user_id, slug, digest(slug), 3, count, count, count, count, count),
                *(9, None, at_us, BITS, 1, *version),
            )
        ],
        scopes=[
            ScopeSnapshot(
                *(user_id, slug, digest(slug), 1, 3, count, count, count, count, count),
                *(9, None, at_us, BITS, *version),
            )
        ],
        sessions=[session_of(slug, session, user_id, version, count)],
        movie_shares=[MovieShareSnapshot(slug, 3, count, count, count, count, count, *version)],
        upto={3: version},
    )


def user(name: str = "ann", version: EntryId = FIRST, count: int = 0) -> UserSnapshot:
    return UserSnapshot(name, 3, count, count, count, count, 1, *version)


def session_of(
    slug: str, session: str, name: str = "ann", version: EntryId = FIRST, count: int = 0
) -> SessionSnapshot:
    return SessionSnapshot(
        *(name, slug, session, digest(slug, session), 3, None, micros(NOON), None, True, 1000),
        *(count, None, count, BITS, *version),
    )


async def written(connection: Any) -> dict[str, int]:
    """How many rows each table has, of those that have any."""
    rows = {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}
    return {table: count for table, count in rows.items() if count}


async def counts(connection: Any) -> set[int]:
    """The count that `snapshots` was given, as each table has it."""
    return {
        *(await connection.fetchrow("SELECT watch_ms, effective_ms, unique_cells, events FROM users")),
        *(
            await connection.fetchrow(
                "SELECT watch_ms, effective_ms, unique_cells, implausible_ms, events FROM pairs"
            )
        ),
        *(
            await connection.fetchrow(
                "SELECT watch_ms, effective_ms, unique_cells, implausible_ms, events FROM scopes"
            )
        ),
        *(await connection.fetchrow("SELECT credited_ms, seq_base FROM sessions")),
        *(
            await connection.fetchrow(
                "SELECT watch_ms, effective_ms, unique_cells, viewers, events FROM movie_shares"
            )
        ),
    }


def micros(when: datetime) -> int:
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
