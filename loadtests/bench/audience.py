"""What viewers send: each goes forward through a movie, few movies are hot, some viewers seek.

Simpler than `playhead simulate`, since millions of events are made before each turn. Seeded: every system is sent the
same story. An event is made as a tuple, and spelled by the system that gets it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

HEARTBEAT_MS = 10_000
MOVIES = 1000
MOVIE_MS = 5_400_000
SEEK_FRACTION = 0.03
LEAVE_FRACTION = 0.01
"""Of events: one that begins another movie, in a session of its own."""


class Moment(NamedTuple):
    """An event; positions in ms. `from_ms` is where a seek came from. An empty session or id, a `seq` of 0: none."""

    user: str
    slug: str
    session: str
    seq: int
    kind: str
    at_ms: int
    from_ms: int | None = None
    id: str = ""


@dataclass(slots=True)
class Playback:
    """One viewer's latest; `number` counts the viewer's playbacks."""

    slug: str
    session: str
    number: int
    at_ms: int
    seq: int = 0


def as_json(moment: Moment) -> bytes:
    """As a player writes it. Names hold nothing that JSON would escape."""
    came_from = "" if moment.from_ms is None else f',"from":{moment.from_ms / 1000:.3f}'
    session = f',"session":"{moment.session}"' if moment.session else ""
    seq = f',"seq":{moment.seq}' if moment.seq else ""
    identity = f',"id":"{moment.id}"' if moment.id else ""
    return (
        f'{{"user":"{moment.user}","slug":"{moment.slug}","at":{moment.at_ms / 1000:.3f},"kind":"{moment.kind}"'
        f"{came_from}{session}{seq}{identity}}}"
    ).encode()


def audience(
    viewers: int = 20_000, seed: int = 1, *, movies: int = MOVIES, name: str = "v"
) -> Iterator[Moment]:
    """Rounds of all viewers without end: a heartbeat each, or what else happens.

    Each keeps its place in the round, as a player that says something every 10 s does: two events of one viewer are
    never under way at the same moment.
    `name` begins the names of users, so that two audiences are of different people.
    """
    chance = Random(seed)
    heat = list(accumulate(1 / (rank + 1) for rank in range(movies)))
    slugs = [f"movie-{number:05}" for number in range(movies)]

    def opened(number: int, session: int) -> Playback:
        """Somewhere in a movie: those who watch now did not begin at the same moment."""
        slug = chance.choices(slugs, cum_weights=heat)[0]
        return Playback(slug, f"{name}{number:x}-{session}", session, chance.randrange(MOVIE_MS // 2))

    playing = [opened(number, 1) for number in range(viewers)]
    order = list(range(viewers))
    chance.shuffle(order)
    while True:
        for number in order:
            player, dice = playing[number], chance.random()
            if dice < LEAVE_FRACTION or player.at_ms > MOVIE_MS:
                player = playing[number] = opened(number, player.number + 1)
            player.seq += 1
            user, from_ms = f"{name}-{number:07}", player.at_ms
            if dice > 1 - SEEK_FRACTION:
                player.at_ms = chance.randrange(MOVIE_MS)
                yield Moment(user, player.slug, player.session, player.seq, "seek", player.at_ms, from_ms)
            else:
                player.at_ms += HEARTBEAT_MS
                yield Moment(user, player.slug, player.session, player.seq, "heartbeat", from_ms)


def strangers(name: str = "s", movies: int = MOVIES) -> Iterator[Moment]:
    """The worst case: every event is of a user and a pair never seen."""
    number = 0
    while True:
        slug = f"movie-{number % movies:05}"
        yield Moment(f"{name}-{number:09}", slug, f"{name}{number:x}", 1, "heartbeat", number % MOVIE_MS)
        number += 1
