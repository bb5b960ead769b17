"""Rows of `events` as COPY reads them in binary: who makes them so needs no tuple a row, and asyncpg no codec a value.

A row is how many fields follow, and the fields, each behind its length. Numbers are big-endian, as in runs. The columns
are in an order of their own: first those that are the same in all rows of an entry, then all other numbers that are
never null, so that each kind is packed at once, and in the end those that nearly all events of a kind have alike
(`workers.copying`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from struct import Struct
from typing import TYPE_CHECKING, Final

from service.db import days
from service.db.connections import BATCH_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from service.db.connections import Connection

COLUMNS: Final = (
    "partition", "entry_ms", "entry_seq",
    "ordinal", "at_ms", "timed", "happened_at", "received_at", "credited_ms", "implausible_ms", "scope", "session",
    "user_id", "slug", "seq", "kind", "from_ms", "segments", "speed", "duration_ms", "event_id", "implausible_reason",
)  # fmt: skip

PIECES: Final = 7
"""Of a row: what entries share, the numbers, session, user, slug, seq, and all that comes after it."""

EPOCH_US: Final = 946_684_800_000_000
"""2000-01-01, from which Postgres counts."""

NULL: Final = b"\xff\xff\xff\xff"

HEAD: Final = Struct(">hihiqiq")
"""How many fields; then partition, entry_ms and entry_seq, each behind its length."""

NUMBERS: Final = Struct(">ihiiiBiqiqiqiqiii")
"""From ordinal to scope, each behind its length; then the length of the session, which follows."""

INT2: Final = Struct(">ih")
INT4: Final = Struct(">ii")
INT8: Final = Struct(">iq")

_LENGTH: Final = Struct(">i")
_ARRAY_HEAD: Final = Struct(">5i")
_INT4_OID: Final = 23

_FILE_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_FILE_END: Final = b"\xff\xff"
_PIECES_MAX: Final = 20_000
"""In one message: about 300 kB, of the longest names some MB."""

_EPOCH: Final = date(1970, 1, 1)


@dataclass(slots=True)
class Copied:
    """Rows in pieces, PIECES each. `days` are those of their receipt, counted from 1970."""

    pieces: list[bytes] = field(default_factory=list)
    rows: int = 0
    days: set[int] = field(default_factory=set)


def field_of(text: bytes) -> bytes:
    return _LENGTH.pack(len(text)) + text


def array_of(numbers: Sequence[int]) -> bytes:
    """A field of int4[], from its length on: one dimension that begins at 1."""
    elements = b"".join([INT4.pack(4, number) for number in numbers])
    array = _ARRAY_HEAD.pack(1, 0, _INT4_OID, len(numbers), 1) + elements
    return field_of(array)


async def copy_rows(connection: Connection, copied: Copied, *, makes_days: bool) -> None:
    """Inside a transaction of the caller's. Where a day is missing and not made, Postgres refuses the row."""
    if makes_days:
        await days.ensure_each(connection, [_EPOCH + timedelta(days=number) for number in copied.days])
    await connection.copy_to_table(
        "events",
        source=_messages(copied.pieces),
        columns=COLUMNS,
        format="binary",
        timeout=BATCH_SECONDS,
    )


async def _messages(pieces: list[bytes]) -> AsyncIterator[bytes]:
    whole = [_FILE_HEAD, *pieces, _FILE_END]
    for start in range(0, len(whole), _PIECES_MAX):
        yield b"".join(whole[start : start + _PIECES_MAX])
