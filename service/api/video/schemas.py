"""The shapes of answers to players, for their description; `shapes` writes them, and tests hold one to the other."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from service.api.courses.schemas import FieldRejection, Moment  # noqa: TC001 - pydantic reads annotations
from service.api.schemas import Answer, Count, EffectiveSeconds, Problem, Seconds, UniqueSeconds, WatchSeconds

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
        Seconds, Field(description="where the user was last; 0 where nothing was watched")
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


class ReportProblem(Problem):
    """Nothing of the body could be read."""

    rejected: list[FieldRejection]


class SyncProblem(Problem):
    """Nothing of the body was done."""

    sessions: list[SyncedReport]
