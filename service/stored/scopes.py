"""Scopes: what was played of a pair between two cuts, and the cuts.

What is played counts in the pair's lifetime and in its current scope. A cut begins the next one; it goes the way of an
event, so that it has its place among them, in Redis, in Postgres and in every recovery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

from service import clock
from service.counters import coverage, keys, scripts
from service.counters.partitions import partition_of
from service.counters.records import PairRecord
from service.db.failures import asking
from service.events.event import CUT, Event
from service.stored.reads import WHAT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from redis.asyncio import Redis

    from service.counters.writer import Writer
    from service.db.history import History

Name = tuple[str, str]
"""User and slug of a pair."""

PAIRS_AT_ONCE = 1000

PAIRS_A_CALL = 50
"""Redis is held for half a millisecond; a call a pair costs this process more than all else about it."""


class Scope(NamedTuple):
    """What was played in one scope of a pair. `latest_ms` and `latest_us` are None while only `load` has come.

    `seen` is coverage as a bitmap: bit n of the number is second n.
    """

    number: int
    watch_ms: int
    effective_ms: int
    unique_cells: int
    events: int
    implausible_ms: int
    furthest_ms: int
    latest_ms: int | None
    latest_us: int | None
    seen: int

    @classmethod
    def of(cls, record: PairRecord, bitmap: bytes) -> Self:
        return cls(
            record.scope,
            record.watch_ms,
            record.effective_ms,
            record.unique_cells,
            record.events,
            record.implausible_ms,
            record.furthest_ms,
            record.latest_ms if record.latest_us else None,
            record.latest_us or None,
            coverage.seen_of(bitmap),
        )


class Scopes:
    """Reads and cuts of scopes. Raises Unavailable where Redis, or Postgres of who left it, does not answer."""

    def __init__(self, redis: Redis, partitions: int, writer: Writer, history: History) -> None:
        self._redis = redis
        self._partitions = partitions
        self._writer = writer
        self._history = history

    async def cut(self, pairs: Sequence[Name]) -> list[int]:
        """Begin the next scope of each pair; gives its number. What was played until now is in those before it.

        Where nothing was counted in the current scope, that one goes on: cutting again changes nothing.
        """
        now_us = clock.now_us()
        for first in range(0, len(pairs), PAIRS_AT_ONCE):
            some = pairs[first : first + PAIRS_AT_ONCE]
            applied = await self._writer.apply([Event(*pair, CUT, 0, now_us, now_us) for pair in some])
            for failed in applied.failures.values():
                raise failed
        found = await self._found(pairs)
        return [record.scope if record else 0 for record, _ in found]

    async def read(self, pairs: Sequence[Name]) -> list[list[Scope]]:
        """All scopes of each pair in which anything was counted, in their order, as they are at one moment."""
        return [scopes for _, scopes in await self._found(pairs)]

    async def _found(self, pairs: Sequence[Name]) -> list[tuple[PairRecord | None, list[Scope]]]:
        found: dict[Name, tuple[PairRecord | None, list[Scope]]] = {}
        for first in range(0, len(pairs), PAIRS_AT_ONCE):
            calls = list(self._shared(pairs[first : first + PAIRS_AT_ONCE]))
            replies = await scripts.call(
                self._redis, [self._call(partition, some) for partition, some in calls]
            )
            for (_, some), reply in zip(calls, replies, strict=True):
                if isinstance(reply, Exception):
                    raise reply
                for pair, told in zip(some, reply, strict=True):
                    found[pair] = _read(*told) if not told[2] else await self._stored(*pair)
        return [found[pair] for pair in pairs]

    def _shared(self, pairs: Sequence[Name]) -> Iterator[tuple[int, list[Name]]]:
        """Those of one partition together, so many at a time."""
        by_partition: dict[int, list[Name]] = {}
        for pair in pairs:
            by_partition.setdefault(partition_of(pair[0], self._partitions), []).append(pair)
        for partition, some in by_partition.items():
            for first in range(0, len(some), PAIRS_A_CALL):
                yield partition, some[first : first + PAIRS_A_CALL]

    def _call(self, partition: int, pairs: Sequence[Name]) -> scripts.Call:
        return "read_scopes", [keys.log(partition)], [name for pair in pairs for name in pair]

    async def _stored(self, user: str, slug: str) -> tuple[PairRecord | None, list[Scope]]:
        with asking(WHAT):
            pair = await self._history.pair(user, slug)
            if pair is None:
                return None, []
            record = PairRecord(*pair.record)
            if not record.scope:
                return record, [Scope.of(record, pair.coverage)]
            kept = await self._history.scopes_of_pair(user, slug)
        return record, [Scope.of(PairRecord(*one.record), one.coverage) for one in kept]


def _read(
    record: bytes | None, bitmap: bytes | None, _: int, scopes: list[Any]
) -> tuple[PairRecord | None, list[Scope]]:
    """As `lua/read_scopes.lua` tells it."""
    if record is None:
        return None, []
    pair = PairRecord.unpack(record)
    if not pair.scope:
        return pair, [Scope.of(pair, bitmap or b"")]
    return pair, [
        Scope.of(PairRecord.unpack(packed), seen or b"")
        for _, packed, seen in zip(*[iter(scopes)] * 3, strict=True)
    ]
