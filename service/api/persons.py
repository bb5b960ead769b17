"""What a person whose token was taken may do here. Who shows an API key, or has to show nothing, is no person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.access.keyring import Scope
from service.access.people import Action, Role, may
from service.api.calls import Whose
from service.api.context import COURSES, PERSON
from service.errors import Forbidden
from service.events.rejection import Rejection

if TYPE_CHECKING:
    from aiohttp import web

    from service.access.people import Person
    from service.api.calls import Call
    from service.events.event import Event

ACTIONS = {Scope.INGEST: Action.WRITE, Scope.READ: Action.READ, Scope.ADMIN: Action.ADMINISTER}


async def permit(person: Person, call: Call, request: web.Request) -> None:
    """Raises Forbidden, before what is asked for is looked up: the answer does not tell who is known here."""
    match call.whose:
        case Whose.USERS_IN_PATH:
            await demand_user(request, request.match_info["user"], ACTIONS[call.scope or Scope.READ])
        case Whose.PLAYHEADS:
            demand(person, Action.ADMINISTER)


async def demand_user(request: web.Request, user: str, action: Action = Action.READ) -> None:
    """Raises Forbidden where what is this user's is not for who asks; a manager's teams are looked into."""
    person = request.get(PERSON)
    if person is None or may(person, action, user):
        return
    is_manager = person.role is Role.MANAGER and action is Action.READ and person.teams
    demand(person, action, user, await request.app[COURSES].teams.of(user) if is_manager else frozenset())


def demand(
    person: Person, action: Action, user: str | None = None, user_teams: frozenset[str] = frozenset()
) -> None:
    """Raises Forbidden where `may` says no."""
    if may(person, action, user, user_teams):
        return
    if action is Action.ADMINISTER or user is None:
        raise Forbidden("missing_role", "only who has the role admin may do this")
    raise Forbidden("foreign_user", f"the user of this token may not {action} what is another user's")


def refuse_foreign(request: web.Request, decoded: list[Event | Rejection], first_index: int = 0) -> None:
    """Put a rejection in the place of each event that is not for whoever sends it to say."""
    # Where nobody is asked nothing is noted of a request: that is seen in half the time of a look for a person.
    if len(request) == 0 or (person := request.get(PERSON)) is None:
        return
    users = {item.user for item in decoded if not isinstance(item, Rejection)}
    foreign = {user for user in users if not may(person, Action.WRITE, user)}
    if not foreign:
        return
    for place, item in enumerate(decoded):
        if not isinstance(item, Rejection) and item.user in foreign:
            detail = "user: got another user's name, expected that of the token (sub)"
            decoded[place] = Rejection(first_index + place, "user", "foreign_user", detail)
