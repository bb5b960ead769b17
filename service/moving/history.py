"""Where users were, point by point: the latest one live, those before it from the raw events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.moving.ids import SESSION_PREFIX
from service.moving.queries import query
from service.moving.reading import LAST_US

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from service.courses.database import Database
    from service.moving.model import UserLesson

_ORDINAL_MAX: Final = 2**15 - 1
_NUMBER_MAX: Final = 2**63 - 1


class EventPlace(NamedTuple):
    """Before which a list of events goes on."""

    received_us: int = LAST_US
    entry_ms: int = _NUMBER_MAX
    entry_seq: int = _NUMBER_MAX
    ordinal: int = _ORDINAL_MAX


NEWEST: Final = EventPlace()


class PastPoint(NamedTuple):
    """`place` is None of the one that is not kept yet."""

    point: str
    at_ms: int
    at_us: int
    place: EventPlace | None


class PointsAsked(NamedTuple):
    of: UserLesson
    limit: int
    before: EventPlace = NEWEST


class History:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def points(self, asked: Sequence[PointsAsked]) -> list[list[PastPoint]]:
        """Of each the latest ones first. Also those of before a renewal: in the old system they stayed, too."""
        found: list[list[PastPoint]] = [_live(one) for one in asked]
        for row in await self._rows(asked):
            place = row["place"] - 1
            point, points = _point(row), found[place]
            if points and points[0].place is None and point.at_us >= points[0].at_us:
                points.clear()  # it is kept by now
            points.append(point)
        return [points[: one.limit] for points, one in zip(found, asked, strict=True)]

    async def _rows(self, asked: Sequence[PointsAsked]) -> list[asyncpg.Record]:
        users, slugs = [one.of.user for one in asked], [one.of.slug for one in asked]
        places = map(list, zip(*(one.before for one in asked), strict=True))
        async with self._database.connection() as connection:
            return await connection.fetch(
                query("select_points"), users, slugs, *places, max(one.limit for one in asked)
            )


def _live(asked: PointsAsked) -> list[PastPoint]:
    of = asked.of
    if asked.before != NEWEST or of.last_viewed_us is None:
        return []
    return [PastPoint(f"{of.user_lesson}@{of.last_viewed_us}", of.progress_ms, of.last_viewed_us, None)]


def _point(row: asyncpg.Record) -> PastPoint:
    """One that came through the old mutation has the id by which both systems know it."""
    place = EventPlace(row["received_at"], row["entry_ms"], row["entry_seq"], row["ordinal"])
    is_old = row["event_id"] and row["session"].startswith(SESSION_PREFIX)
    name = row["event_id"] if is_old else "-".join(map(str, place[1:]))
    return PastPoint(name, row["at_ms"], row["happened_at"], place)
