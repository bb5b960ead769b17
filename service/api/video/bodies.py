"""What players write, and what it means inside. Wrong pieces of a list are kept apart, and do not spoil the others."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar, cast

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    WrapValidator,
    field_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from service import limits
from service.api.courses.bodies import LessonName, UserName, plain
from service.api.courses.messages import rejection
from service.courses.playing.seeks import Seek
from service.courses.playing.timing import Segment
from service.events.quantities import event_time_us, microseconds, thousandths
from service.events.wire import EXPECTED, TIME_MAX_US, TIME_MIN_US, Time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import ValidationInfo
    from pydantic_core import ErrorDetails

Item = TypeVar("Item", bound=BaseModel)


class Wrong(NamedTuple):
    """In the place of what could not be read."""

    errors: list[ErrorDetails]


def _kept_apart(value: Any, read: Callable[[Any], Any]) -> Any:
    try:
        return read(value)
    except ValidationError as invalid:
        return Wrong(invalid.errors(include_url=False))


def _time(given: object, _: object) -> str | float:
    """One reason for what is wrong, whichever of the two forms was meant."""
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise PydanticCustomError("wrong_type", "expected " + EXPECTED["ts"])
    try:
        us = microseconds(given)
    except (ValueError, OverflowError) as unreadable:
        message = "it is no time ({why}), expected " + EXPECTED["ts"]
        raise PydanticCustomError("invalid_time", message, {"why": str(unreadable)}) from None
    if not TIME_MIN_US <= us <= TIME_MAX_US:
        raise PydanticCustomError("out_of_range", "expected " + EXPECTED["ts"])
    return given


def _small(info: Any) -> Any:
    if not isinstance(info, dict | str):
        raise PydanticCustomError("wrong_type", "expected an object or a string")
    try:
        spelled = orjson.dumps(info)
    except TypeError:  # a number beyond 64 bits, or far too deep
        raise PydanticCustomError("out_of_range", "holds what cannot be stored") from None
    if len(spelled) > limits.CLIENT_INFO_BYTES_MAX:
        raise PydanticCustomError("too_long", f"takes more than {limits.CLIENT_INFO_BYTES_MAX} bytes")
    if rb"\u0000" in spelled:
        plain("\0")
    return info


Second = Annotated[float, Field(ge=0, le=limits.POSITION_MAX_S, allow_inf_nan=False)]
Speed = Annotated[float, Field(ge=limits.SPEED_MIN, le=limits.SPEED_MAX, allow_inf_nan=False)]
Moment = Annotated[Time, WrapValidator(_time)]
ClientId = Annotated[
    str, StringConstraints(min_length=1, max_length=limits.CLIENT_ID_CHARS_MAX), AfterValidator(plain)
]
SessionName = Annotated[
    str, StringConstraints(min_length=1, max_length=limits.WATCH_SESSION_CHARS_MAX), AfterValidator(plain)
]
SaidReason = Annotated[str, StringConstraints(max_length=limits.SEEK_REASON_CHARS_MAX), AfterValidator(plain)]
ClientInfo = Annotated[
    Any, AfterValidator(_small), WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "string"}]})
]


class Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", alias_generator=to_camel)


class SegmentBody(Body):
    """A stretch of the video that was played, without a jump and at one speed."""

    client_event_id: ClientId = Field(
        description="the player's own name for it: within its session the same one counts once",
        examples=["s1"],
    )
    start_second: Second = Field(examples=[0])
    end_second: Second = Field(description="not before `startSecond`", examples=[12.5])
    speed: Speed = 1
    at: Moment | None = Field(
        None,
        description="when it was played to its end, by the player's clock; left out, the segments of a body were played"
        " one after the other until now",
    )

    @field_validator("end_second")
    @classmethod
    def _is_forward(cls, end_second: float, info: ValidationInfo) -> float:
        if end_second < info.data.get("start_second", 0):
            raise PydanticCustomError("out_of_range", "expected a second that is not before startSecond")
        return end_second

    def segment(self, sent_us: int | None, received_us: int) -> Segment:
        return Segment(
            self.client_event_id,
            thousandths(self.start_second),
            thousandths(self.end_second),
            thousandths(self.speed),
            time_of(self.at, sent_us, received_us),
        )


class SeekBody(Body):
    """A jump, or one that was wanted."""

    client_event_id: ClientId | None = Field(
        None,
        description="the player's own name for it; left out, the same jump within a session is one jump",
        examples=["k1"],
    )
    from_second: Second = Field(examples=[12.5])
    to_second: Second = Field(examples=[300])
    allowed: bool | None = Field(
        None, description="whether the player let it happen; left out, it does what the answer says"
    )
    reason: SaidReason | None = Field(None, description="in the player's words", examples=["chapter"])
    at: Moment | None = Field(
        None, description="when it was, by the player's clock; left out, after the segments"
    )


class HeartbeatBody(Body):
    """That the player is there. It counts nothing: what was played comes as segments."""

    position_second: Second | None = Field(
        None, description="where it stands: from there the video is resumed"
    )
    speed: Speed | None = Field(None, description="at which it plays; with `positionSecond` only")


Segments = Annotated[
    list[Annotated[SegmentBody, WrapValidator(_kept_apart)]], Field(max_length=limits.PROGRESS_SEGMENTS_MAX)
]
SeekList = Annotated[
    list[Annotated[SeekBody, WrapValidator(_kept_apart)]], Field(max_length=limits.PROGRESS_SEEKS_MAX)
]


class Progress(Body):
    segments: Segments = Field(default_factory=list)
    seeks: SeekList = Field(default_factory=list)

    def read(self, sent_us: int | None, received_us: int, within: str = "") -> Report:
        """What can be used of it, and what is wrong with the rest; `within` says where in the body this is."""
        rejected: list[dict[str, object]] = []
        segments = [
            one.segment(sent_us, received_us)
            for _, one in _good(f"{within}segments", self.segments, rejected)
        ]
        met: Counter[tuple[float, float]] = Counter()
        seeks = []
        for _, one in _good(f"{within}seeks", self.seeks, rejected):
            jump = (one.from_second, one.to_second)
            met[jump] += 1
            seeks.append(_seek(one, met[jump], sent_us, received_us))
        return Report(segments, seeks, rejected)


class ProgressBody(Progress):
    """What was played and sought in a session since the last report. Sent again, it counts nothing again."""

    sent_at: Moment | None = Field(
        None, description="when this is sent, by the player's clock: corrects each `at` for the clock's error"
    )


class Opening(Body):
    """Who opens which lesson."""

    user_id: UserName = Field(description="who watches", examples=["ann"])
    lesson_id: LessonName = Field(description="which lesson", examples=["intro"])
    is_assigned: bool | None = Field(None, description="what the player believes; the answer says how it is")
    client_info: ClientInfo | None = Field(
        None,
        description=f"what the player says of itself, at most {limits.CLIENT_INFO_BYTES_MAX} bytes",
        examples=[{"player": "web 3.1"}],
    )


class SessionBody(Opening):
    """A session to be started."""

    client_session_id: ClientId | None = Field(
        None, description="the player's own name for it: the same one of the same user is the same session"
    )


class SyncedSession(Progress):
    """What was buffered of one session: a known one, by its `sessionId`, or one that was started offline."""

    session_id: SessionName | None = Field(None, description="of a session that was started here")
    client_session_id: ClientId | None = Field(
        None, description="of one that was started offline: with `userId` and `lessonId`, it is started now"
    )
    user_id: UserName | None = None
    lesson_id: LessonName | None = None
    is_assigned: bool | None = None
    client_info: ClientInfo | None = None
    started_at: Moment | None = Field(
        None,
        description="of one that was started offline; left out, when the first of its segments was begun",
    )
    closed_at: Moment | None = Field(None, description="when it ended; left out, it goes on")


class SyncBody(Body):
    """What was buffered of many sessions, in any order."""

    sent_at: Moment | None = Field(None, description="when this is sent, by the player's clock")
    sessions: Annotated[
        list[Annotated[SyncedSession, WrapValidator(_kept_apart)]], Field(max_length=limits.SYNC_SESSIONS_MAX)
    ]


class Report(NamedTuple):
    """What a player reports of a session. `rejected`: of what it wrote that cannot be used, the field and why."""

    segments: list[Segment]
    seeks: list[Seek]
    rejected: list[dict[str, object]]

    @property
    def items(self) -> int:
        return len(self.segments) + len(self.seeks)


def time_of(given: str | float | None, sent_us: int | None, received_us: int) -> int | None:
    """By our clock; None where nothing is said."""
    return None if given is None else event_time_us(microseconds(given), sent_us, received_us)


def sent_of(given: str | float | None) -> int | None:
    return None if given is None else microseconds(given)


def _good(name: str, items: list[Item], rejected: list[dict[str, object]]) -> Iterator[tuple[int, Item]]:
    """Those that could be read, with their places; of the others the errors are added to `rejected`."""
    for place, item in enumerate(items):
        if not isinstance(cast("object", item), Wrong):
            yield place, item
            continue
        rejected += [
            rejection({**error, "loc": (name, place, *error["loc"])}) for error in cast("Wrong", item).errors
        ]


def _seek(body: SeekBody, nth: int, sent_us: int | None, received_us: int) -> Seek:
    """`nth` of those from here to there in this body."""
    from_ms, to_ms = thousandths(body.from_second), thousandths(body.to_second)
    return Seek(
        body.client_event_id or f"={sha256(f'{from_ms} {to_ms} {nth}'.encode()).hexdigest()[:32]}",
        from_ms,
        to_ms,
        body.allowed,
        body.reason,
        time_of(body.at, sent_us, received_us),
        is_nameless=body.client_event_id is None,
    )
