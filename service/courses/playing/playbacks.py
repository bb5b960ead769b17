"""What was watched by session, as viewings have it: some seconds behind the live counters."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from service.counters.coverage import seen_of
from service.courses.cells import all_of
from service.courses.model import cells_of
from service.db.digests import digest
from service.limits import HISTORY_VIEWINGS_MAX

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import asyncpg

    from service.courses.database import Database


@dataclass(frozen=True, slots=True)
class Played:
    """What one session played of a movie. `seen` has bit n for second n; those of `flagged` were played implausibly."""

    session: str
    first_us: int
    last_us: int
    watch_ms: int = 0
    effective_ms: int = 0
    seen: int = 0
    flagged: int = 0


@dataclass(frozen=True, slots=True)
class WatchedBefore:
    """A lesson of which something was watched while no attempt at it was open; by session, the latest first."""

    lesson: str
    course: str
    title: str
    duration_ms: int
    last_us: int
    sessions: tuple[Played, ...] = field(default=())

    @property
    def seen(self) -> int:
        """Of all sessions together, up to the video's end."""
        seen = 0
        for one in self.sessions:
            seen |= one.seen
        return seen & all_of(cells_of(self.duration_ms))


class Place(NamedTuple):
    """After which a page begins."""

    last_us: int
    lesson: str


class Playbacks:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_sessions(self, user: str, slug: str, sessions: Collection[str]) -> dict[str, Played]:
        """Of those of which anything is known yet. A session has all that it played, whichever attempts were open."""
        names = [digest(slug, session) for session in sessions]
        rows = await self._database.rows("select_played", user, digest(slug), names)
        return {one.session: one for one in _joined(map(_played, rows))}

    async def unassigned(self, user: str, limit: int, after: Place) -> list[WatchedBefore]:
        """Lessons, the one watched last first, from after this place on."""
        rows = await self._database.rows("select_unassigned_lessons", user, *after, limit)
        lessons, digests = [row["lesson"] for row in rows], [digest(row["slug"]) for row in rows]
        viewings = await self._database.rows(
            "select_unassigned_viewings", user, lessons, digests, HISTORY_VIEWINGS_MAX
        )
        by_lesson: dict[str, list[Played]] = {lesson: [] for lesson in lessons}
        for row in viewings:
            by_lesson[row["lesson"]].append(_played(row))
        return [replace(_before(row), sessions=tuple(_joined(by_lesson[row["lesson"]]))) for row in rows]


def _before(row: asyncpg.Record) -> WatchedBefore:
    return WatchedBefore(row["lesson"], row["course"], row["title"], row["duration_ms"], row["last_at"])


def _played(row: asyncpg.Record) -> Played:
    return Played(
        row["session"],
        row["first_at"],
        row["last_at"],
        row["watch_ms"],
        row["effective_ms"],
        seen_of(row["seen"]),
        seen_of(row["flagged"]),
    )


def _joined(found: Iterable[Played]) -> list[Played]:
    """One of each session, which may have gone on in another scope."""
    joined: dict[str, Played] = {}
    for one in found:
        known = joined.get(one.session)
        joined[one.session] = one if known is None else _sum(known, one)
    return list(joined.values())


def _sum(one: Played, other: Played) -> Played:
    return Played(
        one.session,
        min(one.first_us, other.first_us),
        max(one.last_us, other.last_us),
        one.watch_ms + other.watch_ms,
        one.effective_ms + other.effective_ms,
        one.seen | other.seen,
        one.flagged | other.flagged,
    )
