"""The audit finds what is not as the raw events say, and nothing else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest
import structlog

from service import metrics
from service.counters import keys
from service.counters.records import MovieRecord, PairRecord
from tests.integration.town import CONSTANTS, PARTITION
from workers.audit import Audit
from workers.auditing import RandomAudit
from workers.verification import Verification

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.town import Town
    from workers.comparison import Verdict


@pytest.fixture
def audit(town: Town) -> Audit:
    return Audit(town.redis, town.history, town.ledger, CONSTANTS, keeps_all=True)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def all_of(audit: Audit, town: Town, *, keeps_all: bool = True) -> Verdict:
    verification = Verification(town.redis, town.history, audit, CONSTANTS, keeps_all=keeps_all)
    return await verification.partition(PARTITION, lambda _: None)


async def filled(town: Town, events: int = 100) -> tuple[str, str]:
    """A pair of a town that is all flushed."""
    await town.send(events)
    await town.flush()
    return next(iter(town.model.pairs))


async def filled_aside(town: Town) -> tuple[str, str]:
    """A pair that its user is not at: it is in the user's hash."""
    await filled(town)
    for user, slug in town.model.pairs:
        stride = await town.redis.get(keys.stride(PARTITION, user))
        assert isinstance(stride, bytes)
        at = stride[64 : 64 + int.from_bytes(stride[62:64])].decode()
        if slug != at:
            return user, slug
    raise AssertionError("nobody watched two movies")


async def test_what_was_counted_right_has_no_drift(town: Town, audit: Audit) -> None:
    await filled(town, 500)
    verdict = await all_of(audit, town)
    users, pairs = town.model.users, town.model.pairs
    assert (verdict.users, verdict.pairs, verdict.snapshots) == (len(users), len(pairs), len(pairs))
    assert (verdict.shares, verdict.drifts) == (len(town.model.movies), ())
    assert verdict.events == sum(user.totals.events for user in users.values())


async def test_neither_after_a_recovery(town: Town, audit: Audit) -> None:
    await filled(town, 300)
    await town.redis.flushall()
    await town.flush()
    await filled(town, 300)
    assert (await all_of(audit, town)).drifts == ()


async def test_neither_while_events_come_in(town: Town, audit: Audit) -> None:
    await filled(town, 300)

    async def go_on() -> None:
        for _ in range(8):
            await town.send(50)
            await town.flusher.step()
        await town.flush()  # else the last audit would wait for a snapshot that nobody makes

    going = asyncio.create_task(go_on())
    verdicts = [await all_of(audit, town)]
    while not going.done():
        verdicts.append(await all_of(audit, town))
    await going
    assert [verdict.drifts for verdict in verdicts] == [()] * len(verdicts)
    assert verdicts[-1].events > 300


async def test_a_changed_counter_is_named_with_what_was_expected(town: Town, audit: Audit) -> None:
    user, slug = await filled_aside(town)
    key, field = keys.pairs(PARTITION, user), keys.pair_field(slug)
    stored = await town.redis.hget(key, field)
    assert isinstance(stored, bytes)
    right = PairRecord.unpack(stored)
    wrong = right._replace(watch_ms=right.watch_ms + 1)
    await town.redis.hset(key, field, wrong.pack())
    (drift,) = (await all_of(audit, town)).drifts
    assert drift == (f"{key} {field}", str(right), str(wrong))


async def test_a_changed_share_of_a_movie_is_found(town: Town, audit: Audit) -> None:
    _, slug = await filled(town)
    key = keys.movie(PARTITION, slug)
    record = await town.redis.get(key)
    assert isinstance(record, bytes)
    await town.redis.set(key, record[:-1] + bytes([record[-1] ^ 1]))
    (drift,) = (await all_of(audit, town)).drifts
    assert (drift.key, drift.expected) == (key, str(MovieRecord.unpack(record)))


@pytest.mark.parametrize(
    ("change", "table"),
    [
        ("UPDATE pairs SET furthest_ms = furthest_ms + 1", "pairs"),
        ("UPDATE sessions SET credited_ms = credited_ms + 1", "sessions"),
        ("UPDATE users SET movies = movies + 1", "users"),
        ("UPDATE movie_shares SET viewers = viewers + 1", "movie_shares"),
        ("DELETE FROM pairs", "pairs"),
        ("UPDATE users SET user_id = 'nobody' WHERE user_id = (SELECT min(user_id) FROM users)", "users"),
    ],
)
async def test_a_changed_snapshot_is_found(
    town: Town, audit: Audit, database: asyncpg.Connection[asyncpg.Record], change: str, table: str
) -> None:
    await filled(town)
    await database.execute(change)
    drifts = (await all_of(audit, town)).drifts
    assert drifts
    assert {drift.key.split()[0].split(".")[0] for drift in drifts} == {table}


async def test_pairs_whose_raw_events_are_gone_are_left_out(
    town: Town, audit: Audit, database: asyncpg.Connection[asyncpg.Record]
) -> None:
    user, slug = await filled(town)
    await database.execute("DELETE FROM events WHERE user_id = $1 AND slug = $2", user, slug)
    assert (await all_of(audit, town)).drifts
    forgetful = Audit(town.redis, town.history, town.ledger, CONSTANTS, keeps_all=False)
    verdict = await all_of(forgetful, town, keeps_all=False)
    assert (verdict.incomplete, verdict.drifts) == (2, ()), "once in Redis, once among the snapshots"


async def test_of_who_left_redis_the_snapshots_are_compared(
    town: Town, audit: Audit, database: asyncpg.Connection[asyncpg.Record]
) -> None:
    user, _ = await filled(town)
    assert await town.evict() == len(town.model.users)
    assert (await audit.users(PARTITION, [user])).drifts == ()
    assert (await all_of(audit, town)).drifts == ()
    await database.execute("UPDATE pairs SET watch_ms = watch_ms + 1 WHERE user_id = $1", user)
    assert (await audit.users(PARTITION, [user])).drifts
    assert (await all_of(audit, town)).drifts


async def test_who_came_back_has_not_drifted(town: Town, audit: Audit) -> None:
    await filled(town)
    assert await town.evict() > 0
    await filled(town, 10)
    assert (await all_of(audit, town)).drifts == ()


async def test_who_was_erased_is_nowhere_a_drift(town: Town, audit: Audit) -> None:
    user, _ = await filled(town)
    await town.erase(user)
    await town.flush()
    assert (await all_of(audit, town)).drifts == ()
    await town.send(20, user=user)
    await town.flush()
    assert (await all_of(audit, town)).drifts == ()


async def test_who_is_missing_though_nobody_left_is_found(town: Town, audit: Audit) -> None:
    user, _ = await filled(town)
    await town.redis.delete(keys.user(PARTITION, user))
    assert any(drift.found == "None" for drift in (await audit.users(PARTITION, [user])).drifts)


def counted() -> tuple[float, float]:
    """Users audited and drifts found since this process began."""
    sample = metrics.REGISTRY.get_sample_value
    return sample("playhead_audit_users_total") or 0, sample("playhead_audit_drifts_total") or 0


async def test_the_worker_tells_of_a_drift_in_log_and_metrics(town: Town, audit: Audit) -> None:
    user, _ = await filled(town)
    await town.send(30, user=user)
    await town.flush()
    worker = RandomAudit(audit, town.history)
    users, drifts = counted()
    await worker.step()
    assert counted() == (users + 1, drifts)
    for name in town.model.users:
        record = await town.redis.get(keys.user(PARTITION, name))
        assert isinstance(record, bytes)
        await town.redis.set(keys.user(PARTITION, name), bytes(48) + record[48:])
    with structlog.testing.capture_logs() as said:
        await worker.step()
    assert counted() == (users + 2, drifts + 1)
    (line,) = said
    assert (line["event"], line["log_level"]) == ("counter_drifted", "error")
    assert line["key"] in {keys.user(PARTITION, name) for name in town.model.users}
    assert line["found"].endswith(", 0)")  # movies: whatever was watched since counts on top of the rest
    assert not line["expected"].endswith(", 0)")


async def test_the_worker_finds_everybody_in_time_and_reads_one_page(
    town: Town, audit: Audit, database: asyncpg.Connection[asyncpg.Record]
) -> None:
    await filled(town, 500)
    picked = {await town.history.random_user(place / 100) for place in range(100)}
    assert {found[0] for found in picked if found} == set(town.model.users)
    plan = await database.fetch(
        "EXPLAIN SELECT user_id, partition, events FROM users"
        " WHERE ctid >= '(0,0)'::text::tid AND ctid < '(1,0)'::text::tid"
    )
    assert "Tid Range Scan" in str(plan)


async def test_a_changed_bit_is_found(town: Town, audit: Audit) -> None:
    user, slug = await filled(town)
    key = keys.coverage(PARTITION, user, slug)
    await town.redis.setbit(key, 170_000, 1)
    (drift,) = (await all_of(audit, town)).drifts
    assert drift.key == key
    assert drift.found.endswith("(170000, 170001)]")


async def test_a_forgotten_pair_is_found(town: Town, audit: Audit) -> None:
    user, slug = await filled_aside(town)
    await town.redis.hdel(keys.pairs(PARTITION, user), keys.pair_field(slug))
    assert any(drift.found == "None" for drift in (await all_of(audit, town)).drifts)
