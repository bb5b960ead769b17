"""Teams and their members."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.errors import NotFound
from tests.courses.school import NOW

if TYPE_CHECKING:
    from service.courses.store import Courses


async def test_a_team_is_put_renamed_and_listed(courses: Courses) -> None:
    for team in ("b", "a", "c"):
        await courses.teams.put(team, "Team", NOW)
    assert (await courses.teams.put("a", "Lager ❄", NOW + 5)).created_us == NOW
    assert (await courses.teams.get("a")).title == "Lager ❄"
    assert [team.team for team in await courses.teams.page(2)] == ["a", "b"]
    assert [team.team for team in await courses.teams.page(2, "b")] == ["c"]


async def test_members_are_added_once_and_listed_by_name(courses: Courses) -> None:
    await courses.teams.put("a", "Team", NOW)
    assert await courses.teams.add("a", ["zoe", "ann", "ann", "bob"]) == 3
    assert await courses.teams.add("a", ["ann", "eve"]) == 1
    await courses.teams.put("a", "Renamed", NOW)
    assert await courses.teams.members("a", 3) == ["ann", "bob", "eve"]
    assert await courses.teams.members("a", 3, "eve") == ["zoe"]
    assert [await courses.teams.remove("a", "bob") for _ in range(2)] == [True, False]
    assert await courses.teams.members("a", 10) == ["ann", "eve", "zoe"]


async def test_a_user_may_belong_to_several_teams(courses: Courses) -> None:
    for team in ("a", "b"):
        await courses.teams.put(team, "Team", NOW)
        await courses.teams.add(team, ["ann"])
    assert await courses.teams.of("ann") == {"a", "b"}
    await courses.teams.delete("a")
    assert await courses.teams.of("ann") == {"b"}
    assert await courses.teams.of("nobody") == frozenset()


async def test_a_team_that_is_none_has_no_members(courses: Courses) -> None:
    for call in (
        courses.teams.get("none"),
        courses.teams.delete("none"),
        courses.teams.add("none", ["ann"]),
        courses.teams.members("none", 5),
    ):
        with pytest.raises(NotFound):
            await call
