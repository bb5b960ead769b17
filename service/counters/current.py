"""What a user's record holds beside its totals: the pair of its last event, which nearly every read of a pair is of.

The twin of `lua/include/records.lua` and `read_coverage` in `lua/include/coverage.lua`.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from service.counters.records import PAIR_BYTES, TOTALS_BYTES, PairRecord, SessionRecord, UserRecord

if TYPE_CHECKING:
    from collections.abc import Collection

_LENGTH = Struct(">H")
_TAIL = Struct(">II")
_PAIR_AND_TAIL = Struct(">5QIIIQIII")


class State(NamedTuple):
    """Of a pair and its one session that is asked about; `session` is None where none is, or it has no state."""

    pair: PairRecord
    coverage: bytes
    session: SessionRecord | None


def totals_of(record: bytes) -> UserRecord:
    return UserRecord.unpack(record[:TOTALS_BYTES])


def pair_of(record: bytes, slug: str, bitmap: bytes) -> tuple[PairRecord, bytes] | None:
    """The pair and its coverage, where the user's last event was of this movie; `bitmap` is what is stored of it."""
    found = _at(record, slug)
    if found is None:
        return None
    _session, offset = found
    tail = offset + PAIR_BYTES
    return PairRecord.unpack(record[offset:tail]), _with_tail(bitmap, *_TAIL.unpack_from(record, tail))


def state_of(record: bytes, slug: str, sessions: Collection[str], bitmap: bytes) -> State | None:
    """All that there is of the pair and these sessions; None where the user's record does not hold all of it.

    It does where the user's last event was of this movie and session, and the pair was never cut.
    """
    found = _at(record, slug)
    if found is None:
        return None
    at, offset = found
    *pair, first, after = _PAIR_AND_TAIL.unpack_from(record, offset)
    told = PairRecord(*pair)
    if told.scope or (sessions and [session.encode() for session in sessions] != [at]):
        return None
    session = SessionRecord.unpack(record[offset + _PAIR_AND_TAIL.size :]) if sessions else None
    return State(told, _with_tail(bitmap, first, after), session if session and session.time_us else None)


def _at(record: bytes, slug: str) -> tuple[bytes, int] | None:
    """The session of the user's last event, and where its pair begins; None where that was of another movie."""
    if len(record) == TOTALS_BYTES:
        return None
    at, offset = _text(record, TOTALS_BYTES)
    return _text(record, offset) if at == slug.encode() else None


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
