"""What a user's record holds: totals, and the pair of its last event, which nearly every read of a pair is of.

The twin of `read_user_record` in `lua/include/records.lua`, and of `read_coverage` in `lua/include/coverage.lua`. A
record here is a user's with its stride before it, if it has one: the record itself is of the moment when it was
written, and the stride says how far the viewer has come since.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from service.counters.records import PAIR_BYTES, TOTALS_BYTES, PairRecord, UserRecord

_STRIDE = Struct(">IIQQIQQQHI")
_LENGTH = Struct(">H")
_CLOCKS = Struct(">6Q")
_PAIR = Struct(">5QIIIQ")
_REST = Struct(">III")

_CELL_MS = 1000


class Stride(NamedTuple):
    """`strides` heartbeats, each from where the one before ended, up to `position`, which is one more than it says."""

    position: int
    tail_after: int
    time_us: int
    seq_after: int
    strides: int
    effective_ms: int
    active_us: int
    appended: int
    speed: int
    scope: int


def totals_of(record: bytes) -> UserRecord:
    if len(record) == TOTALS_BYTES:
        return UserRecord.unpack(record)
    stride = Stride(*_STRIDE.unpack_from(record))
    offset = _behind_names(record)
    watch_ms, effective_ms, unique_cells, events, movies, ids_swept_us = _CLOCKS.unpack_from(record, offset)
    _, tail_after, position = _REST.unpack_from(record, offset + _CLOCKS.size + _PAIR.size)
    return UserRecord(
        watch_ms + _watched_ms(stride, position),
        effective_ms + stride.effective_ms,
        unique_cells + stride.tail_after - tail_after,
        events + stride.strides,
        movies,
        ids_swept_us,
        stride.active_us,
        stride.appended,
    )


def pair_of(record: bytes, slug: str, bitmap: bytes) -> tuple[PairRecord, bytes] | None:
    """The pair and its coverage, where the user's last event was of this movie; `bitmap` is what is stored of it."""
    if len(record) == TOTALS_BYTES or _text(record, _STRIDE.size)[0] != slug.encode():
        return None
    pair, first, after = _pair_at(record)
    return pair, _with_tail(bitmap, first, after)


def counted_pair(state: bytes) -> PairRecord:
    """What the script says of a pair right after an event: its record, or its user's, whose pair it is then."""
    return PairRecord.unpack(state) if len(state) == PAIR_BYTES else _pair_at(state)[0]


def _pair_at(record: bytes) -> tuple[PairRecord, int, int]:
    """The pair that the user is at, and its tail."""
    stride = Stride(*_STRIDE.unpack_from(record))
    offset = _behind_names(record) + _CLOCKS.size
    (
        watch_ms,
        effective_ms,
        unique_cells,
        events,
        implausible_ms,
        verified_cells,
        furthest_ms,
        latest_ms,
        latest_us,
    ) = _PAIR.unpack_from(record, offset)
    tail_first, tail_after, position = _REST.unpack_from(record, offset + _PAIR.size)
    if stride.strides:
        at_ms = stride.position - 1
        furthest_ms = max(furthest_ms, at_ms)
        if stride.time_us >= latest_us:
            latest_ms, latest_us = at_ms, stride.time_us
        if stride.tail_after > tail_after and verified_cells >= tail_first:
            verified_cells = stride.tail_after
    pair = PairRecord(
        watch_ms + _watched_ms(stride, position),
        effective_ms + stride.effective_ms,
        unique_cells + stride.tail_after - tail_after,
        events + stride.strides,
        implausible_ms,
        verified_cells,
        furthest_ms,
        latest_ms,
        latest_us,
        stride.scope,
    )
    return pair, tail_first, stride.tail_after


def _watched_ms(stride: Stride, position: int) -> int:
    return stride.position - position if stride.strides else 0


def _behind_names(record: bytes) -> int:
    """Where the slug and the session end."""
    (length,) = _LENGTH.unpack_from(record, _STRIDE.size)
    offset = _STRIDE.size + _LENGTH.size + length
    (length,) = _LENGTH.unpack_from(record, offset)
    return int(offset + _LENGTH.size + length)


def _text(record: bytes, offset: int) -> tuple[bytes, int]:
    (length,) = _LENGTH.unpack_from(record, offset)
    end = offset + _LENGTH.size + length
    return record[offset + _LENGTH.size : end], end


def _with_tail(bitmap: bytes, first: int, after: int) -> bytes:
    """The bitmap with the cells [first, after), from which on it has none itself."""
    if after == first:
        return bitmap
    size = -(-after // 8)
    ones = (1 << (after - first)) - 1 << (size * 8 - after)
    return (int.from_bytes(bitmap.ljust(size, b"\0")[:size]) | ones).to_bytes(size)
