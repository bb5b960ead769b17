"""The shapes of answers, for their description; `service.api.shapes` writes them, and tests hold one to the other.

A docstring here is what readers of the interface see.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.events.wire import WireEvent
from service.limits import EVENTS_PER_BODY_MAX, PAGE_MAX

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, description="exact to the millisecond")]
WatchSeconds = Annotated[float, Field(ge=0, description="content time played; a replay counts again")]
EffectiveSeconds = Annotated[float, Field(ge=0, description="wall time that playing took")]
UniqueSeconds = Annotated[int, Field(ge=0, description="different seconds seen at least once")]


class Event(WireEvent):
    """One watch event. `user`, `slug` and `at` are all that the simplest source sends."""


EventList = Annotated[list[Event], Field(max_length=EVENTS_PER_BODY_MAX)]


class Answer(BaseModel):
    """Nothing but what is declared, so that a test notices a member that is not described."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Latest(Answer):
    """Where the most recent event was, and when."""

    at: Seconds
    updated_at: Annotated[str, Field(description="UTC", json_schema_extra={"format": "date-time"})]


class Pair(Answer):
    """One user on one movie."""

    user: str
    slug: str
    latest: Annotated[Latest | None, Field(description="where to resume; null while it was only opened")]
    furthest: Annotated[float, Field(ge=0, description="the highest position reached, in seconds")]
    verified: Annotated[int, Field(ge=0, description="seen from second 0 to here without a hole")]
    watch_seconds: WatchSeconds
    effective_seconds: EffectiveSeconds
    unique_seconds: UniqueSeconds
    implausible_seconds: Annotated[
        float, Field(ge=0, description="part of watch_seconds: more than the clock allowed")
    ]


class PairWithCoverage(Pair):
    """One user on one movie, and which seconds they have seen."""

    coverage: Annotated[
        list[tuple[int, int]],
        Field(
            description="the seen spans in ascending order, each [from, to) in seconds",
            examples=[[[0, 600], [4490, 4500]]],
        ),
    ]


class PairPage(Answer):
    """A page of pairs, latest first."""

    items: Annotated[list[Pair], Field(max_length=PAGE_MAX)]
    next_cursor: Annotated[
        str | None, Field(description="`cursor` of the page that follows; null on the last one")
    ]


class Movie(Answer):
    """A movie's totals over all of its viewers."""

    slug: str
    watch_seconds: WatchSeconds
    effective_seconds: EffectiveSeconds
    unique_seconds: Annotated[int, Field(ge=0, description="the sum over the movie's viewers")]
    viewers: Count
    events: Count


class User(Answer):
    """A user's totals over all of their movies."""

    user: str
    watch_seconds: WatchSeconds
    effective_seconds: EffectiveSeconds
    unique_seconds: Annotated[int, Field(ge=0, description="the sum over the user's movies")]
    movies: Count
    events: Count


class Removed(Answer):
    """What was held of the user."""

    movies: Count
    sessions: Count
    events: Count
    ids: Annotated[int, Field(ge=0, description="idempotency keys that were still remembered")]
    raw_events: Annotated[
        int | None, Field(ge=0, description="rows deleted from Postgres; null while that is still to come")
    ]


class Erasure(Answer):
    """A user who was erased, and what that removed."""

    user: str
    complete: Annotated[bool, Field(description="whether nothing is left in Postgres either")]
    erased: Annotated[Removed | None, Field(description="null where an earlier request began it")]


class Rejection(Answer):
    """An event that was refused, and why."""

    index: Annotated[int, Field(ge=0, description="its place among the request's events, from 0")]
    field: Annotated[str, Field(description="which field was wrong; empty for the event as a whole")]
    reason: Annotated[
        str,
        Field(
            pattern="^[a-z_]+$",
            description="a short word for programs",
            examples=["missing_field", "too_long"],
        ),
    ]
    detail: Annotated[str, Field(description="a sentence for people: what was wrong, what was expected")]


class Outcome(Answer):
    """What became of the events: each is in exactly one of the three."""

    accepted: Count
    duplicates: Annotated[int, Field(ge=0, description="known already, and changed nothing")]
    rejected: list[Rejection]


class SingleOutcome(Outcome):
    """What became of one event, and what its user's counters on its movie are now."""

    state: Pair


class Problem(Answer):
    """A failure (RFC 9457)."""

    type: Literal["about:blank"]
    title: Annotated[str, Field(description="the status in words")]
    status: Annotated[int, Field(ge=400, le=599)]
    reason: Annotated[
        str,
        Field(
            pattern="^[a-z_]+$",
            description="a short word for programs",
            examples=["not_found", "unavailable"],
        ),
    ]
    detail: Annotated[str, Field(description="a sentence for people")]


class EventsProblem(Problem, Outcome):
    """A failure of a request whose events were read: all rejected, or a body of lines that ended early."""


class Health(Answer):
    alive: Literal[True]


class Load(Answer):
    durable: Annotated[bool, Field(description="whether Redis keeps all that an answer promises")]
    warnings: Annotated[list[str], Field(description="what Redis promises less, in sentences")]
    queue_events: Annotated[int, Field(ge=0, description="waiting for Redis in this process")]
    backlog_events: Annotated[int, Field(ge=0, description="waiting in Redis for Postgres")]
    backlog_age_seconds: Annotated[float, Field(ge=0, description="age of the oldest of them")]


class Ready(Load):
    """An event would be accepted now."""

    ready: Literal[True]


class NotReady(Problem):
    """Redis does not answer."""

    ready: Literal[False]


class Overloaded(NotReady, Load):
    """As many events wait as may."""
