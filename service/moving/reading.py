"""What clients read in the old shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.moving.ids import lesson_of
from service.moving.queries import query

if TYPE_CHECKING:
    from service.courses.database import Database
    from service.courses.watching.watched import Watched


class Reading:
    def __init__(self, database: Database, watched: Watched) -> None:
        self._database = database
        self._watched = watched

    async def named(self, user_lesson_id: str) -> tuple[str, str, str, int] | None:
        """User, lesson, slug and duration in ms of an old id; None where it is none."""
        lesson, user = lesson_of(user_lesson_id) or (None, None)
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(query("select_named_lesson"), user_lesson_id, lesson, user)
        return tuple(row) if row else None
