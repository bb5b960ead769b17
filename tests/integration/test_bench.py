"""A tiny run of the benchmark balances its books; no time decides."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from redis import Redis

from loadtests.bench.audience import audience
from loadtests.bench.books import imbalances
from loadtests.bench.laboratory import Laboratory
from loadtests.bench.systems.nothing import Nothing
from loadtests.bench.systems.playhead import Playhead
from loadtests.bench.systems.webdis import spelled
from loadtests.bench.turns import Player, take_turns
from service.counters import keys, scripts

if TYPE_CHECKING:
    from pathlib import Path


def test_a_tiny_run_balances_its_books(tmp_path: Path) -> None:
    tmp_path.parent.chmod(0o711)
    laboratory = Laboratory(tmp_path, seconds=0.2, turns=1, say=lambda _: None)
    with laboratory.running(lambda folder: Playhead(folder, movies=20), Nothing) as systems:
        players = [Player(system, audience(100, movies=20), batch=10) for system in systems.values()]
        take_turns(players, tmp_path, connections=2, seconds=0.2, turns=1, warm_seconds=0.1)
        ours, nothing = players
        assert ours.acknowledged > 0
        assert [said for player in players for said in imbalances(player)] == []
        ours.acknowledged += 1
        assert len(imbalances(ours)) == 2, "one event fewer is counted, and one fewer stored, than was said"
        assert {"http", "valkey", "flusher", "postgres"} <= ours.turns[0].cpu_seconds.keys()
        assert nothing.turns[0].outcome.failed == 0


def test_the_call_spelled_for_webdis_counts(redis_url: str) -> None:
    moments = list(islice(audience(5), 50))
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
        redis.function_load(scripts.whole_library()[1], replace=True)
        for partition in range(8):
            redis.hset(keys.log(partition), "open", "1")
        for number, moment in enumerate(moments):
            redis.execute_command(*spelled([moment], number + 1))
        counted = sum(int(redis.hget(keys.log(partition), "appended") or 0) for partition in range(8))
        redis.flushall()
    assert counted == len(moments)
