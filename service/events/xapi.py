"""The dialect of the xAPI Video Profile: what a video player's statement says, as an event of design 2.

A statement is known by the full IRI of its verb: another profile's verb that ends alike is another verb.
What real players send lives: positions written as text; segments empty, of no length, not yet closed.
Values are passed on as they were written; their bounds are checked with those of every other event.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite
from typing import TypeVar

Value = TypeVar("Value")

PROFILE = "https://w3id.org/xapi/video"
VIDEO_TYPE = f"{PROFILE}/activity-type/video"
EXTENSION = f"{PROFILE}/extensions/"

KINDS = {
    "http://adlnet.gov/expapi/verbs/initialized": "load",
    "http://adlnet.gov/expapi/verbs/interacted": "mark",
    "http://adlnet.gov/expapi/verbs/completed": "end",
    "http://adlnet.gov/expapi/verbs/terminated": "pause",
    f"{PROFILE}/verbs/played": "play",
    f"{PROFILE}/verbs/paused": "pause",
    f"{PROFILE}/verbs/seeked": "seek",
}
"""The verbs of playback, and what they mean where no played segments come with them."""

NOT_PLAYBACK = {"http://id.tincanapi.com/verb/downloaded"}
"""Verbs that video players send beside those of the profile, and that tell nothing of what was played."""

SEGMENTS_BETWEEN, SEGMENT_BETWEEN = "[,]", "[.]"

_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,30})?([eE]-?[0-9]{1,2})?")
"""Bounded, so that no text becomes infinite. JavaScript writes what is below a millionth with an exponent."""

_GOT_CHARS_MAX = 60


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a statement is no event. `field` is its path in the statement, "" for the statement as a whole."""

    reason: str
    field: str
    detail: str


class _Unfit(Exception):  # a way out of nested reading
    def __init__(self, reason: str, field: str, detail: str) -> None:
        super().__init__(detail)
        self.refused = Refused(reason, field, detail)


def event_of(statement: object) -> dict[str, object] | Refused:
    """The event on the wire that a statement means, or why it means none."""
    try:
        return _event(_object(statement, ""))
    except _Unfit as unfit:
        return unfit.refused


def _event(statement: dict[str, object]) -> dict[str, object]:
    kind = _kind(statement)
    event: dict[str, object] = {
        "user": _user(statement),
        "slug": _required(_text(statement, "object", "id"), "object.id"),
        "kind": kind,
        **_playback(statement, kind),
    }
    optional = {
        "id": _text(statement, "id"),
        "session": _text(statement, "context", "extensions", f"{EXTENSION}session-id"),
        "ts": _text(statement, "timestamp"),
        "duration": _duration(statement),
    }
    return event | {field: value for field, value in optional.items() if value is not None}


def _kind(statement: dict[str, object]) -> str:
    """The kind that the verb stands for.

    Some verbs are shared with other profiles: of those, only statements about a video belong here.
    """
    verb = _required(_text(statement, "verb", "id"), "verb.id")
    if verb in NOT_PLAYBACK:
        raise _Unfit("not_playback", "verb.id", f"{verb} tells nothing of playback")
    if verb not in KINDS:
        raise _Unfit("other_profile", "verb.id", f"{verb} is not a verb of the xAPI Video Profile")
    categories = _categories(statement)
    if categories:
        about_video = PROFILE in categories
    else:
        about_video = (
            verb.startswith(PROFILE) or _text(statement, "object", "definition", "type") == VIDEO_TYPE
        )
    if not about_video:
        field = "context.contextActivities.category"
        raise _Unfit(
            "other_profile", field, f"{verb} is shared by profiles, and {field} does not name {PROFILE}"
        )
    return KINDS[verb]


def _categories(statement: dict[str, object]) -> list[object]:
    """The profiles that a statement names; older versions of xAPI write a list of one without the list."""
    found = _at(statement, "context", "contextActivities", "category")
    activities = found if isinstance(found, list) else [found]
    return [activity.get("id") for activity in activities if isinstance(activity, dict)]


def _user(statement: dict[str, object]) -> str:
    for path in (("account", "name"), ("mbox",), ("mbox_sha1sum",), ("openid",)):
        if name := _text(statement, "actor", *path):
            return name
    raise _Unfit("missing_field", "actor", "the actor has neither account.name nor mbox, so nobody watched")


def _playback(statement: dict[str, object], kind: str) -> dict[str, object]:
    """What was played, by the statement: its kind and the fields that only some kinds have."""
    if kind == "load":
        return {"at": 0}
    at = _number(statement, "time-to" if kind == "seek" else "time")
    if (
        kind in ("pause", "end", "seek")
        and (claimed := _extension(statement, "played-segments")[1]) is not None
    ):
        return {"kind": "claim", "at": at, "segments": _segments(claimed)}
    if kind == "seek":
        return {"at": at, "from": _number(statement, "time-from")}
    speed = _speed(statement) if kind == "mark" else None
    return {"at": at} if speed is None else {"at": at, "speed": speed}


def _segments(claimed: object) -> list[list[int | float]]:
    """The closed parts of `0[.]18.143[,]18.429[.]44.044[,]50`; the last one here is still being played."""
    field = f"result.extensions.{EXTENSION}played-segments"
    if not isinstance(claimed, str):
        raise _wrong(field, claimed, "text such as 0[.]18.143[,]18.429[.]44.044")
    segments = []
    for part in claimed.split(SEGMENTS_BETWEEN) if claimed.strip() else []:
        start, _, end = part.partition(SEGMENT_BETWEEN)
        bounds = [
            _read(bound, field, "segments such as 0[.]18.143") for bound in (start, end) if bound.strip()
        ]
        if len(bounds) == 2:
            segments.append(bounds)
    return segments


def _speed(statement: dict[str, object]) -> int | float | None:
    field, speed = _extension(statement, "speed")
    if isinstance(speed, str):
        speed = speed.strip().removesuffix("x")
    return None if speed is None else _read(speed, field, "a speed such as 1.25x")


def _duration(statement: dict[str, object]) -> int | float | None:
    """The movie's length; a player that does not know it yet says 0."""
    field, length = _extension(statement, "length")
    if length is None:
        return None
    seconds = _read(length, field, "a number of seconds")
    return seconds if seconds > 0 else None


def _number(statement: dict[str, object], name: str) -> int | float:
    field, value = _extension(statement, name)
    return _read(_required(value, field), field, "a number of seconds")


def _extension(statement: dict[str, object], name: str) -> tuple[str, object]:
    """An extension's path and value. It stands in result or context: the versions of the profile differ."""
    key = EXTENSION + name
    for part in ("result", "context"):
        value = _at(statement, part, "extensions", key)
        if value is not None:
            return f"{part}.extensions.{key}", value
    return f"result.extensions.{key}", None


def _read(value: object, field: str, expected: str) -> int | float:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        text = value.strip()
        return float(text) if set(text) & set(".eE") else int(text)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise _wrong(field, value, expected)
    return value


def _text(statement: dict[str, object], *path: str) -> str | None:
    value = _at(statement, *path)
    if value is None or isinstance(value, str):
        return value
    raise _wrong(".".join(path), value, "text")


def _at(statement: dict[str, object], *path: str) -> object:
    """What stands at a path; None where any part of the way is missing."""
    found: object = statement
    for depth, name in enumerate(path):
        if found is None:
            return None
        found = _object(found, ".".join(path[:depth])).get(name)
    return found


def _object(value: object, field: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _wrong(field, value, "an object")
    return value


def _required(value: Value | None, field: str) -> Value:
    if value is None:
        raise _Unfit("missing_field", field, f"{field} is missing")
    return value


def _wrong(field: str, value: object, expected: str) -> _Unfit:
    got = "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)
    shown = got if len(got) <= _GOT_CHARS_MAX else f"{got[:_GOT_CHARS_MAX]}..."
    return _Unfit("wrong_type", field, f"{field or 'the statement'}: got {shown}, expected {expected}")
