"""Postgres reads what is copied as it reads rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.db.copying import Copied
from service.db.records import Flush
from tests.integration.bench import Bench, heartbeat, varied
from workers.copying import copy_entry
from workers.entries import read_entries, rows_of

if TYPE_CHECKING:
    from service.db.ledger import Ledger
    from workers.entries import Changed

EVERY_ROW = "SELECT * FROM events ORDER BY partition, entry_ms, entry_seq, ordinal"


async def rows_after(ledger: Ledger, connection: Any, flush: Flush) -> list[tuple[object, ...]]:
    """All rows once the flush is committed, which are then deleted."""
    await ledger.commit(flush)
    stored = [tuple(record) for record in await connection.fetch(EVERY_ROW)]
    await connection.execute("DELETE FROM events")
    return stored


async def test_both_ways_make_the_same_rows(bench: Bench) -> None:
    """Of every kind, with all fields and with none, with and without duplicates, implausible or in a later scope."""
    await bench.send(varied(1, 2500))
    await bench.send([heartbeat(number, user="bare", id=None) for number in range(30)])
    checkpoints = await bench.ledger.checkpoints(range(4))
    found = await read_entries(bench.redis, {n: one.entry for n, one in checkpoints.items()}, 1000)
    copied, rows = Copied(), []
    quick: Changed = {}
    plain: Changed = {}
    for partition, entries in found.items():
        for entry in entries:
            copy_entry(partition, entry, quick, copied)
            rows += rows_of(partition, entry, plain)
    assert quick == plain
    assert copied.rows == len(rows) == bench.accepted
    expected = await rows_after(bench.ledger, bench.connection, Flush(rows=rows))
    assert len(expected) == bench.accepted
    assert await rows_after(bench.ledger, bench.connection, Flush(copied=copied)) == expected
