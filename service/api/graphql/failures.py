"""What went wrong, as GraphQL's `errors`: a sentence for people, and REST's reasons in `extensions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from graphql import GraphQLError

from service import metrics
from service.api.problems import members_of
from service.errors import NotAllowed, PlayheadError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

_log = structlog.get_logger()

INVALID = "invalid_query"


def refusal(reason: str, detail: str) -> GraphQLError:
    return GraphQLError(detail, extensions={"reason": reason})


def told(error: GraphQLError) -> GraphQLError:
    """As clients are told; of what nobody foresaw, only that it happened."""
    if "reason" in (error.extensions or {}):
        return error
    original = error.original_error
    while isinstance(original, GraphQLError):
        if "reason" in (original.extensions or {}):
            return _with(error, original.message, original.extensions or {})
        original = original.original_error
    if original is None:
        return _with(error, error.message, {"reason": INVALID})
    if isinstance(original, PlayheadError):
        _count(original)
        return _with(error, str(original), members_of(original))
    _log.error("graphql_failed", path=error.path, exc_info=original)
    return _with(error, "playhead failed to answer; its log says why", {"reason": "internal_error"})


def all_told(errors: Iterable[GraphQLError]) -> list[GraphQLError]:
    return [told(error) for error in errors]


def _count(failure: PlayheadError) -> None:
    if isinstance(failure, Unavailable):
        metrics.UNAVAILABLE.labels(type(failure).__name__).inc()
    elif isinstance(failure, NotAllowed):
        metrics.REFUSALS.labels(members_of(failure)["reason"]).inc()


def _with(error: GraphQLError, message: str, extensions: dict[str, object]) -> GraphQLError:
    """In the same place of the query and of the answer."""
    return GraphQLError(
        message, error.nodes, error.source, error.positions, error.path, extensions=extensions
    )
