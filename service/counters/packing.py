"""Runs: events of one partition packed into one binary string, for the script and for the stream.

    header    users, movies, events: how many of each, 2 bytes
    users     name                                      movies    slug
    events    user, movie: places, 2 bytes; kind, timed, at_ms, from_ms, speed, duration_ms, time_us, received_us, seq,
              session, id, segments

And names alone, of counters that are asked for or erased:

    header    users, movies, pairs, sessions: how many of each, 2 bytes
    users     name                                      movies    slug
    pairs     user, movie: places, 2 bytes              sessions  pair: place, 2 bytes; name

Integers are unsigned and big-endian, strings are UTF-8 behind a length of 2 bytes. `speed`, `duration_ms` and `seq` are
one more than they say, with 0 for none (`speed` has no 0 and needs no such shift). `lua/include/run.lua` reads both;
the flusher reads them back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import TYPE_CHECKING

from service.events.event import CUT, KINDS, Event

if TYPE_CHECKING:
    from collections.abc import Iterable

_RUN = Struct(">3H")
_NAMES = Struct(">4H")
_SHORT = Struct(">H")
_TWO = Struct(">HH")
_EVENT = Struct(">HHBBIIHIQQQH")
_SEGMENT = Struct(">II")

_KINDS = {**dict(enumerate(KINDS)), 255: CUT}
_KIND_NUMBERS = {kind: number for number, kind in _KINDS.items()}
_TAKES_FROM = frozenset(("segment", "seek"))

RUN, EVENT, KIND_NAMES, TAKES_FROM = _RUN, _EVENT, _KINDS, _TAKES_FROM
"""For `workers.copying`, which reads runs past `unpack` and Event."""

NEITHER = b"\0\0\0\0"
"""In the place of id and segments: there are none."""


@dataclass(slots=True)
class Names:
    """Names of counters. Places are those of insertion."""

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


def pack(events: Iterable[Event]) -> bytes:
    """A run of these events, in this order."""
    users: dict[str, int] = {}
    movies: dict[str, int] = {}
    packed = [_pack_event(event, users, movies) for event in events]
    header = _RUN.pack(len(users), len(movies), len(packed))
    return b"".join((header, *map(_text, users), *map(_text, movies), *packed))


def unpack(run: bytes) -> list[Event]:
    """The events of a run, in their order."""
    users, movies, events = _RUN.unpack_from(run)
    names, offset = _read_texts(run, _RUN.size, users)
    slugs, offset = _read_texts(run, offset, movies)
    unpacked = []
    for _ in range(events):
        event, offset = _read_event(run, offset, names, slugs)
        unpacked.append(event)
    return unpacked


def pack_names(names: Names) -> bytes:
    return b"".join(
        (
            _NAMES.pack(len(names.users), len(names.movies), len(names.pairs), len(names.sessions)),
            *map(_text, names.users),
            *map(_text, names.movies),
            *(_TWO.pack(user, movie) for user, movie in names.pairs),
            *(_SHORT.pack(pair) + _text(session) for pair, session in names.sessions),
        )
    )


def read_names(packed: bytes) -> Names:
    users, movies, pairs, sessions = _NAMES.unpack_from(packed)
    names = Names()
    user_names, offset = _read_texts(packed, _NAMES.size, users)
    slugs, offset = _read_texts(packed, offset, movies)
    names.users = {name: place for place, name in enumerate(user_names)}
    names.movies = {slug: place for place, slug in enumerate(slugs)}
    for place in range(pairs):
        user, movie = _TWO.unpack_from(packed, offset)
        names.pairs[user, movie] = place
        offset += _TWO.size
    for place in range(sessions):
        (pair,) = _SHORT.unpack_from(packed, offset)
        name, offset = _read_text(packed, offset + _SHORT.size)
        names.sessions[pair, name] = place
    return names


def _pack_event(event: Event, users: dict[str, int], movies: dict[str, int]) -> bytes:
    # Taken apart at once: asking for each field by its name costs half as much as the rest.
    (
        user,
        slug,
        kind,
        at_ms,
        time_us,
        received_us,
        timed,
        session,
        seq,
        identity,
        from_ms,
        speed,
        segments,
        duration_ms,
    ) = event
    named = session.encode()
    fixed = _EVENT.pack(
        users.setdefault(user, len(users)),
        movies.setdefault(slug, len(movies)),
        _KIND_NUMBERS[kind],
        timed,
        at_ms,
        from_ms or 0,
        speed or 0,
        0 if duration_ms is None else duration_ms + 1,
        time_us,
        received_us,
        0 if seq is None else seq + 1,
        len(named),
    )
    if identity is None and not segments:
        return fixed + named + NEITHER
    spans = (_SEGMENT.pack(*span) for span in segments)
    return b"".join((fixed, named, _text(identity or ""), _SHORT.pack(len(segments)), *spans))


def _read_event(run: bytes, offset: int, names: list[str], slugs: list[str]) -> tuple[Event, int]:
    user, movie, kind, timed, at_ms, from_ms, speed, duration, time_us, received_us, seq, session_bytes = (
        _EVENT.unpack_from(run, offset)
    )
    offset += _EVENT.size
    end = offset + session_bytes
    session = run[offset:end].decode()
    identity: str | None = None
    segments: tuple[tuple[int, int], ...] = ()
    if run[end : end + 4] == NEITHER:
        end += 4
    else:
        identity, segments, end = read_rest(run, end)
    name = _KINDS[kind]
    return Event(
        names[user],
        slugs[movie],
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


def read_rest(run: bytes, offset: int) -> tuple[str | None, tuple[tuple[int, int], ...], int]:
    """The id of an event and its segments, and where it ends."""
    identity, offset = _read_text(run, offset)
    (count,) = _SHORT.unpack_from(run, offset)
    start = offset + _SHORT.size
    end = start + count * _SEGMENT.size
    return identity or None, tuple(_SEGMENT.iter_unpack(run[start:end])), end


def _text(text: str) -> bytes:
    encoded = text.encode()
    return _SHORT.pack(len(encoded)) + encoded


def _read_text(packed: bytes, offset: int) -> tuple[str, int]:
    (length,) = _SHORT.unpack_from(packed, offset)
    offset += _SHORT.size
    return packed[offset : offset + length].decode(), offset + length


def _read_texts(packed: bytes, offset: int, count: int) -> tuple[list[str], int]:
    texts = []
    for _ in range(count):
        text, offset = _read_text(packed, offset)
        texts.append(text)
    return texts, offset
