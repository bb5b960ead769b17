"""The audit finds what is not as the raw events say, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.counters import keys
from service.counters.records import PairRecord
from tests.integration.town import CONSTANTS, PARTITION
from workers.audit import Audit, Verdict, audit_all

if TYPE_CHECKING:
    from tests.integration.town import Town


@pytest.fixture
def audit(town: Town) -> Audit:
    return Audit(town.redis, town.history, town.ledger, CONSTANTS, keeps_all=True)


async def all_of(audit: Audit, town: Town) -> Verdict:
    return await audit_all(audit, 1, lambda _: None)


async def test_what_was_counted_right_has_no_drift(town: Town, audit: Audit) -> None:
    await town.send(500)
    await town.flush()
    verdict = await all_of(audit, town)
    assert (verdict.users, verdict.pairs, verdict.drifts) == (
        len(town.model.users),
        len(town.model.pairs),
        [],
    )
    assert verdict.events == sum(user.totals.events for user in town.model.users.values())


async def test_neither_after_a_recovery(town: Town, audit: Audit) -> None:
    await town.send(300)
    await town.flush()
    await town.redis.flushall()
    await town.flush()
    await town.send(300)
    await town.flush()
    assert (await all_of(audit, town)).drifts == []


async def test_a_changed_counter_is_named_with_what_was_expected(town: Town, audit: Audit) -> None:
    await town.send(100)
    await town.flush()
    (user, slug), _ = next(iter(town.model.pairs.items()))
    key, field = keys.user(PARTITION, user), keys.pair_field(slug)
    stored = await town.redis.hget(key, field)
    assert isinstance(stored, bytes)
    right = PairRecord.unpack(stored)
    wrong = right._replace(watch_ms=right.watch_ms + 1)
    await town.redis.hset(key, field, wrong.pack())
    (drift,) = (await all_of(audit, town)).drifts
    assert drift == (f"{key} {field}", str(right), str(wrong))


async def test_a_changed_bit_is_found(town: Town, audit: Audit) -> None:
    await town.send(100)
    await town.flush()
    (user, slug), _ = next(iter(town.model.pairs.items()))
    key = keys.coverage(PARTITION, user, slug)
    await town.redis.setbit(key, 170_000, 1)
    (drift,) = (await all_of(audit, town)).drifts
    assert drift.key == key
    assert drift.found.endswith("(170000, 170001)]")


async def test_a_forgotten_pair_is_found(town: Town, audit: Audit) -> None:
    await town.send(100)
    await town.flush()
    (user, slug), _ = next(iter(town.model.pairs.items()))
    await town.redis.hdel(keys.user(PARTITION, user), keys.pair_field(slug))
    assert any(drift.found == "None" for drift in (await all_of(audit, town)).drifts)
