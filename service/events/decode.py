"""What the bytes of a request say: a list of events and rejections, in their order.

The common case is one call into pydantic for the whole body. Only when that finds something wrong is each event
looked at by itself, so that one bad event never spoils its batch.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pydantic_core
from pydantic import TypeAdapter, ValidationError

from service import limits
from service.errors import BadRequest
from service.events.rejection import Rejection
from service.events.wire import EXPECTED, WireEvent, event_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic_core import ErrorDetails

    from service.events.event import Event

_one = WireEvent.__pydantic_validator__.validate_json
_many = TypeAdapter(list[WireEvent]).validator.validate_json

_GOT_CHARS_MAX = 60


def decode_body(body: bytes, received_us: int) -> tuple[list[Event | Rejection], bool]:
    """The events of one JSON body, and whether it was a single event (an object) rather than an array.

    Raises BadRequest: 400 for what is not JSON, 413 for an array of too many events.
    """
    stripped = body.lstrip(b" \t\r\n")
    if not stripped.startswith(b"["):
        return [_decode_one(stripped, 0, received_us, _not_json)], True
    try:
        wires: Sequence[WireEvent | Rejection] = _many(stripped)
    except ValidationError as invalid:
        wires = _each(_items(stripped, invalid))
    if len(wires) > limits.EVENTS_PER_BODY_MAX:
        raise BadRequest(
            413,
            "too_many_events",
            f"the array holds {len(wires)} events, at most {limits.EVENTS_PER_BODY_MAX} are taken at once",
        )
    return [
        wire if isinstance(wire, Rejection) else event_of(wire, index, received_us)
        for index, wire in enumerate(wires)
    ], False


def decode_lines(lines: list[bytes], first_index: int, received_us: int) -> list[Event | Rejection]:
    """The events of some lines of NDJSON, one a line; `first_index` is the index of the first one."""
    if all(line.startswith(b"{") and line.endswith(b"}") for line in lines):
        try:
            wires = _many(b"[" + b",".join(lines) + b"]")
        except ValidationError:
            wires = []
        if len(wires) == len(lines):
            return [event_of(wire, first_index + i, received_us) for i, wire in enumerate(wires)]
    return [_decode_one(line, first_index + i, received_us, _bad_line) for i, line in enumerate(lines)]


def _decode_one(
    text: bytes, index: int, received_us: int, not_json: Callable[[int, str], Rejection]
) -> Event | Rejection:
    try:
        wire = _one(text)
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        if errors[0]["type"] != "json_invalid":
            return _rejection(index, errors)
        if _loads(text) is not None:
            return _lone_surrogate(index)
        return not_json(index, errors[0]["msg"])
    return event_of(wire, index, received_us)


def _not_json(_index: int, message: str) -> Rejection:
    raise BadRequest(400, "not_json", f"the body is not JSON: {message}")


def _bad_line(index: int, message: str) -> Rejection:
    return Rejection(index, "", "not_json", f"event {index} is not JSON: {message}")


def _items(body: bytes, invalid: ValidationError) -> list[Any]:
    """The items of an array in which something was wrong, as plain JSON values."""
    first = invalid.errors(include_url=False)[0]
    if first["type"] != "json_invalid":
        items = pydantic_core.from_json(body)
    elif (items := _loads(body)) is None:
        _not_json(0, first["msg"])
    assert isinstance(items, list)
    return items


def _loads(text: bytes) -> Any:
    """JSON read by the rules of RFC 8259 to the letter: lone surrogates in escapes are JSON, though no Unicode.

    Python's own reader takes them; None where the text is not JSON at all.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _each(items: list[Any]) -> list[WireEvent | Rejection]:
    """Each item by itself. It is written out again, so that strict reading means what it means for a whole body."""
    wires: list[WireEvent | Rejection] = []
    for index, item in enumerate(items):
        try:
            wires.append(_one(json.dumps(item)))
        except ValidationError as invalid:
            errors = invalid.errors(include_url=False)
            wires.append(
                _lone_surrogate(index) if errors[0]["type"] == "json_invalid" else _rejection(index, errors)
            )
    return wires


def _lone_surrogate(index: int) -> Rejection:
    return Rejection(
        index, "", "invalid_string", f"event {index} holds a lone surrogate, which is no Unicode text"
    )


_REASONS = {
    "missing": "missing_field",
    "extra_forbidden": "unknown_field",
    "literal_error": "unknown_kind",
    "string_too_short": "empty",
    "string_too_long": "too_long",
    "too_long": "too_long",
    "greater_than_equal": "out_of_range",
    "less_than_equal": "out_of_range",
    "finite_number": "out_of_range",
    "int_parsing_size": "out_of_range",
    "model_type": "not_an_object",
}
"""From pydantic's error types to our reasons; every other type is a `wrong_type`."""


def _rejection(index: int, errors: list[ErrorDetails]) -> Rejection:
    """The first error in our words; an event with several is mended one at a time."""
    error = _telling(errors)
    reason = _REASONS.get(error["type"], "wrong_type")
    if reason == "not_an_object":
        return Rejection(
            index,
            "",
            reason,
            f"event {index} is {_got(error['input'])}, expected an object with user, slug and at",
        )
    name = str(error["loc"][0])
    field = _path(error["loc"])
    expected = EXPECTED.get(name, "")
    match reason:
        case "missing_field":
            detail = f"{field} is missing, expected {expected}"
        case "unknown_field":
            field = _shorten(field)
            detail = f"{field} is not a field of an event, expected {', '.join(EXPECTED)}"
        case "too_long":
            detail = f"{field} is too long, expected {expected}"
        case _:
            detail = f"{field}: got {_got(error['input'])}, expected {expected}"
    return Rejection(index, field, reason, detail)


def _telling(errors: list[ErrorDetails]) -> ErrorDetails:
    """Of the errors on the first wrong field, the one that says most: a union's branches each complain of the type."""
    field = errors[0]["loc"][:1]
    return next((e for e in errors if e["loc"][:1] == field and not e["type"].endswith("_type")), errors[0])


def _path(location: tuple[int | str, ...]) -> str:
    """`segments[3][0]`: the field and the places in it. Later names are pydantic's, of the branches of unions."""
    return str(location[0]) + "".join(f"[{part}]" for part in location[1:] if isinstance(part, int))


def _got(value: object) -> str:
    return _shorten(json.dumps(value, ensure_ascii=False, default=str))


def _shorten(text: str) -> str:
    return text if len(text) <= _GOT_CHARS_MAX else text[: _GOT_CHARS_MAX - 3] + "..."
