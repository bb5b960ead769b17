"""What a user's record holds beside its totals: the pair of its last event, which nearly every read of a pair is of.

The twin of `lua/include/records.lua` and `read_coverage` in `lua/include/coverage.lua`.
"""

from __future__ import annotations

from struct import Struct

from service.counters.records import PAIR_BYTES, TOTALS_BYTES, PairRecord, UserRecord

_LENGTH = Struct(">H")
_TAIL = Struct(">II")


def totals_of(record: bytes) -> UserRecord:
    return UserRecord.unpack(record[:TOTALS_BYTES])


def pair_of(record: bytes, slug: str, bitmap: bytes) -> tuple[PairRecord, bytes] | None:
    """The pair and its coverage, where the user's last event was of this movie; `bitmap` is what is stored of it."""
    if len(record) == TOTALS_BYTES:
        return None
    at, offset = _text(record, TOTALS_BYTES)
    if at != slug.encode():
        return None
    _session, offset = _text(record, offset)
    tail = offset + PAIR_BYTES
    return PairRecord.unpack(record[offset:tail]), _with_tail(bitmap, *_TAIL.unpack_from(record, tail))


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
