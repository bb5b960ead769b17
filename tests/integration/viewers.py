"""Viewers whose sessions send events of every kind, made so that the end does not depend on whose event comes first.

Each viewer has a session of its own in each pair, and no two events happen at the same time: what a session credits
depends on its own events alone, coverage is a union, totals are sums, `latest` goes by time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

USERS, MOVIES = 6, 4
MOVIE_SECONDS = 7200
START_S = 1_780_000_000
"""Some time in the past: what lies in the future would count as now."""


class Viewer:
    """One connection's playback of every pair, each in a session of its own."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self._session = f"s{number}"
        self._chance = chance
        self._positions: dict[tuple[str, str], int] = {}

    def next(self, number: int) -> dict[str, Any]:
        chance = self._chance
        pair = (f"user {chance.randrange(USERS)}", f"movie {chance.randrange(MOVIES)}")
        before = self._positions.get(pair, 0)
        position = (before + chance.choice((5, 10, 10, 10, 29, 31, 400))) % MOVIE_SECONDS
        self._positions[pair] = position
        event = event_at(number, *pair, position, self._session)
        match chance.random():
            case share if share < 0.6:
                return event
            case share if share < 0.8:
                return {**event, "kind": "segment", "from": max(0, position - 7.25)}
            case share if share < 0.85:
                return {**event, "kind": "seek", "from": before}
            case share if share < 0.9:
                return {**event, "kind": "rate", "speed": chance.choice((0.5, 1.25, 2))}
            case share if share < 0.95:
                return {**event, "kind": chance.choice(("play", "pause", "end", "mark", "load"))}
        return {**event, "kind": "claim", "segments": [[0, 3.5], [before, before + 9.9]]}


def event_at(number: int, user: str, slug: str, at: float, session: str) -> dict[str, Any]:
    """A tenth of a second after the one before: no two events happen at once."""
    return {
        "user": user,
        "slug": slug,
        "at": at,
        "session": session,
        "id": f"e{number}",
        "ts": START_S + number / 10,
    }
