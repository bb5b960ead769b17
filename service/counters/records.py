"""The records that `lua/include/records.lua` writes, read by Python."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

_TOTALS = Struct(">8Q")
_PAIR = Struct(">5QIIIQI")
_SESSION = Struct(">IQQBHQQQ")
_MOVIE = Struct(">5Q")

TOTALS_BYTES, PAIR_BYTES = _TOTALS.size, _PAIR.size


class UserRecord(NamedTuple):
    """`active_us` is when its last event was received, `appended` how many events its partition had by then."""

    watch_ms: int
    effective_ms: int
    unique_cells: int
    events: int
    movies: int
    ids_swept_us: int = 0
    active_us: int = 0
    appended: int = 0

    @classmethod
    def unpack(cls, record: bytes) -> Self:
        return cls(*_TOTALS.unpack(record))


class PairRecord(NamedTuple):
    """`latest_us` is 0 while nothing but `load` has come; `latest_ms` then means nothing.

    `scope` is the pair's current one. What was played in one scope alone has the same record, with its own number.
    """

    watch_ms: int
    effective_ms: int
    unique_cells: int
    events: int
    implausible_ms: int
    verified_cells: int
    furthest_ms: int
    latest_ms: int
    latest_us: int
    scope: int = 0

    @classmethod
    def unpack(cls, record: bytes) -> Self:
        return cls(*_PAIR.unpack(record))

    def pack(self) -> bytes:
        return _PAIR.pack(*self)


class SessionRecord(NamedTuple):
    """None where the Lua says "none". `seq_window` is a bitmap from `seq_base` on, lowest bit of a byte first."""

    position_ms: int | None
    time_us: int | None
    since_us: int | None
    playing: bool
    speed: int
    credited_ms: int
    seq_max: int | None
    seq_base: int
    seq_window: bytes

    @classmethod
    def unpack(cls, record: bytes) -> Self:
        position, time_us, since_us, playing, speed, credited_ms, seq_max, seq_base = _SESSION.unpack_from(
            record
        )
        return cls(
            position - 1 if position else None,
            time_us or None,
            since_us or None,
            bool(playing),
            speed,
            credited_ms,
            seq_max - 1 if seq_max else None,
            seq_base,
            record[_SESSION.size :],
        )

    def pack(self) -> bytes:
        return (
            _SESSION.pack(
                0 if self.position_ms is None else self.position_ms + 1,
                self.time_us or 0,
                self.since_us or 0,
                self.playing,
                self.speed,
                self.credited_ms,
                0 if self.seq_max is None else self.seq_max + 1,
                self.seq_base,
            )
            + self.seq_window
        )


class MovieRecord(NamedTuple):
    """A movie's totals, or one partition's share of them: shares add up."""

    watch_ms: int = 0
    effective_ms: int = 0
    unique_cells: int = 0
    viewers: int = 0
    events: int = 0

    @classmethod
    def unpack(cls, record: bytes) -> Self:
        return cls(*_MOVIE.unpack(record))

    def pack(self) -> bytes:
        return _MOVIE.pack(*self)

    @classmethod
    def sum_of(cls, shares: Iterable[bytes]) -> Self:
        return cls(*map(sum, zip(*_MOVIE.iter_unpack(b"".join(shares)), strict=True)))

    def plus(self, other: MovieRecord) -> MovieRecord:
        return MovieRecord(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))
