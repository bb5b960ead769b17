"""Runs are read in two ways; the plain one knows the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.counters import packing
from service.events.event import Event
from tests.integration.bench import varied

if TYPE_CHECKING:
    from collections.abc import Callable


def unpack_through_plain(run: bytes) -> list[Event]:
    """What `unpack` gives, made of what `unpack_plain` gives."""
    plain = packing.unpack_plain(run)
    users, movies = [name.decode() for name in plain.users], [slug.decode() for slug in plain.movies]
    events = []
    for event in plain.events:
        (
            user, movie, kind, at_ms, time_us, received_us, timed, session,
            seq, identity, from_ms, speed, segments, duration_ms,
        ) = event  # fmt: skip
        events.append(
            Event(
                users[user],
                movies[movie],
                kind,
                at_ms,
                time_us,
                received_us,
                bool(timed),
                session.decode(),
                seq,
                None if identity is None else identity.decode(),
                from_ms,
                speed,
                segments,
                duration_ms,
            )
        )
    return events


def result_of(read: Callable[[bytes], list[Event]], run: bytes) -> list[Event] | None:
    """None where it cannot be read."""
    try:
        return read(run)
    except Exception:
        return None


@pytest.mark.parametrize("seed", range(5))
def test_both_ways_read_the_same(seed: int) -> None:
    """Every kind, with all fields and with none, and awkward names."""
    bare = [Event("ann", "dune", "heartbeat", number, number, number) for number in range(3)]
    events = [*varied(seed, 200), *bare]
    assert unpack_through_plain(packing.pack(events)) == packing.unpack(packing.pack(events)) == events


def test_both_ways_read_the_same_of_what_is_broken() -> None:
    """Cut off anywhere, or with any byte turned around."""
    run = packing.pack(varied(1, 12))
    cut = [run[:size] for size in range(len(run))]
    turned = [run[:place] + bytes([run[place] ^ 255]) + run[place + 1 :] for place in range(len(run))]
    for broken in (*cut, *turned):
        assert result_of(unpack_through_plain, broken) == result_of(packing.unpack, broken)
