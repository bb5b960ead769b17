"""Three users on both sides, as they are after an import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.moving.comparing import Comparison
from service.moving.model import Unit
from service.moving.old_side import OldPages
from service.moving.reading import Reading
from tests.courses.school import DAY_US, NOW, assign, put
from tests.moving.old_process import AS_SERVER

if TYPE_CHECKING:
    from service.moving.comparing import Difference
    from service.moving.old_api import OldApi
    from service.moving.old_side import OldSide
    from tests.courses.cinema import Cinema
    from tests.moving.old_process import OldProcess

USERS = ("ann", "bob", "cleo")
DUE = "2026-06-01T00:00:00Z"
DUE_US = NOW - 10 * 3_600_000_000 + 92 * DAY_US


class Both:
    """The same three users on both sides; Ann has watched half of the first lesson, Bob all of everything."""

    def __init__(self, cinema: Cinema, old: OldProcess, old_api: OldApi) -> None:
        self.cinema, self.old, self.old_api = cinema, old, old_api

    async def fill(self) -> None:
        await self.old.put_course("safety", intro=100, rules=60.5)
        await put(self.cinema.courses)
        for user in USERS:
            await self.old.assign("safety", user, "2026-03-01T10:00:00Z", DUE)
            await assign(self.cinema.courses, user, DUE_US)
            await self.cinema.level(user=user)
        async with self.cinema.courses.database.transaction() as connection:
            await connection.execute(
                "INSERT INTO user_courses SELECT 'uc ' || user_id || ' safety', course, user_id, NULL, $1"
                " FROM assignments",
                NOW,
            )
            await connection.execute(
                "INSERT INTO user_lessons SELECT 'ul ' || u.user_id || ' ' || l.lesson, u.user_course, l.lesson,"
                " u.user_id FROM user_courses AS u JOIN lessons AS l ON l.course = u.course"
            )
        await self.watch("ann", "intro", 50)
        await self.watch("bob", "intro", 100)
        await self.watch("bob", "rules", 60)

    async def watch(self, user: str, lesson: str, to_s: float) -> None:
        at = "2026-03-02T10:00:00Z"
        await self.cinema.play(f"{lesson}-v1", 0, to_s, user=user, at_us=NOW + DAY_US)
        done = to_s >= 0.95 * (100 if lesson == "intro" else 60.5)
        await self.old.connection.execute(
            """
            UPDATE "UserLesson" SET progress = $1, "maxProgress" = $1, "dateStarted" = $3::text::timestamptz,
                "dateLastViewed" = $3::text::timestamptz,
                status = CASE WHEN $4 THEN 'Completed' ELSE 'InProgress' END,
                "dateCompleted" = CASE WHEN $4 THEN $3::text::timestamptz END
            WHERE id = $2
            """,
            to_s,
            f"ul {user} {lesson}",
            at,
            done,
        )
        await self.old.connection.execute(
            """
            UPDATE "UserCourse" AS c SET "dateStarted" = $2::text::timestamptz,
                "dateLastViewed" = $2::text::timestamptz,
                status = CASE WHEN o.all_done THEN 'Completed' ELSE 'InProgress' END,
                "dateCompleted" = CASE WHEN o.all_done THEN $2::text::timestamptz END
            FROM (SELECT bool_and(status = 'Completed') AS all_done FROM "UserLesson" WHERE "user" = $1) AS o
            WHERE c."user" = $1
            """,
            user,
            at,
        )

    def comparison(self, side: OldSide | None = None, **changes: Any) -> Comparison:
        reading = Reading(self.cinema.courses.database, self.cinema.watching.watched)
        how = {"tolerance_us": 1_000_000, "settle_seconds": 0.0} | changes
        pages = side or OldPages(self.old_api, AS_SERVER, ["safety"])
        return Comparison(pages, reading, ["safety"], Unit.SECONDS, **how)

    async def differences(self, side: OldSide | None = None, **changes: Any) -> list[Difference]:
        return sorted([one async for one in self.comparison(side, **changes).differences()], key=str)

    async def change(self, table: str, user: str, **values: Any) -> None:
        for name, value in values.items():
            shown = f"{value!r}" if value is not None else "NULL"
            await self.old.connection.execute(
                f'UPDATE "{table}" SET "{name}" = {shown} WHERE "user" = \'{user}\''
            )
