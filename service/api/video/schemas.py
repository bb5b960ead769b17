"""The shapes of answers to players, for their description; `shapes` writes them, and tests hold one to the other."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from service.api.courses.schemas import FieldRejection, Moment  # noqa: TC001 - pydantic reads annotations
from service.api.schemas import Answer, Count, EffectiveSeconds, Problem, Seconds, UniqueSeconds, WatchSeconds
from service.limits import HISTORY_VIEWINGS_MAX, PAGE_MAX, RECENT_SESSIONS_MAX

Policy = Annotated[
    Literal["block", "flag", "allow"] | None,
    Field(description="the course's, about seeking past what was watched; null while it is not assigned"),
]
AttemptId = Annotated[
    int | None,
    Field(description="the attempt that watching counts for; null while the course is not assigned"),
]
LimitSecond = Annotated[
    Seconds, Field(description="up to here the video was watched from its beginning without a gap")
]
Message = Annotated[str, Field(description="for people")]


class VideoAnswer(Answer):
    model_config = ConfigDict(strict=True, extra="forbid", alias_generator=to_camel)


class Started(VideoAnswer):
    """A session that was started."""

    session_id: str
    attempt_id: AttemptId
    is_assigned: bool
    resume_second: Annotated[
        Seconds,
        Field(
            description="where to go on: where the user was last in this attempt, within what may be sought to"
        ),
    ]
    stale_after_seconds: Annotated[
        int, Field(description="so long without a report or heartbeat, and the session is closed")
    ]
    message: Message


class Judged(VideoAnswer):
    """What was decided of a seek."""

    client_event_id: str | None
    from_second: Seconds
    to_second: Seconds
    allowed: Annotated[bool, Field(description="whether the player is to let it happen")]
    happened: Annotated[
        bool, Field(description="whether it did: as the player said, or else as it was decided")
    ]
    is_skip: Annotated[bool, Field(description="whether it happened, and went more than 5 s past the limit")]
    is_flagged: bool
    limit_second: LimitSecond
    reason: Annotated[
        Literal["within_limit", "not_assigned", "blocked", "flagged", "allowed"],
        Field(description="a short word for programs"),
    ]
    message: Message


class Reported(VideoAnswer):
    """What became of a report: each segment is in exactly one of the three."""

    session_id: str
    accepted: Annotated[Count, Field(description="segments that counted")]
    duplicates: Annotated[Count, Field(description="segments that had counted before")]
    rejected: Annotated[list[FieldRejection], Field(description="what could not be read, field by field")]
    seeks: Annotated[list[Judged], Field(description="in the order of the body")]


class Alive(VideoAnswer):
    """That the session was heard of."""

    session_id: str
    is_closed: Annotated[
        bool, Field(description="whether it is closed already; what is reported of it counts all the same")
    ]
    stale_after_seconds: int


class Session(VideoAnswer):
    """A session, and what was watched in it."""

    session_id: str
    user_id: str
    lesson_id: str
    attempt_id: AttemptId
    started_at: Moment
    closed_at: Annotated[Moment | None, Field(description="null while it is open")]
    closed_by: Annotated[
        Literal["client", "stale"] | None,
        Field(description="`stale`: nothing was heard of it any more, and `closedAt` is when it last was"),
    ]
    watch_seconds: WatchSeconds
    effective_seconds: EffectiveSeconds
    unique_seconds: UniqueSeconds


class Limit(VideoAnswer):
    """Whether a player may seek there."""

    session_id: str
    to_second: Seconds
    allowed: bool
    is_skip: Annotated[bool, Field(description="whether it would be one")]
    limit_second: LimitSecond
    policy: Policy
    reason: Literal["within_limit", "not_assigned", "blocked", "flagged", "allowed"]
    message: Message


class KeptSeek(VideoAnswer):
    """A seek past the limit."""

    from_second: Seconds
    to_second: Seconds
    limit_second: LimitSecond
    decision: Literal["allowed", "blocked", "flagged"]
    happened: bool
    is_skip: bool
    reason: Annotated[str | None, Field(description="in the player's words")]
    at: Moment


class Skips(VideoAnswer):
    """The seeks of a session past the limit. Those within it are free, and are not listed."""

    session_id: str
    user_id: str
    lesson_id: str
    skips: Annotated[Count, Field(description="those that happened, and went more than 5 s past it")]
    skipped_seconds: Annotated[
        Seconds, Field(description="how much of the video those jumped over, all together")
    ]
    blocked: Count
    flagged: Count
    seeks: list[KeptSeek]


class SyncedReport(VideoAnswer):
    """What became of the progress of one session."""

    session_id: Annotated[
        str | None, Field(description="null where the session could not be read or started")
    ]
    client_session_id: str | None
    attempt_id: AttemptId
    accepted: Count
    duplicates: Count
    rejected: list[FieldRejection]
    seeks: list[Judged]
    is_closed: bool
    reason: Annotated[
        str | None,
        Field(description="null where it was done; else why not, like `unavailable`: then send it again"),
    ]
    detail: Annotated[str | None, Field(description="the same, for people")]


class Synced(VideoAnswer):
    """What became of each session, in the order of the body."""

    sessions: list[SyncedReport]


Span = tuple[int, int]
Status = Literal["Assigned", "InProgress", "Completed"]
CoverageFraction = Annotated[float, Field(ge=0, le=1, description="of the video's seconds")]


class AttemptDates(VideoAnswer):
    """An attempt, and how far it has come."""

    attempt_id: int
    number: Annotated[int, Field(ge=1, description="of the user's attempts at the course")]
    status: Status
    overdue: bool
    opened_at: Moment
    due_at: Annotated[Moment | None, Field(description="the first moment that is too late; null: never")]
    started_at: Moment | None
    last_viewed_at: Moment | None
    completed_at: Moment | None
    closed_at: Annotated[Moment | None, Field(description="since when it stays as it is; null: it is open")]


class LessonProgress(VideoAnswer):
    """What an attempt has of a lesson's video at this moment."""

    duration_seconds: Seconds
    unique_seconds: Annotated[int, Field(ge=0, description="different seconds seen, or credited")]
    credited_seconds: Annotated[int, Field(ge=0, description="those that are credited only")]
    coverage_fraction: CoverageFraction
    needed_seconds: Annotated[int, Field(ge=0, description="how many complete the lesson")]
    still_needed_seconds: Count
    is_complete: bool
    completed_at: Annotated[Moment | None, Field(description="within seconds of its being complete")]
    limit_second: LimitSecond
    watch_seconds: WatchSeconds
    effective_seconds: EffectiveSeconds
    missing: Annotated[list[Span], Field(description="[from, to] in seconds: what was not seen")]


class Total(VideoAnswer):
    """All that the user ever watched of the lesson's video of now, whatever it counted for."""

    watch_seconds: WatchSeconds
    effective_seconds: EffectiveSeconds
    unique_seconds: UniqueSeconds
    furthest_second: Seconds
    latest_second: Annotated[Seconds, Field(description="where the user was last")]


class UserProgress(VideoAnswer):
    """How far a user is with a lesson."""

    user_id: str
    lesson_id: str
    course_id: str
    is_assigned: bool
    attempt: Annotated[AttemptDates | None, Field(description="the last one; null where there never was any")]
    progress: Annotated[
        LessonProgress | None, Field(description="of that attempt; null where it never had this lesson")
    ]
    sessions: Annotated[
        list[Session], Field(max_length=RECENT_SESSIONS_MAX, description="the last ones first")
    ]
    total: Total


class PlayedBefore(VideoAnswer):
    """What one session played of a lesson's video while no attempt at it was open."""

    session_id: Annotated[str, Field(description="empty for events that named no session")]
    first_viewed_at: Moment
    last_viewed_at: Moment
    watch_seconds: WatchSeconds
    unique_seconds: UniqueSeconds
    flagged_seconds: Annotated[int, Field(ge=0, description="those of them that were played implausibly")]


class WatchedBefore(VideoAnswer):
    """A lesson that was watched while no attempt at it was open."""

    lesson_id: str
    course_id: str
    title: str
    duration_seconds: Seconds
    watch_seconds: WatchSeconds
    effective_seconds: EffectiveSeconds
    unique_seconds: UniqueSeconds
    coverage_fraction: CoverageFraction
    last_viewed_at: Moment
    sessions: Annotated[
        list[PlayedBefore], Field(max_length=HISTORY_VIEWINGS_MAX, description="the last ones first")
    ]


class UnassignedHistory(VideoAnswer):
    """A page of what a user watched while it was not assigned, the lesson watched last first."""

    user_id: str
    items: Annotated[list[WatchedBefore], Field(max_length=PAGE_MAX)]
    next_cursor: Annotated[
        str | None, Field(description="`cursor` of the page that follows; null on the last one")
    ]


class MissingLesson(VideoAnswer):
    """What a lesson lacks to be complete."""

    lesson_id: str
    still_needed_seconds: Count
    missing: list[Span]


class IncompleteProblem(Problem):
    """What an attempt lacks to be complete."""

    lessons: list[MissingLesson]


class ReportProblem(Problem):
    """Nothing of the body could be read."""

    rejected: list[FieldRejection]


class SyncProblem(Problem):
    """Nothing of the body was done."""

    sessions: list[SyncedReport]
