"""A crowd whose counters come out the same in whatever order its connections are served.

Two kinds of users make sure of that:

- Users who belong to one connection. It sends their events one request after the other, so they arrive in the order in
  which they were made, and any kind of event will do. They share their movies with everybody, and a movie's totals are
  sums, which don't care for order.
- Users whom all connections share, on the same few pairs and in the same nameless session. They send segments only:
  each is worth exactly its own span, whatever came before. Each has a time of its own, so that one of them is the
  latest; and none is longer than the tolerance, so that none is implausible beside whichever came before it.

A tenth is sent twice under the same id. An owner's repeat comes from the same connection, later; a shared user's from
the next connection, which may well be the first to arrive: the two say the same.
"""

from __future__ import annotations

import random
from itertools import count
from operator import itemgetter
from typing import TYPE_CHECKING

from tests.api.client import Document, event

if TYPE_CHECKING:
    from collections.abc import Iterator

START_S = 1_700_000_000
MOVIES = ("dune", "arrival", "a/b:c {p3}", "Amélie 🎬")
SHARED_USERS = ("everybody", "somebody", "Zoë 🎬")
SHARED_FRACTION = 0.4
REPEATED_FRACTION = 0.1
LENGTH_S = 9000


def make_crowd(connections: int, events: int, seed: int) -> tuple[list[list[Document]], list[list[Document]]]:
    """The events that each connection makes, and what it sends: those, and the repeats among them."""
    draw, moments = random.Random(seed), count(START_S)
    made = [_stream(draw, connection, events // connections, moments) for connection in range(connections)]
    sent = [_strewn(draw, stream, made[connection - 1]) for connection, stream in enumerate(made)]
    return made, sent


def _strewn(draw: random.Random, own: list[Document], neighbours: list[Document]) -> list[Document]:
    """These events in their order, each owner's repeat somewhere behind it, and a neighbour's shared ones anywhere."""
    placed = [(float(place), one) for place, one in enumerate(own)]
    placed += [
        (place + draw.uniform(0.1, 500), one)
        for place, one in _repeated(own)
        if one["user"] not in SHARED_USERS
    ]
    placed += [
        (draw.uniform(0, len(own)), one) for _, one in _repeated(neighbours) if one["user"] in SHARED_USERS
    ]
    return [one for _, one in sorted(placed, key=itemgetter(0))]


def _repeated(stream: list[Document]) -> Iterator[tuple[int, Document]]:
    return ((place, one) for place, one in enumerate(stream) if "id" in one)


def _stream(draw: random.Random, connection: int, events: int, moments: Iterator[int]) -> list[Document]:
    """`moments` gives each shared event a second of its own; an owner's go on by their own clock."""
    own = [_watch(draw, f"user {connection}-{number}") for number in range(2)]
    stream = []
    for number in range(events):
        sent = _segment(draw, next(moments)) if draw.random() < SHARED_FRACTION else next(draw.choice(own))
        if draw.random() < REPEATED_FRACTION:
            sent["id"] = f"{connection}-{number}"
        stream.append(sent)
    return stream


def _segment(draw: random.Random, moment_s: int) -> Document:
    start = draw.randrange(LENGTH_S * 1000) / 1000
    return event(
        user=draw.choice(SHARED_USERS),
        slug=draw.choice(MOVIES),
        kind="segment",
        from_=start,
        at=round(start + draw.randrange(10_001) / 1000, 3),
        speed=draw.choice((None, 1, 1.25, 2)),
        ts=moment_s,
    )


def _watch(draw: random.Random, user: str) -> Iterator[Document]:
    """A restless viewer: plays on, stops, jumps, changes speed and movie, and now and then tells of something late."""
    time_s, position = START_S, 0.0
    while True:
        slug, session = draw.choice(MOVIES), draw.choice((None, "tv", "phone"))
        for _ in range(draw.randrange(1, 30)):
            time_s += draw.randrange(1, 12)
            before, position = position, (position + draw.randrange(20_000) / 1000) % LENGTH_S
            if draw.random() < 0.05:
                position = draw.randrange(LENGTH_S)
            late_s = draw.randrange(60) if draw.random() < 0.05 else 0
            yield event(
                user=user,
                slug=slug,
                session=session,
                at=round(position, 3),
                ts=time_s - late_s,
                **_doing(draw, round(before, 3), round(position, 3)),
            )


def _doing(draw: random.Random, before: float, position: float) -> Document:
    kind = draw.choice(
        ("heartbeat",) * 10 + ("play", "pause", "end", "seek", "rate", "segment", "claim", "mark", "load")
    )
    match kind:
        case "seek" | "segment":
            return {"kind": kind, "from_": before}
        case "rate":
            return {"kind": kind, "speed": draw.choice((0.5, 1, 1.5, 1.75))}
        case "claim":
            return {"kind": kind, "segments": [[0, before], [before, position]]}
        case _:
            return {"kind": kind}
