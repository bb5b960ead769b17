"""Who may flush which partition: leases, by the clock of Postgres alone.

A flusher counts as alive for some seconds after it last said so, and a partition belongs to whoever holds it for as
long as the holder is alive. Each time a partition is taken its epoch rises, and a commit under an earlier epoch is
refused (`service.db.ledger`): so a holder that slept through its time can do no harm when it wakes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.db.queries import query

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import asyncpg


class Leasing:
    """Every call is one statement: a process that stops between two of them leaves nothing locked."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    async def announce(self, name: str, seconds: float) -> None:
        """From now on the flusher counts as alive for so long."""
        await self._pool.execute(query("announce_flusher"), name, seconds)

    async def share(self, name: str, partitions: int) -> int:
        """How many of the partitions are this flusher's due: all shares together are all of them."""
        counted = await self._pool.fetchrow(query("count_flushers"), name)
        assert counted is not None
        return share_of(partitions, counted["alive"], counted["before"])

    async def held(self, name: str, partitions: Sequence[int]) -> dict[int, int]:
        """The partitions that the flusher holds, each with its epoch."""
        records = await self._pool.fetch(query("select_leases"), name, partitions)
        return {record["partition"]: record["epoch"] for record in records}

    async def take(
        self, name: str, partitions: Sequence[int], held: Collection[int], more_max: int
    ) -> dict[int, int]:
        """Take up to so many more of the partitions that nobody alive holds; gives them with their new epochs."""
        await self._pool.execute(query("end_sessions"))
        records = await self._pool.fetch(query("take_leases"), name, partitions, list(held), more_max)
        return {record["partition"]: record["epoch"] for record in records}

    async def give_back(self, name: str, kept: Collection[int]) -> list[int]:
        """Give back all that the flusher holds but these; gives which those were."""
        records = await self._pool.fetch(query("give_back_leases"), name, list(kept))
        return sorted(record["partition"] for record in records)

    async def leave(self, name: str) -> list[int]:
        """Give back everything, and count as alive no more."""
        given = await self.give_back(name, ())
        await self._pool.execute(query("forget_flusher"), name)
        return given


def share_of(partitions: int, alive: int, before: int) -> int:
    """What is due to the flusher that so many of those alive come before: as even as whole partitions allow."""
    alive = max(alive, before + 1)  # it counts itself, also if it was silent for too long
    return (partitions + alive - 1 - before) // alive
