"""The calls about teams, as they are described."""

from __future__ import annotations

from service.access.keyring import Scope
from service.api.calls import CURSOR, LIMIT, Answer, Call, Whose
from service.api.courses import teams
from service.api.courses.bodies import MembersBody, TeamBody
from service.api.courses.described import (
    ALWAYS,
    BAD_NAME,
    BAD_PAGE,
    MOMENT,
    NO_TEAM,
    TEAM,
    USER,
    json_body,
    reading_failures,
    unknown,
)
from service.api.courses.schemas import (
    Added,
    MemberPage,
    Team,
    TeamPage,
)

TEAM_ANSWER = {"team": "warehouse", "title": "Warehouse", "created_at": MOMENT}

TEAM_CALLS = (
    Call(
        "GET",
        "/v1/teams",
        teams.get_teams,
        "get_teams",
        "teams",
        "All teams, by name",
        (
            Answer(200, "A page.", (TeamPage,), example={"items": [TEAM_ANSWER], "next_cursor": None}),
            BAD_PAGE,
            *ALWAYS,
        ),
        scope=Scope.READ,
        parameters=(LIMIT, CURSOR),
    ),
    Call(
        "PUT",
        "/v1/teams/{team:[^/]+}",
        teams.put_team,
        "put_team",
        "teams",
        "Make a team, or rename it",
        (Answer(200, "The team.", (Team,), example=TEAM_ANSWER), *reading_failures(), *ALWAYS),
        scope=Scope.ADMIN,
        description="Its members stay.",
        parameters=(TEAM,),
        bodies=json_body(TeamBody, "a team", {"title": "Warehouse"}),
        models=(TeamBody,),
    ),
    Call(
        "GET",
        "/v1/teams/{team:[^/]+}",
        teams.get_team,
        "get_team",
        "teams",
        "A team",
        (Answer(200, "The team.", (Team,), example=TEAM_ANSWER), BAD_NAME, NO_TEAM, *ALWAYS),
        scope=Scope.READ,
        whose=Whose.USERS_WITHIN,
        parameters=(TEAM,),
    ),
    Call(
        "DELETE",
        "/v1/teams/{team:[^/]+}",
        teams.delete_team,
        "delete_team",
        "teams",
        "Delete a team",
        (Answer(204, "Its members are in it no more, and untouched otherwise."), BAD_NAME, NO_TEAM, *ALWAYS),
        scope=Scope.ADMIN,
        parameters=(TEAM,),
    ),
    Call(
        "GET",
        "/v1/teams/{team:[^/]+}/members",
        teams.get_members,
        "get_members",
        "teams",
        "Who belongs to a team, by name",
        (
            Answer(200, "A page.", (MemberPage,), example={"items": ["ann", "bob"], "next_cursor": None}),
            BAD_PAGE,
            NO_TEAM,
            *ALWAYS,
        ),
        scope=Scope.READ,
        whose=Whose.USERS_WITHIN,
        parameters=(TEAM, LIMIT, CURSOR),
    ),
    Call(
        "POST",
        "/v1/teams/{team:[^/]+}/members",
        teams.add_members,
        "add_members",
        "teams",
        "Add users to a team",
        (Answer(200, "Done.", (Added,), example={"added": 2}), *reading_failures(), NO_TEAM, *ALWAYS),
        scope=Scope.ADMIN,
        description="Whoever belongs to it already, still does.",
        parameters=(TEAM,),
        bodies=json_body(MembersBody, "two users", {"users": ["ann", "bob"]}),
        models=(MembersBody,),
    ),
    Call(
        "DELETE",
        "/v1/teams/{team:[^/]+}/members/{user:[^/]+}",
        teams.remove_member,
        "remove_member",
        "teams",
        "Remove a user from a team",
        (
            Answer(204, "The user is in it no more."),
            BAD_NAME,
            unknown("user 'ann' is no member of a team 'warehouse'"),
            *ALWAYS,
        ),
        scope=Scope.ADMIN,
        parameters=(TEAM, USER),
    ),
)
