"""Bodies, names and answers, as the calls of courses read and write them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from service.api.body import read_whole
from service.api.context import SETTINGS
from service.errors import BadRequest, Invalid

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Model = TypeVar("Model", bound=BaseModel)

GOT_CHARS_MAX = 60
ERRORS_MAX = 20
"""Wrong fields that are listed; who has more mends these first."""

_REASONS = {
    "missing": "missing_field",
    "extra_forbidden": "unknown_field",
    "literal_error": "unknown_value",
    "string_too_short": "empty",
    "string_too_long": "too_long",
    "too_long": "too_long",
    "greater_than_equal": "out_of_range",
    "less_than_equal": "out_of_range",
    "finite_number": "out_of_range",
    "int_parsing_size": "out_of_range",
    "model_type": "not_an_object",
    "invalid_string": "invalid_string",
    "invalid_time": "invalid_time",
    "out_of_range": "out_of_range",
    "unknown_time_zone": "unknown_time_zone",
}
"""From pydantic's error types, and those of our own checks, to our reasons; every other type is a `wrong_type`."""


def answer(document: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(document), content_type="application/json")


async def read_body(request: web.Request, model: type[Model]) -> Model:
    """Raises BadRequest for what is not JSON, Invalid for what is not the model's."""
    return parse(await read_whole(request, request.app[SETTINGS].body_timeout_seconds), model)


def parse(body: bytes, model: type[Model]) -> Model:
    """Raises as `read_body`."""
    try:
        return model.model_validate_json(body)
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        if errors[0]["type"] == "json_invalid":
            raise not_json(errors[0]["msg"].removeprefix("Invalid JSON: ")) from None
        raise Invalid([rejection(error) for error in errors[:ERRORS_MAX]]) from None


def not_json(why: str) -> BadRequest:
    return BadRequest(400, "not_json", f"the body is not JSON: {why}")


def rejection(error: ErrorDetails) -> dict[str, object]:
    """What was wrong with one field, in our words."""
    reason = _REASONS.get(error["type"], "wrong_type")
    field = shortened(_path(error["loc"]))
    match reason:
        case "missing_field":
            detail = f"{field} is missing"
        case "unknown_field":
            detail = f"{field} is not a field of this"
        case "not_an_object":
            detail = f"{field or 'the body'}: got {got(error['input'])}, expected an object"
        case _:
            message = error["msg"][:1].lower() + error["msg"][1:]
            detail = f"{field or 'the body'}: {message}, got {got(error['input'])}"
    return {"field": field, "reason": reason, "detail": detail}


def name_in_path(request: web.Request, part: str, chars_max: int) -> str:
    """Raises BadRequest for what cannot be a name."""
    return checked_name(part, request.match_info[part], chars_max)


def checked_name(part: str, name: str, chars_max: int) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise _bad_name(part, chars_max) from None
    if "\0" in name or not 1 <= len(name) <= chars_max:
        raise _bad_name(part, chars_max)
    return name


def flag_in_query(request: web.Request, name: str) -> bool:
    """`true` or `false`; absent it is false."""
    given = request.query.get(name, "false")
    if given not in ("true", "false"):
        raise BadRequest(400, "bad_query", f"{name}: got {shortened(given)!r}, expected true or false")
    return given == "true"


def got(value: object) -> str:
    return shortened(json.dumps(value, ensure_ascii=False, default=str))


def shortened(text: str) -> str:
    return text if len(text) <= GOT_CHARS_MAX else text[: GOT_CHARS_MAX - 3] + "..."


def _bad_name(part: str, chars_max: int) -> BadRequest:
    return BadRequest(
        400, "bad_name", f"{part}: expected a name of 1 to {chars_max} characters of Unicode, without U+0000"
    )


def _path(location: tuple[int | str, ...]) -> str:
    """`lessons[3].slug`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".")
