"""Rows of entries as COPY takes them, straight from the packed run.

They are those of `workers.entries.rows_of`, in a third of the time. What is common is quick: an event without id and
segments, which counted some milliseconds and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.counters import outcomes, packing
from service.db.copying import (
    COLUMNS,
    EPOCH_US,
    HEAD,
    INT2,
    INT4,
    INT8,
    NULL,
    NUMBERS,
    Copied,
    array_of,
    field_of,
)
from service.events.event import CUT, KINDS
from service.rules.model import FASTER_THAN_CLOCK
from workers.entries import changed_by_erasure

if TYPE_CHECKING:
    from workers.entries import Changed, Entry

_KINDS: Final = {kind: field_of(kind.encode()) for kind in (*KINDS, CUT)}
_FASTER_THAN_CLOCK: Final = field_of(FASTER_THAN_CLOCK.encode())
_DAY_US: Final = 86_400_000_000


def copy_entry(partition: int, entry: Entry, changed: Changed, copied: Copied) -> None:
    """Adds the rows of an entry to `copied`, all or none, and what they changed to `changed`.

    Raises whatever an entry that a stranger wrote is unreadable by.
    """
    if entry.is_erasure:
        changed_by_erasure(entry, changed)
        return
    run = packing.unpack_plain(entry.run)
    users, movies = [name.decode() for name in run.users], [slug.decode() for slug in run.movies]
    user_fields, movie_fields = [*map(field_of, run.users)], [*map(field_of, run.movies)]
    head = HEAD.pack(len(COLUMNS), 2, partition, 8, entry.id[0], 8, entry.id[1])
    pieces: list[bytes] = []
    rows, days = 0, set()
    for ordinal, (event, outcome) in enumerate(zip(run.events, outcomes.split(entry.outcomes), strict=True)):
        if outcome.isdigit():
            credited_ms, implausible_ms, scope = int(outcome), 0, 0
        elif outcome in outcomes.UNCOUNTED:
            continue
        else:
            credited_ms, implausible_ms, scope = outcomes.read(outcome)
        (
            user, movie, kind, at_ms, time_us, received_us, timed, session,
            seq, identity, from_ms, speed, segments, duration_ms,
        ) = event  # fmt: skip
        pieces += (
            head,
            NUMBERS.pack(
                2, ordinal, 4, at_ms, 1, timed, 8, time_us - EPOCH_US, 8, received_us - EPOCH_US,
                8, credited_ms, 8, implausible_ms, 4, scope, len(session),
            ),
            session,
            user_fields[user],
            movie_fields[movie],
            _KINDS[kind],
            NULL if from_ms is None else INT4.pack(4, from_ms),
            array_of([end for span in segments for end in span]) if kind == "claim" else NULL,
            NULL if speed is None else INT2.pack(2, speed),
            NULL if duration_ms is None else INT4.pack(4, duration_ms),
            NULL if seq is None else INT8.pack(8, seq),
            NULL if identity is None else field_of(identity),
            _FASTER_THAN_CLOCK if implausible_ms else NULL,
        )  # fmt: skip
        days.add(received_us // _DAY_US)
        rows += 1
        changed.setdefault((users[user], movies[movie]), set()).add(session.decode())
    copied.pieces += pieces
    copied.rows += rows
    copied.days |= days
