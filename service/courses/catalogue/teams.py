"""Teams, and who belongs to them now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncpg import ForeignKeyViolationError

from service.courses.queries import query
from service.courses.rows import team_of
from service.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.courses.database import Database
    from service.courses.model import Team


class Teams:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, team: str, title: str, now_us: int) -> Team:
        """Its members stay as they are."""
        row = await self._database.row("upsert_team", team, title, now_us)
        assert row is not None
        return team_of(row)

    async def get(self, team: str) -> Team:
        """Raises NotFound."""
        row = await self._database.row("select_team", team)
        if row is None:
            raise _no_team(team)
        return team_of(row)

    async def page(self, limit: int, after: str = "") -> list[Team]:
        """By name, from after this one on."""
        return [team_of(row) for row in await self._database.rows("select_teams", after, limit)]

    async def delete(self, team: str) -> None:
        """Its members are untouched but for that. Raises NotFound."""
        async with self._database.transaction() as connection:
            if await connection.execute(query("delete_team"), team) == "DELETE 0":
                raise _no_team(team)

    async def add(self, team: str, users: Iterable[str]) -> int:
        """How many of these were no members. Raises NotFound for the team."""
        try:
            return len(await self._database.rows("insert_members", team, sorted(set(users))))
        except ForeignKeyViolationError:
            raise _no_team(team) from None

    async def remove(self, team: str, user: str) -> bool:
        """Whether the user was a member."""
        async with self._database.transaction() as connection:
            return await connection.execute(query("delete_member"), team, user) == "DELETE 1"

    async def members(self, team: str, limit: int, after: str = "") -> list[str]:
        """By name, from after this one on. Raises NotFound for the team."""
        await self.get(team)
        return [row["user_id"] for row in await self._database.rows("select_members", team, after, limit)]

    async def of(self, user: str) -> frozenset[str]:
        """The teams that the user belongs to."""
        rows = await self._database.rows("select_teams_of_user", user)
        return frozenset(row["team"] for row in rows)

    async def those_in(self, users: Iterable[str], teams: Iterable[str]) -> set[str]:
        """Which of these users belong to any of these teams."""
        rows = await self._database.rows("select_those_in_teams", list(users), list(teams))
        return {row["user_id"] for row in rows}


def _no_team(team: str) -> NotFound:
    return NotFound(f"there is no team {team!r}")
