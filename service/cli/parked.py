"""`playhead parked`: entries that could not be stored, and another try."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import asyncpg
from cyclopts import App

from service import settings
from service.db.failures import blames_the_data
from service.db.ledger import Ledger
from service.errors import NotFound, Unavailable
from workers.parking import first_line, parked_rows
from workers.servers import database_url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.db.parking import ParkedEntry, Parking

parked = App(
    name="parked",
    help="List the entries that could not be stored in Postgres, or try again.\n\n"
    "Their events are counted in Redis; they lack only their rows.",
)


@parked.default
async def show() -> int:
    """List the parked entries: partition and entry, when, how many events, and why."""
    async with _parking() as parking:
        entries = await parking.entries()
    for one in entries:
        when = datetime.fromtimestamp(one.parked_at_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        print(f"{_id(one)}  {when}  {one.events} events  {one.reason}: {' '.join(one.detail.split())}")
    print(f"{len(entries)} parked entries, {sum(one.events for one in entries)} events")
    return 0


@parked.command
async def retry(*ids: str) -> int:
    """Store parked entries after all, each in a transaction of its own. The exit code is 1 when one stays parked.

    Parameters
    ----------
    ids
        As `playhead parked` shows them, PARTITION:ENTRY; all of them where none is given.
    """
    async with _parking() as parking:
        entries = {_id(one): one for one in await parking.entries()}
        if unknown := [name for name in ids if name not in entries]:
            raise NotFound(f"not parked: {', '.join(unknown)}")
        outcomes = [await _retry(parking, entries[name]) for name in ids or entries]
    print(f"{sum(outcomes)} stored, {len(outcomes) - sum(outcomes)} still parked")
    return 0 if all(outcomes) else 1


async def _retry(parking: Parking, one: ParkedEntry) -> bool:
    try:
        rows = parked_rows(one)
    except Exception as unreadable:  # whatever a stranger wrote into the stream
        print(f"{_id(one)}  still parked, unreadable: {first_line(unreadable)}")
        return False
    try:
        was_parked = await parking.unpark(one, rows)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError, OverflowError) as refused:
        if not blames_the_data(refused):
            raise Unavailable(f"Postgres cannot take it now: {refused}") from refused
        print(f"{_id(one)}  still parked: {first_line(refused)}")
        return False
    print(
        f"{_id(one)}  {f'stored, {len(rows)} rows' if was_parked else 'was stored by somebody else meanwhile'}"
    )
    return True


def _id(one: ParkedEntry) -> str:
    return f"{one.partition}:{one.entry}"


@asynccontextmanager
async def _parking() -> AsyncIterator[Parking]:
    ledger = await Ledger.connect(database_url_of(settings.load()))
    try:
        yield ledger.parking
    finally:
        await ledger.close()
