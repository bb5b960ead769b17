"""What each operation asks of the key or token that is shown: fields at the root are operations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.types.field import StrawberryField

from service import metrics
from service.access.keyring import Scope
from service.access.people import Action
from service.api.context import PERSON
from service.api.persons import demand

if TYPE_CHECKING:
    from strawberry import Info


class Guarded(FieldExtension):
    """As the door of REST's calls. Raises NotAllowed."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def resolve_async(
        self, next_: Callable[..., Awaitable[Any]], source: Any, info: Info, **given: Any
    ) -> Any:
        context = info.context
        context.demand(self._scope)
        if self._scope is Scope.ADMIN and (person := context.request.get(PERSON)):
            demand(person, Action.ADMINISTER)
        metrics.GRAPHQL_OPERATIONS.labels(info.field_name).inc()
        found = next_(source, info, **given)
        return await found if isawaitable(found) else found


Operation = Callable[[Callable[..., Any]], StrawberryField]
"""Makes an operation of what answers it."""


def reads(graphql_type: Any) -> Operation:
    return _operation(Scope.READ, graphql_type)


def ingests(graphql_type: Any) -> Operation:
    return _operation(Scope.INGEST, graphql_type)


def administers(graphql_type: Any) -> Operation:
    return _operation(Scope.ADMIN, graphql_type)


def _operation(scope: Scope, graphql_type: Any) -> Operation:
    made: Any = strawberry.field(extensions=[Guarded(scope)], graphql_type=graphql_type)
    return made  # type: ignore[no-any-return]
