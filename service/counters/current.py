"""Where a user is: totals, and the pair and the session of its last event, which nearly everything that is asked is of.

The twin of `read_user_record` in `lua/include/records.lua`, and of `read_coverage` in `lua/include/coverage.lua`. A
user's record is of the moment when it was written; its stride, under a key of its own, says how far the viewer has come
since. Who is at no session has totals alone, and no stride.
"""

from __future__ import annotations

from functools import partial
from struct import Struct
from typing import NamedTuple

from service.counters.records import PAIR_BYTES, TOTALS_BYTES, PairRecord, SessionRecord, UserRecord
from service.limits import SEQ_WINDOW

_STRIDE = Struct(">IIIQQIQQQHI")
_STRIDE_OF_PAIR = Struct(">II4xQ8xIQ18xI")
_LENGTH = Struct(">H")
_AT = Struct(">6Q 5Q3IQ 3I IQB3Q")
_PAIR_AT = Struct(">48x 5Q3IQ 2I4x I")
_SCOPE_BYTES = PAIR_BYTES + 12

_record = partial(tuple.__new__, PairRecord)
"""A record of all its fields, in half the time that its own constructor, a function in Python, takes."""


class Current(NamedTuple):
    """All of a user who is at a session; of the bitmap of its pair [`tail_first`, `tail_after`) is to be added."""

    totals: UserRecord
    slug: str
    pair: PairRecord
    tail_first: int
    tail_after: int
    session_name: str
    session: SessionRecord


def totals_of(stride: bytes | None, record: bytes) -> UserRecord:
    return UserRecord.unpack(record) if len(record) == TOTALS_BYTES else read(stride or b"", record).totals


def pair_of(stride: bytes | None, record: bytes, slug: str, bitmap: bytes) -> tuple[PairRecord, bytes] | None:
    """The pair and its coverage, where the user's last event was of this movie; `bitmap` is what is stored of it."""
    if stride is None or _text(stride, _STRIDE.size)[0] != slug.encode():
        return None
    pair, tail_first, tail_after = _pair_at(stride, record)
    return pair, with_tail(bitmap, tail_first, tail_after)


def counted_pair(stride: bytes, record: bytes) -> PairRecord:
    """What the script says of a pair right after an event: its record, or its user's, who is at that pair."""
    return PairRecord.unpack(record) if len(record) == PAIR_BYTES else _pair_at(stride, record)[0]


def _pair_at(stride: bytes, record: bytes) -> tuple[PairRecord, int, int]:
    """The pair of a user who is at a session, and its tail. All at once: this is done for every single event."""
    reached, stride_tail_after, time_us, strides, stride_effective_ms, scope = _STRIDE_OF_PAIR.unpack_from(
        stride
    )
    (
        watch_ms, effective_ms, unique_cells, events, implausible_ms, verified_cells,
        furthest_ms, latest_ms, latest_us, tail_first, tail_after, position,
    ) = _PAIR_AT.unpack_from(record)  # fmt: skip
    if strides:
        watch_ms += reached - position
        fresh_cells = stride_tail_after - tail_after
        unique_cells += fresh_cells
        if fresh_cells and verified_cells >= tail_first:
            verified_cells = stride_tail_after
        if reached > furthest_ms:
            furthest_ms = reached - 1
        if time_us >= latest_us:
            latest_ms, latest_us = reached - 1, time_us
    pair = _record((
        watch_ms, effective_ms + stride_effective_ms, unique_cells, events + strides, implausible_ms,
        verified_cells, furthest_ms, latest_ms, latest_us, scope,
    ))  # fmt: skip
    return pair, tail_first, stride_tail_after


def read(stride: bytes, record: bytes) -> Current:
    """A user who is at a session."""
    (
        reached, stride_tail_after, _, time_us, seq_after, strides, stride_effective_ms, active_us, appended,
        speed, scope,
    ) = _STRIDE.unpack_from(stride)  # fmt: skip
    (
        watch_ms, effective_ms, unique_cells, events, movies, ids_swept_us,
        _, _, _, _, _, _, _, _, _, _, tail_after, _,
        position, since_us, playing, credited_ms, seq_before, seq_base,
    ) = _AT.unpack_from(record)  # fmt: skip
    slug, offset = _text(stride, _STRIDE.size)
    session_name, _ = _text(stride, offset)
    window = record[_AT.size + (_SCOPE_BYTES if scope else 0) :]
    if strides:
        watch_ms, credited_ms = watch_ms + reached - position, credited_ms + reached - position
        unique_cells += stride_tail_after - tail_after
        position, since_us, playing = reached, time_us, 1
        if seq_after > seq_before:
            seq_base, window = _add_seqs(seq_before, seq_after, seq_base, window)
    return Current(
        UserRecord(
            watch_ms, effective_ms + stride_effective_ms, unique_cells, events + strides,
            movies, ids_swept_us, active_us, appended,
        ),
        slug.decode(),
        *_pair_at(stride, record),
        session_name.decode(),
        SessionRecord(
            position - 1 if position else None, time_us or None, since_us or None, playing > 0, speed,
            credited_ms, seq_after - 1 if seq_after else None, seq_base, window,
        ),
    )  # fmt: skip


def _add_seqs(first: int, after: int, base: int, window: bytes) -> tuple[int, bytes]:
    """Where the window begins, and the window, with all `seq` from `first` to before `after`.

    As `lua/include/sequence.lua` has them.
    """
    seen = int.from_bytes(window, "little") | ((1 << (after - first)) - 1) << (first - base)
    passed = max(0, (after - SEQ_WINDOW - base) // 8)
    seen, base = seen >> 8 * passed, base + 8 * passed
    while seen & 255 == 255:
        seen, base = seen >> 8, base + 8
    return base, seen.to_bytes((seen.bit_length() + 7) // 8, "little")


def _text(record: bytes, offset: int) -> tuple[bytes, int]:
    (length,) = _LENGTH.unpack_from(record, offset)
    end = offset + _LENGTH.size + length
    return record[offset + _LENGTH.size : end], end


def with_tail(bitmap: bytes, first: int, after: int) -> bytes:
    """The bitmap with the cells [first, after)."""
    if after == first:
        return bitmap
    size = max(len(bitmap), -(-after // 8))
    ones = (1 << (after - first)) - 1 << (size * 8 - after)
    return (int.from_bytes(bitmap.ljust(size, b"\0")) | ones).to_bytes(size)
