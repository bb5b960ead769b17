"""Rows of entries as COPY takes them, straight from the packed run, in one pass.

They are those of `workers.entries.rows_of`, which makes an Event and a tuple of each, in half the time; and asyncpg
needs no codec a value. Every branch here costs: what is common is quick, an event without id and segments that counted
some milliseconds and nothing else.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from service.counters import outcomes, packing
from service.db import copying
from service.db.copying import EPOCH_US, INT2, INT4, INT8, NULL
from service.rules.model import FASTER_THAN_CLOCK
from workers.entries import changed_by_erasure

if TYPE_CHECKING:
    from service.db.copying import Copied
    from workers.entries import Changed, Entry

_KIND_FIELDS: Final = {number: copying.field_of(kind.encode()) for number, kind in packing.KIND_NAMES.items()}
_TAKE_FROM: Final = {number for number, kind in packing.KIND_NAMES.items() if kind in packing.TAKES_FROM}
_CLAIM: Final = next(number for number, kind in packing.KIND_NAMES.items() if kind == "claim")
_PLAIN_ENDINGS: Final = {
    number: kind + 6 * NULL
    for number, kind in _KIND_FIELDS.items()
    if number != _CLAIM and number not in _TAKE_FROM
}
"""Of kinds that have no field of their own: from the kind on, all that an event has which says nothing more."""

_FASTER_THAN_CLOCK: Final = copying.field_of(FASTER_THAN_CLOCK.encode())
_DAY_US: Final = 86_400_000_000

_read_outcome = lru_cache(maxsize=4096)(outcomes.read)
"""Most events of an audience are worth the same."""


def copy_entry(partition: int, entry: Entry, changed: Changed, copied: Copied) -> None:
    """Adds the rows of an entry to `copied`, all or none, and what they change to `changed`, maybe some of it if none.

    Raises whatever makes unreadable what a stranger wrote, and where a number does not fit its column.
    """
    if entry.is_erasure:
        changed_by_erasure(entry, changed)
        return
    run, said = entry.run, outcomes.split(entry.outcomes)
    user_count, movie_count, count = packing.RUN.unpack_from(run)
    if count != len(said):
        raise ValueError(f"{count} events with {len(said)} outcomes")
    users, user_fields, offset = _names(run, packing.RUN.size, user_count)
    movies, movie_fields, offset = _names(run, offset, movie_count)
    head = copying.HEAD.pack(len(copying.COLUMNS), 2, partition, 8, entry.id[0], 8, entry.id[1])
    read, pack, event_bytes = packing.EVENT.unpack_from, copying.NUMBERS.pack, packing.EVENT.size
    pieces: list[bytes] = []
    days: set[int] = set()
    day_us = day_end_us = 0
    for ordinal, outcome in enumerate(said):
        (
            user,
            movie,
            kind,
            timed,
            at_ms,
            from_ms,
            speed,
            duration,
            time_us,
            received_us,
            seq,
            session_bytes,
        ) = read(run, offset)
        offset += event_bytes
        end = offset + session_bytes
        session = run[offset:end]
        offset = end + 4
        identity, segments = None, None
        if run[end:offset] != packing.NEITHER:
            identity, segments, offset = packing.read_rest(run, end)
        if outcome in outcomes.UNCOUNTED:
            continue
        credited_ms, implausible_ms, scope = _read_outcome(outcome)
        ending = _PLAIN_ENDINGS.get(kind)
        if ending is None or identity is not None or speed or duration or implausible_ms:
            ending = b"".join(
                (
                    _KIND_FIELDS[kind],
                    INT4.pack(4, from_ms) if kind in _TAKE_FROM else NULL,
                    _spans(segments or ()) if kind == _CLAIM else NULL,
                    INT2.pack(2, speed) if speed else NULL,
                    INT4.pack(4, duration - 1) if duration else NULL,
                    NULL if identity is None else copying.field_of(identity.encode()),
                    _FASTER_THAN_CLOCK if implausible_ms else NULL,
                )
            )
        pieces += (
            head,
            pack(
                2, ordinal, 4, at_ms, 1, timed, 8, time_us - EPOCH_US, 8, received_us - EPOCH_US,
                8, credited_ms, 8, implausible_ms, 4, scope, session_bytes,
            ),
            session,
            user_fields[user],
            movie_fields[movie],
            INT8.pack(8, seq - 1) if seq else NULL,
            ending,
        )  # fmt: skip
        pair = users[user], movies[movie]
        if (sessions := changed.get(pair)) is None:
            sessions = changed[pair] = set()
        sessions.add(session.decode())
        if not day_us <= received_us < day_end_us:
            day_us = received_us - received_us % _DAY_US
            day_end_us = day_us + _DAY_US
            days.add(day_us // _DAY_US)
    copied.pieces += pieces
    copied.rows += len(pieces) // copying.PIECES
    copied.days |= days


def _names(run: bytes, offset: int, count: int) -> tuple[list[str], list[bytes], int]:
    """Each as a string and as a field: its length in a run has two bytes, in a field four. And where they end."""
    names, fields = [], []
    for _ in range(count):
        end = offset + 2 + (run[offset] << 8 | run[offset + 1])
        fields.append(b"\0\0" + run[offset:end])
        names.append(run[offset + 2 : end].decode())
        offset = end
    return names, fields, offset


def _spans(segments: tuple[tuple[int, int], ...]) -> bytes:
    return copying.array_of([end for span in segments for end in span])
