"""What the bytes of a request say: a list of events and rejections, in their order.

The common case is one call into msgspec for the whole body. Only when that finds something wrong is each event
looked at by itself, by pydantic, which says what it is: so one bad event never spoils its batch.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

import pydantic_core
from pydantic import ValidationError

from service import limits
from service.errors import BadRequest
from service.events.quick import read_many_quickly, read_quickly
from service.events.rejection import Rejection
from service.events.wire import EXPECTED, WireEvent, event_of, fields_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic_core import ErrorDetails

    from service.events.event import Event

_one = WireEvent.__pydantic_validator__.validate_json

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""What editors on Windows put in front of UTF-8; RFC 8259 lets readers ignore it."""

_WHITE_SPACE = b" \t\r\n"
_GOT_CHARS_MAX = 60


def decode_body(body: bytes, received_us: int) -> tuple[list[Event | Rejection], bool]:
    """The events of one JSON body, and whether it was a single event (an object) rather than an array.

    Raises BadRequest: 400 for what is not JSON, 413 for an array of too many events.
    """
    stripped = body.removeprefix(_BYTE_ORDER_MARK).lstrip(_WHITE_SPACE)
    if stripped.startswith(b"["):
        return _decode_array(stripped, 0, received_us), False
    return [_decode_single(stripped, received_us)], True


def decode_event(body: bytes, received_us: int) -> Event | None:
    """The event of a body that is one event with nothing wrong; None for every other, of which `decode_body` tells."""
    if len(body) > limits.EVENT_BYTES_MAX or not body.startswith(b"{"):  # an array would be read twice
        return None
    fields = read_quickly(body)
    if fields is None:
        return None
    event = event_of(fields, 0, received_us)
    return None if isinstance(event, Rejection) else event


def decode_messages(
    messages: list[bytes], first_index: int, received_us: int
) -> Iterator[list[Event | Rejection]]:
    """The events of some messages of a stream, each one event or an array of them, in groups of bounded size.

    `first_index` is the index of the first event. A message that cannot be read counts as one event.
    """
    singles: list[bytes] = []
    for padded in messages:
        message = padded.strip(_WHITE_SPACE)
        if not message.startswith(b"["):
            singles.append(message)
            continue
        if singles:
            yield decode_lines(singles, first_index, received_us)
            first_index += len(singles)
            singles = []
        if group := _decode_array_message(message, first_index, received_us):
            yield group
            first_index += len(group)
    if singles:
        yield decode_lines(singles, first_index, received_us)


def _decode_array_message(message: bytes, index: int, received_us: int) -> list[Event | Rejection]:
    try:
        return _decode_array(message, index, received_us)
    except BadRequest as unreadable:
        return [Rejection(index, "", unreadable.reason, f"event {index}: {unreadable}")]


def _decode_array(array: bytes, first_index: int, received_us: int) -> list[Event | Rejection]:
    if (read := read_many_quickly(array)) is not None:
        return [event_of(fields, index, received_us) for index, fields in enumerate(read, first_index)]
    return [_reread(item, index, received_us) for index, item in enumerate(_items(array), first_index)]


def decode_lines(lines: list[bytes], first_index: int, received_us: int) -> list[Event | Rejection]:
    """The events of some lines of NDJSON, one a line; `first_index` is the index of the first one."""
    if all(
        len(line) <= limits.EVENT_BYTES_MAX and line.startswith(b"{") and line.endswith(b"}")
        for line in lines
    ):
        # No string and no name holds a line break, so what two lines leave open can't close over it.
        read = read_many_quickly(b"[" + b",\n".join(lines) + b"]")
        if read is not None and len(read) == len(lines):
            return [event_of(fields, first_index + i, received_us) for i, fields in enumerate(read)]
    return [_decode_line(line, first_index + i, received_us) for i, line in enumerate(lines)]


def _decode_single(text: bytes, received_us: int) -> Event | Rejection:
    if len(text) > limits.EVENT_BYTES_MAX and text.startswith(b"{"):
        return _too_long(0)
    return _decode_one(text, 0, received_us, _not_json)


def _decode_line(line: bytes, index: int, received_us: int) -> Event | Rejection:
    if len(line) > limits.EVENT_BYTES_MAX:
        return _too_long(index)
    if index == 0:
        line = line.removeprefix(_BYTE_ORDER_MARK)
    return _decode_one(line, index, received_us, _bad_line)


def _decode_one(
    text: bytes, index: int, received_us: int, not_json: Callable[[int, str], Rejection]
) -> Event | Rejection:
    try:
        wire = _one(text)
    except ValidationError as invalid:
        if (malformed := _malformed(invalid)) is None:
            return _rejection(index, invalid.errors(include_url=False))
        if _loads(text) is not None:
            return _unreadable(index, malformed)
        return not_json(index, malformed)
    return event_of(fields_of(wire), index, received_us)


def _not_json(_index: int, message: str) -> NoReturn:
    raise BadRequest(400, "not_json", f"the body is not JSON: {message}")


def _bad_line(index: int, message: str) -> Rejection:
    return Rejection(index, "", "not_json", f"event {index} is not JSON: {message}")


def _malformed(invalid: ValidationError) -> str | None:
    """What keeps the text from being read as JSON; None where it could be read, and says something wrong."""
    if invalid.error_count() > 1:  # else there would be one; and many take long to be written down
        return None
    (error,) = invalid.errors(include_url=False)
    return error["msg"].removeprefix("Invalid JSON: ") if error["type"] == "json_invalid" else None


def _items(array: bytes) -> list[Any]:
    """The items of an array in which something is wrong, as plain JSON values."""
    try:
        return _bounded(pydantic_core.from_json(array))
    except ValueError as malformed:
        items = _loads(array)
        return _not_json(0, str(malformed)) if items is None else _bounded(items)


def _bounded(items: Any) -> list[Any]:
    assert isinstance(items, list)
    if len(items) > limits.EVENTS_PER_BODY_MAX:
        detail = (
            f"the array holds {len(items)} events, at most {limits.EVENTS_PER_BODY_MAX} are taken at once"
        )
        raise BadRequest(413, "too_many_events", detail)
    return items


def _loads(text: bytes) -> Any:
    """JSON as Python's own reader takes it: lone surrogates in escapes, which are JSON though no Unicode, and values
    nested deeper than ours takes. None where the text is not JSON at all.
    """
    try:
        return json.loads(text.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None


def _reread(item: Any, index: int, received_us: int) -> Event | Rejection:
    """An item by itself. It is written out again, so that strict reading means what it means for a whole body."""
    try:
        text = json.dumps(item)
    except RecursionError:
        return _too_deep(index)
    if (
        len(text) > limits.EVENT_BYTES_MAX
        and len(json.dumps(item, ensure_ascii=False)) > limits.EVENT_BYTES_MAX
    ):
        return _too_long(index)
    try:
        wire = _one(text)
    except ValidationError as invalid:
        if malformed := _malformed(invalid):
            return _unreadable(index, malformed)
        return _rejection(index, invalid.errors(include_url=False))
    return event_of(fields_of(wire), index, received_us)


def _unreadable(index: int, malformed: str) -> Rejection:
    """Of what is JSON, and yet not to be read as an event."""
    if malformed.startswith("recursion"):
        return _too_deep(index)
    return Rejection(
        index, "", "invalid_string", f"event {index} holds a lone surrogate, which is no Unicode text"
    )


def _too_deep(index: int) -> Rejection:
    return Rejection(
        index, "", "too_deep", f"event {index} is nested too deep, expected an object with user, slug and at"
    )


def _too_long(index: int) -> Rejection:
    detail = f"event {index} is longer than {limits.EVENT_BYTES_MAX} bytes, the most that an event may have"
    return Rejection(index, "", "too_long", detail)


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
