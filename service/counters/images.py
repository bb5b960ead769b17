"""All that is known of a user: what is put back into Redis, and what the audit compares with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from service.counters import coverage, keys, scripts
from service.counters.records import PairRecord, SessionRecord
from service.limits import SEQ_WINDOW
from service.rules.model import Counters, Pair, Totals
from service.rules.session import Session


@dataclass(slots=True)
class UserImage:
    """A user's pairs by slug, with their sessions, and when each remembered id was received, in us."""

    name: str
    pairs: dict[str, Pair] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)


class Put(NamedTuple):
    """What a user's image is put into Redis with.

    `appended` is how many events of the partition are in it, or were before Redis counted on; 0 where Postgres has a
    snapshot of it all.
    """

    active_us: int
    appended: int
    ids_kept_us: int


def put_user(partition: int, token: str, image: UserImage, put: Put) -> scripts.Call:
    """The call that puts the image in the place of what Redis holds of that user.

    Refused once another recovery than the one of this token has the partition.
    """
    return "put_user", [keys.log(partition)], [token, *_spell(image, put)]


def admit(partition: int, given: bytes, image: UserImage, put: Put) -> scripts.Call:
    """The call that brings an evicted user back, unless somebody has left the partition since the pass was given."""
    return "admit", [keys.log(partition)], [given, *_spell(image, put)]


def _spell(image: UserImage, put: Put) -> list[str | bytes | int]:
    """As `lua/include/images.lua` reads it."""
    ids_kept_ms = put.ids_kept_us // 1000 + 1
    arguments: list[str | bytes | int] = [
        image.name,
        put.active_us,
        put.appended,
        ids_kept_ms,
        len(image.ids),
    ]
    for identity, received_us in image.ids.items():
        arguments += (received_us, identity)
    arguments.append(len(image.pairs))
    for slug, pair in image.pairs.items():
        arguments += (slug, record_of(pair).pack(), coverage.bitmap_of(pair.seen), len(pair.sessions))
        arguments.append(len(pair.scopes))
        for name, session in pair.sessions.items():
            arguments += (name, session_record_of(session).pack())
        for scope, counters in pair.scopes.items():
            record = scope_record_of(counters, scope)
            arguments += (scope, record.pack(), coverage.bitmap_of(counters.seen))
    return arguments


def record_of(pair: Pair) -> PairRecord:
    return scope_record_of(pair, pair.scope)


def scope_record_of(counters: Counters, scope: int) -> PairRecord:
    return PairRecord(
        counters.totals.watch_ms,
        counters.totals.effective_ms,
        counters.totals.unique_cells,
        counters.totals.events,
        counters.implausible_ms,
        counters.verified_cells,
        counters.furthest_ms,
        counters.latest_ms or 0,
        counters.latest_us or 0,
        scope,
    )


def pair_of(record: PairRecord, bitmap: bytes) -> Pair:
    """The other way round, still without sessions and scopes."""
    pair = Pair(scope=record.scope)
    _fill(pair, record, bitmap)
    return pair


def counters_of(record: PairRecord, bitmap: bytes) -> Counters:
    """Of one scope."""
    counters = Counters()
    _fill(counters, record, bitmap)
    return counters


def _fill(counters: Counters, record: PairRecord, bitmap: bytes) -> None:
    counters.totals = Totals(record.watch_ms, record.effective_ms, record.unique_cells, record.events)
    counters.latest_ms = record.latest_ms if record.latest_us else None
    counters.latest_us = record.latest_us or None
    counters.furthest_ms = record.furthest_ms
    counters.implausible_ms = record.implausible_ms
    counters.seen = coverage.seen_of(bitmap)


def session_record_of(session: Session) -> SessionRecord:
    base, window = _window_of(session)
    return SessionRecord(
        session.position_ms,
        session.time_us,
        session.since_us,
        session.playing,
        session.speed,
        session.credited_ms,
        session.seq_max,
        base,
        window,
    )


def session_of(record: SessionRecord) -> Session:
    return Session(
        record.position_ms,
        record.time_us,
        record.since_us,
        record.playing,
        record.speed,
        record.credited_ms,
        record.seq_max,
        _seqs_of(record),
    )


def _window_of(session: Session) -> tuple[int, bytes]:
    """The bitmap from the oldest hole on, in whole bytes, as `lua/include/sequence.lua` keeps it."""
    if session.seq_max is None:
        return 0, b""
    base = max(0, session.seq_max - SEQ_WINDOW + 1) // 8 * 8
    size = session.seq_max - base + 1
    rising = _mirrored(session.seqs, size)
    bits = rising.to_bytes(-(-size // 8), "little")
    full = len(bits) - len(bits.lstrip(b"\xff"))
    return base + full * 8, bits[full:]


def _seqs_of(record: SessionRecord) -> int:
    if record.seq_max is None:
        return 0
    passed = record.seq_base - max(0, record.seq_max - SEQ_WINDOW + 1)
    window = int.from_bytes(record.seq_window, "little")
    rising = window << passed | (1 << passed) - 1 if passed > 0 else window >> -passed
    return _mirrored(rising, min(record.seq_max + 1, SEQ_WINDOW))


def _mirrored(bits: int, size: int) -> int:
    """The lowest `size` bits in the other order: the rules count back from `seq_max`, the Lua up from the base."""
    return int(f"{bits:0{size}b}"[::-1], 2)
