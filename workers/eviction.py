"""Eviction: idle users leave Redis once Postgres has everything of them, so memory is bounded by who is watching.

Nothing is remembered of who left but that somebody did: from then on the partition asks Postgres for whoever is not
there (`service.stored`). Redis itself says who is idle, a stretch of its keys at a time; the script that lets a user
leave looks again, so that an event that comes in between keeps its user.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import structlog

from service import clock, metrics
from service.counters import keys, scripts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from redis.asyncio import Redis

    from service.db.records import Erasure

_log = structlog.get_logger()

KEYS_AT_ONCE = 1000
"""What one call looks at: it holds Redis up for about a millisecond."""

PAUSE_SECONDS = 0.05
"""Between two stretches of a partition while memory is scarce: users who leave make those who return begin again."""

STRETCH_SECONDS, ROUND_SECONDS = 0.5, 30.0
"""The same while it is not, and how long to rest after all keys: about a hundredth of Redis' time."""

SCARCE_SHARE, FULL_SHARE = 0.75, 0.95
"""From this share of `maxmemory` on, users leave sooner; at the second, after IDLE_SECONDS_MIN."""

IDLE_SECONDS_MIN = 5.0
"""However scarce memory is, who sends heartbeats stays for half of their interval."""

SCARCE_IDLE_SECONDS = 3600.0
"""What counts as idle when memory gets scarce, where users are otherwise never let go."""


class Idle(NamedTuple):
    """Users who may leave. `used_share` is of Redis' memory bound, 0 without one."""

    cursor: str
    used_share: float
    users: list[str]


@dataclass(slots=True)
class Round:
    """Where the search through a partition's keys is."""

    cursor: str = "0"
    rests_until: float = 0.0
    used_share: float = 0.0
    gone: int = field(default=0)


class Eviction:
    """`step` is driven by `workers.loop.drive`; `snapshotted` says how far Postgres has all, of each partition held."""

    def __init__(
        self, redis: Redis, snapshotted: Callable[[], Mapping[int, int]], *, idle_seconds: float
    ) -> None:
        self._redis = redis
        self._snapshotted = snapshotted
        self._idle_seconds = idle_seconds
        self._rounds: dict[int, Round] = {}

    async def step(self) -> bool:
        """Look at a stretch of the keys of each partition whose turn it is."""
        now = time.monotonic()
        held = self._snapshotted()
        self._rounds = {partition: self._rounds.get(partition) or Round() for partition in held}
        for partition, turn in self._rounds.items():
            if turn.rests_until <= now:
                await self._look(partition, held[partition], turn)
        return False

    async def _look(self, partition: int, snapshotted: int, turn: Round) -> None:
        # What idle means now follows from how full Redis was when it was last looked at.
        idle_seconds = idle_seconds_at(turn.used_share, self._idle_seconds)
        since_us = 0 if idle_seconds is None else clock.now_us() - int(idle_seconds * 1_000_000)
        found = await find_idle(self._redis, partition, turn.cursor, since_us, snapshotted)
        turn.gone += await evict(self._redis, partition, found.users, since_us, snapshotted)
        turn.cursor, turn.used_share = found.cursor, found.used_share
        if turn.used_share <= SCARCE_SHARE:
            turn.rests_until = time.monotonic() + (ROUND_SECONDS if turn.cursor == "0" else STRETCH_SECONDS)
        if turn.cursor == "0" and turn.gone:
            _log.info("evicted", partition=partition, users=turn.gone, idle_seconds=idle_seconds)
            turn.gone = 0


def idle_seconds_at(used_share: float, idle_seconds: float) -> float | None:
    """After how long a user is idle, when so much of the memory is used. None: never; `idle_seconds` 0 means that."""
    if used_share <= SCARCE_SHARE:
        return idle_seconds or None
    most = idle_seconds or SCARCE_IDLE_SECONDS
    scarcity = min(1.0, (used_share - SCARCE_SHARE) / (FULL_SHARE - SCARCE_SHARE))
    return max(min(IDLE_SECONDS_MIN, most), most * (1 - scarcity))


async def find_idle(redis: Redis, partition: int, cursor: str, since_us: int, snapshotted: int) -> Idle:
    """Some of the partition's users who may leave. Raises RedisUnavailable."""
    arguments: list[str | bytes | int] = [
        cursor,
        keys.user_pattern(partition),
        KEYS_AT_ONCE,
        since_us,
        snapshotted,
        len(keys.user_prefix(partition)),
    ]
    following, used, bound, found = await scripts.call_one(redis, "idle", [keys.log(partition)], arguments)
    return Idle(following.decode(), used / bound if bound else 0.0, [name.decode() for name in found])


async def evict(
    redis: Redis,
    partition: int,
    users: Sequence[str],
    since_us: int,
    snapshotted: int,
) -> int:
    """Let these users leave; gives how many did. Raises RedisUnavailable."""
    calls = [_spell(partition, name, since_us, snapshotted) for name in users]
    gone = 0
    for reply in await scripts.call(redis, calls) if calls else ():
        if isinstance(reply, Exception):
            raise reply
        gone += reply
    metrics.EVICTED.inc(gone)
    return gone


async def forget(redis: Redis, erasures: Sequence[Erasure], appended: Mapping[int, int]) -> None:
    """Remove what was kept in the place of erased users, now that Postgres has erased them; who came back stays.

    `appended` says of each partition how many events Postgres has.
    """
    calls = [
        _spell(erasure.partition, erasure.user_id, 0, appended[erasure.partition]) for erasure in erasures
    ]
    for reply in await scripts.call(redis, calls) if calls else ():
        if isinstance(reply, Exception):
            raise reply


def _spell(partition: int, name: str, since_us: int, snapshotted: int) -> scripts.Call:
    return "evict", [keys.log(partition)], [name, since_us, snapshotted]
