"""Rows that are copied straight from a run are those that are made of its events, one by one."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from service.counters import outcomes, packing
from service.db.copying import COLUMNS, EPOCH_US, Copied
from service.db.records import EVENT_COLUMNS, EntryId
from service.events.event import Event
from tests.integration.bench import varied
from workers.copying import copy_entry
from workers.entries import Entry, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.entries import Changed, Row

FORMATS = {
    **dict.fromkeys(("entry_ms", "entry_seq", "seq", "credited_ms", "implausible_ms"), ">q"),
    **dict.fromkeys(("happened_at", "received_at"), ">q"),
    **dict.fromkeys(("at_ms", "from_ms", "duration_ms", "scope"), ">i"),
    **dict.fromkeys(("partition", "ordinal", "speed"), ">h"),
    "timed": ">?",
}
"""Of columns that are numbers. All others but `segments` are text."""

SAID = (b"10000", b"0", b"12!7", b"5@2", b"9!9@1", b"D", b"A")


def told(copied: Copied) -> list[Row]:
    """The rows that COPY would read, in the order of EVENT_COLUMNS, slowly."""
    data, offset, rows = b"".join(copied.pieces), 0, []
    while offset < len(data):
        (count,), row = struct.unpack_from(">h", data, offset), {}
        assert count == len(COLUMNS)
        offset += 2
        for column in COLUMNS:
            (size,) = struct.unpack_from(">i", data, offset)
            offset += 4
            row[column] = None if size < 0 else value_of(column, data[offset : offset + size], size)
            offset += max(size, 0)
        rows.append(tuple(row[column] for column in EVENT_COLUMNS))
    return rows


def value_of(column: str, field: bytes, size: int) -> object:
    assert len(field) == size
    if column == "segments":
        dimensions, nulls, oid, count, first, *elements = struct.unpack(f">{size // 4}i", field)
        assert (dimensions, nulls, oid, first) == (1, 0, 23, 1)
        assert elements[::2] == [4] * count
        return elements[1::2]
    if column not in FORMATS:
        return field.decode()
    (number,) = struct.unpack(FORMATS[column], field)
    return number + EPOCH_US if column in ("happened_at", "received_at") else number


def entry_of(events: Sequence[Event], said: Sequence[bytes] = SAID) -> Entry:
    spread = [said[place % len(said)] for place in range(len(events))]
    return Entry(EntryId(2**40, 3), packing.pack(events), b",".join(spread), 9)


def copied_of(entry: Entry) -> tuple[list[Row], Changed] | None:
    """None, and nothing at all, where it cannot be read."""
    changed: Changed = {}
    copied = Copied()
    try:
        copy_entry(3, entry, changed, copied)
    except Exception:
        assert copied == Copied()
        return None
    rows = told(copied)
    assert copied.rows == len(rows)
    assert copied.days == set(map(day_of, rows))
    return rows, changed


def day_of(row: Row) -> int:
    received_us = row[EVENT_COLUMNS.index("received_at")]
    assert isinstance(received_us, int)
    return received_us // 86_400_000_000


def made_of(entry: Entry) -> tuple[list[Row], Changed] | None:
    changed: Changed = {}
    try:
        rows = rows_of(3, entry, changed)
        return (rows, changed) if all(map(fits, rows)) else None
    except Exception:
        return None


def fits(row: Row) -> bool:
    """Whether each number fits its column: asyncpg refuses those that do not, as struct does."""
    try:
        for column, value in zip(EVENT_COLUMNS, row, strict=True):
            if isinstance(value, int):
                struct.pack(FORMATS[column], value)
            if isinstance(value, list):
                struct.pack(f">{len(value)}i", *value)
    except struct.error:
        return False
    return True


@pytest.mark.parametrize("seed", range(5))
def test_both_ways_make_the_same_rows(seed: int) -> None:
    """Of every kind, with all fields and with none, days and names of all sorts, counted in every way."""
    bare = [Event("ann", "dune", "heartbeat", at, at * 10**10, at * 86_000_000_000) for at in range(9)]
    entry = entry_of([*varied(seed, 300), *bare])
    rows, _ = copied_of(entry) or ([], {})
    assert len(rows) == outcomes.counted(entry.outcomes)
    assert copied_of(entry) == made_of(entry)


def test_both_ways_refuse_the_same() -> None:
    """Cut off anywhere, or with any byte turned around. Of what was not counted only the length matters to COPY."""
    entry = entry_of(varied(1, 20), SAID[:-2])
    run, said = entry.run, entry.outcomes
    cut = [entry._replace(run=run[:size]) for size in range(len(run))]
    turned = [entry._replace(run=turn(run, place)) for place in range(len(run))]
    untold = [entry._replace(outcomes=turn(said, place)) for place in range(len(said))]
    short = [entry._replace(outcomes=said[:size]) for size in range(len(said))]
    for broken in (*cut, *turned, *untold, *short):
        assert copied_of(broken) == made_of(broken)


def turn(packed: bytes, place: int) -> bytes:
    return packed[:place] + bytes([packed[place] ^ 255]) + packed[place + 1 :]


def test_an_erasure_makes_no_row() -> None:
    names = packing.Names()
    names.place_pair("ann", "dune")
    erasure = Entry(EntryId(1, 1), packing.pack_names(names), outcomes.ERASURE, 1)
    assert copied_of(erasure) == made_of(erasure) == ([], {("ann", "dune"): set()})
