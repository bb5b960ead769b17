"""What resolvers have of a request: who asks, and what is read once for all that it asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

from graphql import OperationType

from service.access.people import Action, Role
from service.api.context import COURSES, GATE, PERSON
from service.api.graphql.loading import Loading
from service.api.persons import demand_user
from service.errors import BadRequest, Forbidden
from service.limits import GRAPHQL_ITEMS_MAX
from service.moving.reading import Within

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiohttp import web

    from service.access.keyring import Scope
    from service.moving.writing import MayWrite

POSTED = frozenset({OperationType.QUERY, OperationType.MUTATION})
GOTTEN = frozenset({OperationType.QUERY})
STREAMED = frozenset({OperationType.SUBSCRIPTION})


@dataclass
class Context:
    """`takes` are the kinds of operations that may come this way; `shown` is the key or token that no header has."""

    request: web.Request
    takes: frozenset[OperationType]
    shown: str | None = None
    connection_params: object = field(default=None, repr=False)
    is_checked: bool = False
    """Whether its one operation was found good already."""
    _items: int = field(default=0, init=False)

    @property
    def app(self) -> web.Application:
        return self.request.app

    @cached_property
    def loading(self) -> Loading:
        return Loading(self.app)

    def forget(self) -> None:
        """Something was written: what was read before may be otherwise now."""
        self.__dict__.pop("loading", None)

    def spend(self, items: int) -> None:
        """So many more are in the answer. Raises BadRequest where they are too many."""
        self._items += items
        if self._items > GRAPHQL_ITEMS_MAX:
            detail = (
                f"the answer has more than {GRAPHQL_ITEMS_MAX} items: ask for less, or with a smaller limit"
            )
            raise BadRequest(400, "too_costly", detail)

    def begin(self) -> None:
        """Another answer of a connection's: nothing that was read for those before is told again."""
        self.forget()
        self._items = 0

    def demand(self, scope: Scope) -> None:
        """Raises NotAllowed."""
        if gate := self.app.get(GATE):
            gate.demand(self.request, scope, self.shown)

    @property
    def may_write(self) -> MayWrite:
        return partial(demand_user, self.request, action=Action.WRITE)

    @property
    def person(self) -> str | None:
        """Who asks; None where that is a server, or anybody."""
        person = self.request.get(PERSON)
        return person.user if person else None

    @property
    def only_user(self) -> str | None:
        """Of whom alone a learner may read anything; None of others."""
        person = self.request.get(PERSON)
        return person.user if person and person.role is Role.LEARNER else None

    @property
    def only_within(self) -> Within | None:
        """Of whom alone a manager may; None of others."""
        person = self.request.get(PERSON)
        if person is None or person.role is not Role.MANAGER:
            return None
        return Within(person.user, tuple(person.teams))

    async def may_read(self, user: str) -> bool:
        try:
            await demand_user(self.request, user)
        except Forbidden:
            return False
        return True

    async def readable(self, users: Collection[str]) -> set[str]:
        """Of whom of these who asks may read."""
        person = self.request.get(PERSON)
        if person is None or person.role is Role.ADMIN:
            return set(users)
        own = {person.user} & set(users)
        if person.role is not Role.MANAGER or not person.teams:
            return own
        return own | await self.app[COURSES].teams.those_in(users, person.teams)
