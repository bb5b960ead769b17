"""The shapes of answers about credits, for their description."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from service.api.courses.bodies import CreditBody  # noqa: TC001 - pydantic reads annotations
from service.api.courses.schemas import AttemptWithLessons, Moment, NextCursor  # noqa: TC001 - as above
from service.api.schemas import Answer
from service.limits import PAGE_MAX


class Credit(Answer):
    """What an attempt was credited of one video of a lesson at one time; `unique_seconds` are how many seconds."""

    credit: Annotated[int | None, Field(description="its number, of all credits; null in a dry run")]
    attempt: int
    course: str
    user: str
    lesson: str
    revision: int
    unique_seconds: Annotated[int, Field(ge=0)]
    policy: Annotated[CreditBody, Field(description="the course's, as it was then")]
    since: Annotated[Moment, Field(description="the first moment of its window")]
    until: Annotated[Moment, Field(description="its end: the assignment")]
    created_at: Moment
    created_by: Annotated[str | None, Field(description="who showed the token; null where it was a server")]
    taken_back_at: Annotated[Moment | None, Field(description="since when it does not count")]
    taken_back_by: str | None
    withdrawn_completion_at: Annotated[
        Moment | None, Field(description="when the lesson was completed; that stood on this credit alone")
    ]


class CreditShare(Answer):
    """What one session gave to a credit, and no other one."""

    slug: str
    session: Annotated[str, Field(description="empty: without a name")]
    scope: Annotated[int, Field(ge=0, description="in which of the scopes of user and movie it counted")]
    first_at: Annotated[Moment, Field(description="the time of its first event")]
    last_at: Annotated[Moment, Field(description="the time of its last event")]
    unique_seconds: Annotated[int, Field(ge=1)]
    coverage: Annotated[list[tuple[int, int]], Field(description="the seconds, as half-open spans")]


class CreditWithShares(Credit):
    """A credit, and which sessions gave what."""

    shares: list[CreditShare]


class CreditPage(Answer):
    """A page of credits, the last one first."""

    items: Annotated[list[Credit], Field(max_length=PAGE_MAX)]
    next_cursor: NextCursor


class Given(Answer):
    """What was credited now, a lesson each, and the attempt as it is with that."""

    dry_run: bool
    unique_seconds: Annotated[int, Field(ge=0, description="that were credited now, of all lessons")]
    credits: list[CreditWithShares]
    attempt: AttemptWithLessons
