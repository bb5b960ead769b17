"""What a person whose token was taken may do here. Who shows an API key, or has to show nothing, is no person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.access.keyring import Scope
from service.access.people import Action, may
from service.api.calls import Whose
from service.api.context import PERSON
from service.errors import Forbidden
from service.events.rejection import Rejection

if TYPE_CHECKING:
    from aiohttp import web

    from service.access.people import Person
    from service.api.calls import Call
    from service.events.event import Event

ACTIONS = {Scope.INGEST: Action.WRITE, Scope.READ: Action.READ, Scope.ADMIN: Action.ADMINISTER}


def permit(person: Person, call: Call, request: web.Request) -> None:
    """Raises Forbidden, before anything is looked up: the answer does not tell who is known here."""
    action = ACTIONS[call.scope or Scope.READ]
    match call.whose:
        case Whose.USERS_IN_PATH:
            demand(person, action, request.match_info["user"])
        case Whose.PLAYHEADS:
            demand(person, Action.ADMINISTER)


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
