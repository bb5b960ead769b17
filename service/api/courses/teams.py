"""Calls about teams and their members."""

from __future__ import annotations

from aiohttp import web

from service import clock
from service.api.context import COURSES
from service.api.courses import shapes
from service.api.courses.bodies import MembersBody, TeamBody
from service.api.courses.messages import answer, name_in_path, read_body
from service.api.courses.readers import demand_team
from service.api.paging import limit_of, names_after, spell_names
from service.api.problems import answering
from service.errors import NotFound
from service.limits import TEAM_CHARS_MAX, USER_CHARS_MAX


@answering
async def put_team(request: web.Request) -> web.StreamResponse:
    team = _team(request)
    body = await read_body(request, TeamBody)
    return answer(shapes.team(await request.app[COURSES].teams.put(team, body.title, clock.now_us())))


@answering
async def get_team(request: web.Request) -> web.StreamResponse:
    team = _team(request)
    demand_team(request, team)
    return answer(shapes.team(await request.app[COURSES].teams.get(team)))


@answering
async def delete_team(request: web.Request) -> web.StreamResponse:
    await request.app[COURSES].teams.delete(_team(request))
    return web.Response(status=204)


@answering
async def get_teams(request: web.Request) -> web.StreamResponse:
    limit, (after,) = limit_of(request), names_after(request, 1)
    found = await request.app[COURSES].teams.page(limit + 1, after)
    following = spell_names([found[limit - 1].team]) if len(found) > limit else None
    return answer(shapes.page([shapes.team(team) for team in found[:limit]], following))


@answering
async def get_members(request: web.Request) -> web.StreamResponse:
    team = _team(request)
    demand_team(request, team)
    limit, (after,) = limit_of(request), names_after(request, 1)
    found = await request.app[COURSES].teams.members(team, limit + 1, after)
    following = spell_names([found[limit - 1]]) if len(found) > limit else None
    return answer({"items": found[:limit], "next_cursor": following})


@answering
async def add_members(request: web.Request) -> web.StreamResponse:
    team = _team(request)
    body = await read_body(request, MembersBody)
    return answer({"added": await request.app[COURSES].teams.add(team, body.users)})


@answering
async def remove_member(request: web.Request) -> web.StreamResponse:
    team, user = _team(request), name_in_path(request, "user", USER_CHARS_MAX)
    if not await request.app[COURSES].teams.remove(team, user):
        raise NotFound(f"user {user!r} is no member of a team {team!r}")
    return web.Response(status=204)


def _team(request: web.Request) -> str:
    return name_in_path(request, "team", TEAM_CHARS_MAX)
