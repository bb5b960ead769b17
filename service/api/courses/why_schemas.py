"""The shapes of answers about what attempts have and why, for their description."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from service.api.courses.schemas import Attempt, Moment
from service.api.schemas import Answer

Seconds = Annotated[float, Field(ge=0)]
WholeSeconds = Annotated[int, Field(ge=0)]
Spans = Annotated[list[tuple[int, int]], Field(description="seconds of the video, as half-open spans")]
Session = Annotated[str, Field(description="empty: without a name")]


class LiveLesson(Answer):
    """What an attempt has of one video of a lesson at this moment."""

    lesson: str
    revision: Annotated[int, Field(ge=1)]
    slug: Annotated[str, Field(description="the movie")]
    current: Annotated[bool, Field(description="whether it is the video that the lesson has now")]
    duration_seconds: float
    unique_seconds: Annotated[WholeSeconds, Field(description="that count: seen or credited")]
    needed_seconds: Annotated[WholeSeconds, Field(description="how many complete it")]
    still_needed_seconds: WholeSeconds
    verified_seconds: Annotated[
        WholeSeconds, Field(description="how far it is covered from second 0 without a hole")
    ]
    watch_seconds: Annotated[Seconds, Field(description="content time played")]
    effective_seconds: Annotated[Seconds, Field(description="wall time that took")]
    implausible_seconds: Annotated[Seconds, Field(description="of it what the clock does not allow")]
    started_at: Annotated[Moment | None, Field(description="when it was first watched, or credited")]
    last_viewed_at: Moment | None
    completed_at: Moment | None


class AttemptWithLiveLessons(Attempt):
    """One go of a user at a course, and what it has of each lesson; its own dates are some seconds behind."""

    lessons: list[LiveLesson]


class CreditedSession(Answer):
    credit: int
    session: Session
    first_at: Moment
    last_at: Moment
    unique_seconds: WholeSeconds
    coverage: Spans


class SkippedSeek(Answer):
    """A seek past the stretch that was covered from second 0 by then."""

    session: Session
    from_seconds: Seconds
    to_seconds: Seconds
    limit_seconds: Annotated[Seconds, Field(description="how far seeking was free then")]
    verdict: Literal["allowed", "blocked", "flagged"]
    happened: Annotated[bool, Field(description="whether the player went there, whatever was decided")]
    skip: Annotated[bool, Field(description="whether it went past the limit by more than 5 s")]
    reason: Annotated[str | None, Field(description="what the player says of it")]
    at: Moment


class ImplausibleSession(Answer):
    session: Session
    reason: Annotated[
        Literal["faster_than_clock", "parallel_playback"],
        Field(
            description="more was played than the time between two events allows at that speed; or another session of"
            " the same user played at the same time"
        ),
    ]
    implausible_seconds: Seconds
    coverage: Spans
    first_at: Annotated[Moment, Field(description="of the session's first event in the attempt")]
    last_at: Moment


class SpeedSections(Answer):
    speed: Annotated[float, Field(gt=0)]
    watch_seconds: Seconds
    effective_seconds: Seconds
    coverage: Spans


class LessonWhy(LiveLesson):
    """And why it has that. Live, but for `implausible` and `speeds`, which are some seconds behind."""

    covered: Annotated[Spans, Field(description="seen during the attempt, or credited")]
    missing: Spans
    credited: Annotated[list[CreditedSession], Field(description="which sessions gave what")]
    skipped: list[SkippedSeek]
    implausible: Annotated[list[ImplausibleSession], Field(description="it counts all the same")]
    speeds: Annotated[list[SpeedSections], Field(description="which sections were watched at which speed")]


class AttemptWhy(Attempt):
    """One go of a user at a course, argued second by second."""

    lessons: list[LessonWhy]
