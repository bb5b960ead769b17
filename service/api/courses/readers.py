"""Who may read what of courses, of the persons who show a token, beside what is a user's (`service.api.persons`).

Servers with an API key are no persons: their scopes said it at the door.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.access.people import Action, Role, may
from service.api.context import PERSON
from service.api.persons import demand
from service.errors import Forbidden

if TYPE_CHECKING:
    from aiohttp import web


def demand_team(request: web.Request, team: str) -> None:
    """Raises Forbidden where it is not a team that who asks manages."""
    person = request.get(PERSON)
    if person is None or may(person, Action.ADMINISTER, None):
        return
    if person.role is not Role.MANAGER or team not in person.teams:
        raise Forbidden("missing_role", "only who manages this team, or has the role admin, may do this")


def demand_admin(request: web.Request) -> None:
    """Raises Forbidden to all who have not that role."""
    if (person := request.get(PERSON)) is not None:
        demand(person, Action.ADMINISTER)
