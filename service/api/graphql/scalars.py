"""Scalars that GraphQL has not got."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NewType

import strawberry
from graphql import GraphQLError

from service.events.quantities import microseconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from strawberry.types.scalar import ScalarDefinition

Long = NewType("Long", int)
Time = NewType("Time", object)
AwsDateTime = NewType("AwsDateTime", str)


def _whole(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int):
        raise GraphQLError("expected a whole number")
    return given


def _time(given: Any) -> str | float:
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise GraphQLError("expected a time: RFC 3339 with offset, or a number of seconds since 1970")
    return given


def _date_time(given: Any) -> str:
    """Raises GraphQLError for what is no time with an offset."""
    try:
        if isinstance(given, str):
            microseconds(given)
            return given
    except (ValueError, OverflowError):
        pass
    raise GraphQLError("expected a time as RFC 3339 with offset, like 2026-03-01T10:00:00.000Z")


SCALARS: Mapping[object, ScalarDefinition] = {
    Long: strawberry.scalar(
        name="Long", description="A whole number, up to 2^53.", serialize=int, parse_value=_whole
    ),
    Time: strawberry.scalar(
        name="Time",
        description="A moment: RFC 3339 with offset, or a number of seconds since 1970.",
        serialize=lambda given: given,
        parse_value=_time,
    ),
    AwsDateTime: strawberry.scalar(
        name="AWSDateTime",
        description="A moment, as RFC 3339 with offset.",
        serialize=str,
        parse_value=_date_time,
    ),
}
