"""The event as clients write it (design 2), and its translation into an `Event`."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from service import limits
from service.events.event import Event
from service.events.quantities import event_time_us, microseconds, thousandths
from service.events.rejection import Rejection

UserName = Annotated[str, StringConstraints(min_length=1, max_length=limits.USER_CHARS_MAX)]
Slug = Annotated[str, StringConstraints(min_length=1, max_length=limits.SLUG_CHARS_MAX)]
Position = Annotated[float, Field(ge=0, le=limits.POSITION_MAX_S, allow_inf_nan=False)]
Time = (
    Annotated[str, StringConstraints(max_length=limits.TIME_CHARS_MAX)]
    | Annotated[float, Field(ge=limits.TIME_MIN_S, le=limits.TIME_MAX_S, allow_inf_nan=False)]
)
Kind = Literal["heartbeat", "segment", "play", "pause", "end", "seek", "rate", "claim", "mark", "load"]


class WireEvent(BaseModel):
    """One watch event. `user`, `slug` and `at` are all that the simplest source sends."""

    model_config = ConfigDict(strict=True, extra="forbid", populate_by_name=False, title="Event")

    user: UserName = Field(description="who watches", examples=["ann"])
    slug: Slug = Field(description="what is watched", examples=["dune"])
    at: Position = Field(
        description="position in the movie, in seconds, whole or fractional", examples=[4500]
    )
    id: Annotated[str, StringConstraints(min_length=1, max_length=limits.ID_CHARS_MAX)] | None = Field(
        None, description="idempotency key: the same id of the same user counts once within the window"
    )
    session: Annotated[str, StringConstraints(max_length=limits.SESSION_CHARS_MAX)] | None = Field(
        None, description="one playback of one movie by one user; the nameless session where absent"
    )
    seq: Annotated[int, Field(ge=0, le=limits.SEQ_MAX)] | None = Field(
        None, description="whole number rising within the session: the same one counts once"
    )
    kind: Kind = Field("heartbeat", description="what happened")
    from_: Position | None = Field(
        None,
        alias="from",
        description="where the span or the jump began, in seconds: `segment` and `seek` only",
    )
    speed: Annotated[float, Field(ge=limits.SPEED_MIN, le=limits.SPEED_MAX, allow_inf_nan=False)] | None = (
        Field(None, description="playback speed, 1 where never said")
    )
    segments: (
        Annotated[list[tuple[Position, Position]], Field(max_length=limits.SEGMENTS_MAX, fail_fast=True)]
        | None
    ) = Field(
        None,
        description="`claim` only: all spans played in this session so far, as [from, to] in seconds",
    )
    ts: Time | None = Field(
        None,
        description="when it happened by the client's clock: RFC 3339 with offset, or seconds since 1970",
    )
    sent_at: Time | None = Field(
        None, description="when it was sent by the same clock: corrects `ts` for the clock's error"
    )
    duration: Position | None = Field(None, description="of the movie, in seconds")


Fields = tuple[
    str, str, float, str | None, str | None, int | None, str, float | None, float | None,
    list[tuple[float, float]] | None, str | float | None, str | float | None, float | None,
]  # fmt: skip
"""The fields of an event, in the order in which `WireEvent` declares them."""

EXPECTED = {
    "user": f"a string of 1 to {limits.USER_CHARS_MAX} characters",
    "slug": f"a string of 1 to {limits.SLUG_CHARS_MAX} characters",
    "at": f"a number of seconds from 0 to {limits.POSITION_MAX_S}",
    "id": f"a string of 1 to {limits.ID_CHARS_MAX} characters",
    "session": f"a string of at most {limits.SESSION_CHARS_MAX} characters",
    "seq": f"a whole number from 0 to {limits.SEQ_MAX}",
    "kind": "one of heartbeat, segment, play, pause, end, seek, rate, claim, mark, load",
    "from": f"a number of seconds from 0 to {limits.POSITION_MAX_S}",
    "speed": f"a number from {limits.SPEED_MIN} to {limits.SPEED_MAX:g}",
    "segments": f"a list of at most {limits.SEGMENTS_MAX} pairs [from, to] in seconds",
    "ts": "a time as RFC 3339 with offset, or in seconds since 1970, from 2000 to 2100",
    "sent_at": "a time as RFC 3339 with offset, or in seconds since 1970, from 2000 to 2100",
    "duration": f"a number of seconds from 0 to {limits.POSITION_MAX_S}",
}
"""What each field takes, in words for the person who reads a rejection."""

TIME_MIN_US, TIME_MAX_US = limits.TIME_MIN_S * 1_000_000, limits.TIME_MAX_S * 1_000_000

_event = partial(tuple.__new__, Event)
"""An Event of all its fields, in half the time that its own constructor, a function in Python, takes."""

_CARRIES = {"from": ("segment", "seek"), "segments": ("claim",)}
"""Fields that belong to some kinds and are needed by them; on others they are a misunderstanding."""


def fields_of(wire: WireEvent) -> Fields:
    """All at once: asking a model for each costs as much as all that follows."""
    return tuple(wire.__dict__.values())


def event_of(fields: Fields, index: int, received_us: int) -> Event | Rejection:
    """The event that these mean, or why they mean none. `index` is its place in the request.

    Every event comes through here.
    """
    user, slug, at, identity, session, seq, kind, from_s, speed, segments, ts, sent_at, duration = fields
    if (kind != "heartbeat" or from_s is not None or segments is not None) and (
        misfit := _misfit(kind, from_s, segments, speed, index)
    ):
        return misfit
    if "\0" in user or "\0" in slug or (identity and "\0" in identity) or (session and "\0" in session):
        return _holds_nul(user, slug, identity, index)
    time_us = received_us
    if ts is not None or sent_at is not None:
        times = _times(ts, sent_at, index)
        if isinstance(times, Rejection):
            return times
        time_us = event_time_us(*times, received_us)
    return _event(
        (
            user,
            slug,
            kind,
            thousandths(at),
            time_us,
            received_us,
            ts is not None,
            session or "",
            seq,
            identity,
            None if from_s is None else thousandths(from_s),
            None if speed is None else thousandths(speed),
            () if segments is None else tuple((thousandths(a), thousandths(b)) for a, b in segments),
            None if duration is None else thousandths(duration),
        )
    )


def _holds_nul(user: str, slug: str, identity: str | None, index: int) -> Rejection:
    """One of these does, or else the session."""
    named = (("user", user), ("slug", slug), ("id", identity))
    field = next((field for field, text in named if text and "\0" in text), "session")
    return Rejection(
        index, field, "invalid_string", f"{field} holds the character U+0000, which cannot be stored"
    )


def _misfit(
    kind: str,
    from_s: float | None,
    segments: list[tuple[float, float]] | None,
    speed: float | None,
    index: int,
) -> Rejection | None:
    """What `kind` lacks, or has that belongs to another kind."""
    for field, given in (("from", from_s), ("segments", segments)):
        kinds = _CARRIES[field]
        if given is None and kind in kinds:
            return Rejection(
                index, field, "missing_field", f"{field} is missing: {kind} needs {EXPECTED[field]}"
            )
        if given is not None and kind not in kinds:
            return Rejection(
                index,
                field,
                "misplaced_field",
                f"{field} belongs to {' and '.join(kinds)}, not to {kind}",
            )
    if kind == "rate" and speed is None:
        return Rejection(index, "speed", "missing_field", f"speed is missing: rate needs {EXPECTED['speed']}")
    return None


def _times(
    ts: str | float | None, sent_at: str | float | None, index: int
) -> tuple[int | None, int | None] | Rejection:
    """`ts` and `sent_at` in us, checked for range."""
    happened = None if ts is None else _microseconds("ts", ts, index)
    sent = None if sent_at is None else _microseconds("sent_at", sent_at, index)
    if isinstance(happened, Rejection):
        return happened
    return sent if isinstance(sent, Rejection) else (happened, sent)


def _microseconds(field: str, given: str | float, index: int) -> int | Rejection:
    try:
        us = microseconds(given)
    except (ValueError, OverflowError) as unreadable:
        detail = f"{field}: {given!r} is no time ({unreadable}), expected {EXPECTED[field]}"
        return Rejection(index, field, "invalid_time", detail)
    if TIME_MIN_US <= us <= TIME_MAX_US:
        return us
    return Rejection(index, field, "out_of_range", f"{field}: got {given!r}, expected {EXPECTED[field]}")
