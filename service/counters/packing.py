"""Runs: events of one partition packed into one binary string, for the script and for the stream.

    header    users, movies, pairs, sessions, events: how many of each, 2 bytes
    users     name                                      movies    slug
    pairs     user, movie: places, 2 bytes              sessions  pair: place, 2 bytes; name
    events    session: place; kind, timed, at_ms, from_ms, speed, duration_ms, time_us, received_us, seq, id, segments

Integers are unsigned and big-endian, strings are UTF-8 behind a length of 2 bytes. `speed`, `duration_ms` and `seq` are
one more than they say, with 0 for none (`speed` has no 0 and needs no such shift). `lua/include/run.lua` and
`lua/apply.lua` read it; the flusher reads it back with `unpack`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import TYPE_CHECKING

from service.events.event import KINDS, Event

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEADER = Struct(">5H")
_SHORT = Struct(">H")
_TWO = Struct(">HH")
_EVENT = Struct(">HBBIIHIQQQH")
_SEGMENT = Struct(">II")

_KIND_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}
_TAKES_FROM = frozenset(("segment", "seek"))


@dataclass(slots=True)
class Names:
    """The tables of a run. Places are those of insertion."""

    users: dict[str, int] = field(default_factory=dict)
    movies: dict[str, int] = field(default_factory=dict)
    pairs: dict[tuple[int, int], int] = field(default_factory=dict)
    sessions: dict[tuple[int, str], int] = field(default_factory=dict)

    def place_pair(self, user: str, slug: str) -> int:
        users, movies, pairs = self.users, self.movies, self.pairs
        return pairs.setdefault(
            (users.setdefault(user, len(users)), movies.setdefault(slug, len(movies))), len(pairs)
        )

    def named_pairs(self) -> list[tuple[str, str]]:
        """User and slug of each pair, in the order of their places."""
        users, slugs = list(self.users), list(self.movies)
        return [(users[user], slugs[movie]) for user, movie in self.pairs]

    def place_session(self, user: str, slug: str, session: str) -> int:
        return self.sessions.setdefault((self.place_pair(user, slug), session), len(self.sessions))

    def pack(self, events: int) -> list[bytes]:
        parts = [_HEADER.pack(len(self.users), len(self.movies), len(self.pairs), len(self.sessions), events)]
        parts += [_text(user) for user in self.users]
        parts += [_text(slug) for slug in self.movies]
        parts += [_TWO.pack(user, movie) for user, movie in self.pairs]
        parts += [_SHORT.pack(pair) + _text(session) for pair, session in self.sessions]
        return parts


def pack(events: Iterable[Event]) -> tuple[bytes, Names]:
    """A run of these events, in this order, and the names it holds."""
    names = Names()
    packed = [_pack_event(event, names) for event in events]
    return b"".join((*names.pack(len(packed)), *packed)), names


def pack_names(names: Names) -> bytes:
    """A run without events: only names somebody."""
    return b"".join(names.pack(0))


def read_names(run: bytes) -> Names:
    """The names that a run holds."""
    return _read_names(run)[0]


def unpack(run: bytes) -> list[Event]:
    """The events of a run, in their order."""
    names, offset, events = _read_names(run)
    pairs = names.named_pairs()
    sessions = [(*pairs[pair], session) for pair, session in names.sessions]
    unpacked = []
    for _ in range(events):
        event, offset = _read_event(run, offset, sessions)
        unpacked.append(event)
    return unpacked


def _read_names(run: bytes) -> tuple[Names, int, int]:
    """The names, where the first event begins, and how many there are."""
    users, movies, pairs, sessions, events = _HEADER.unpack_from(run)
    names, offset = Names(), _HEADER.size
    user_names, offset = _read_texts(run, offset, users)
    slugs, offset = _read_texts(run, offset, movies)
    names.users = {name: place for place, name in enumerate(user_names)}
    names.movies = {slug: place for place, slug in enumerate(slugs)}
    for place in range(pairs):
        user, movie = _TWO.unpack_from(run, offset)
        names.pairs[user, movie] = place
        offset += _TWO.size
    for place in range(sessions):
        (pair,) = _SHORT.unpack_from(run, offset)
        name, offset = _read_text(run, offset + _SHORT.size)
        names.sessions[pair, name] = place
    return names, offset, events


def _pack_event(event: Event, names: Names) -> bytes:
    identity = b"" if event.id is None else event.id.encode()
    fixed = _EVENT.pack(
        names.place_session(event.user, event.slug, event.session),
        _KIND_NUMBERS[event.kind],
        event.timed,
        event.at_ms,
        event.from_ms or 0,
        event.speed or 0,
        0 if event.duration_ms is None else event.duration_ms + 1,
        event.time_us,
        event.received_us,
        0 if event.seq is None else event.seq + 1,
        len(identity),
    )
    if not event.segments:
        return fixed + identity + b"\0\0"
    return b"".join(
        (
            fixed,
            identity,
            _SHORT.pack(len(event.segments)),
            *(_SEGMENT.pack(*span) for span in event.segments),
        )
    )


def _read_event(run: bytes, offset: int, sessions: list[tuple[str, str, str]]) -> tuple[Event, int]:
    place, kind, timed, at_ms, from_ms, speed, duration, time_us, received_us, seq, id_bytes = (
        _EVENT.unpack_from(run, offset)
    )
    offset += _EVENT.size
    identity = run[offset : offset + id_bytes].decode() if id_bytes else None
    offset += id_bytes
    (count,) = _SHORT.unpack_from(run, offset)
    offset += _SHORT.size
    end = offset + count * _SEGMENT.size
    segments = tuple(_SEGMENT.iter_unpack(run[offset:end])) if count else ()
    user, slug, session = sessions[place]
    name = KINDS[kind]
    return Event(
        user,
        slug,
        name,
        at_ms,
        time_us,
        received_us,
        bool(timed),
        session,
        seq - 1 if seq else None,
        identity,
        from_ms if name in _TAKES_FROM else None,
        speed or None,
        segments,
        duration - 1 if duration else None,
    ), end


def _text(text: str) -> bytes:
    encoded = text.encode()
    return _SHORT.pack(len(encoded)) + encoded


def _read_text(run: bytes, offset: int) -> tuple[str, int]:
    (length,) = _SHORT.unpack_from(run, offset)
    offset += _SHORT.size
    return run[offset : offset + length].decode(), offset + length


def _read_texts(run: bytes, offset: int, count: int) -> tuple[list[str], int]:
    texts = []
    for _ in range(count):
        text, offset = _read_text(run, offset)
        texts.append(text)
    return texts, offset
