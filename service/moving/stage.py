"""How far moving in has come: who answers reads in the old shapes.

A switch names a moment that lies some seconds ahead. Each process looks once a second, so all know of it by then, and
turn at that moment together: no client is answered by one side, then by the other, then by the first again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from service import clock, metrics
from service.errors import Conflict, PostgresUnavailable
from service.moving.model import Side
from service.moving.queries import query

if TYPE_CHECKING:
    from service.courses.database import Database

_log = structlog.get_logger()

LOOK_SECONDS: Final = 1.0
AHEAD_SECONDS: Final = 3
"""From a switch to the moment at which it holds: each process has looked by then, also one that is slow."""

SECOND_US: Final = 1_000_000


class Turn(NamedTuple):
    """From `at_us` on reads are answered by `to`, before that by the other side."""

    to: Side
    at_us: int

    def side_at(self, now_us: int) -> Side:
        if now_us >= self.at_us:
            return self.to
        return Side.OLD if self.to is Side.NEW else Side.NEW


BEGINNING: Final = Turn(Side.OLD, 0)


class Stage:
    """What the last look showed. While Postgres is away, that holds on."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn: Turn | None = None
        self._is_away = False

    @property
    def reads(self) -> Side:
        """Raises PostgresUnavailable where nobody could look yet: a guess could show clients what is long outdated."""
        if self._turn is None:
            raise PostgresUnavailable("Postgres, where it stands who answers reads, did not answer yet")
        return self._turn.side_at(clock.now_us())

    async def look(self) -> Turn:
        """As Postgres has it now."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(query("select_turn"))
        self._turn = Turn(Side(row["reads"]), row["switched_at"]) if row else BEGINNING
        metrics.READS_SWITCHED.labels("old").set(self.reads is Side.NEW)
        return self._turn

    async def switch(self, to: Side) -> Turn:
        """Let `to` answer reads, some seconds from now. Where it does already nothing changes.

        Raises Conflict while another switch is under way.
        """
        now_us = clock.now_us()
        async with self._database.transaction() as connection:
            await connection.execute("LOCK TABLE moving IN EXCLUSIVE MODE")
            row = await connection.fetchrow(query("select_turn"))
            turn = Turn(Side(row["reads"]), row["switched_at"]) if row else BEGINNING
            if turn.at_us > now_us:
                raise Conflict("switching", "another switch is under way; try again in some seconds")
            if turn.to is to:
                return turn
            turn = Turn(to, now_us + AHEAD_SECONDS * SECOND_US)
            await connection.execute(query("upsert_turn"), turn.to, turn.at_us)
        return turn

    async def keep(self, stop: asyncio.Event) -> None:
        """Look until told to stop, whatever a look fails with."""
        while not stop.is_set():
            try:
                await self.look()
            except Exception as failed:  # whatever it was, the next look may succeed
                self._note_failure(failed)
            else:
                self._is_away = False
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_SECONDS)

    def _note_failure(self, failed: Exception) -> None:
        """Said when it begins."""
        if not self._is_away:
            detail = f"{type(failed).__name__}: {failed}"
            _log.warning("stage_unknown", detail=detail, goes_on_with=self._turn and self._turn.to)
        self._is_away = True
