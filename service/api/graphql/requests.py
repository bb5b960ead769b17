"""What a request asks for: a document, its variables, and which of its operations is meant."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from service.api.body import read_whole
from service.api.context import SETTINGS
from service.errors import BadRequest
from service.limits import GRAPHQL_BODY_BYTES_MAX

if TYPE_CHECKING:
    from aiohttp import web

JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Wanted:
    query: str
    variables: dict[str, Any] = field(default_factory=dict)
    operation_name: str | None = None


async def posted(request: web.Request) -> Wanted:
    """Raises BadRequest. Only JSON is taken: pages of other origins may send nothing else without being asked about."""
    if request.content_type != JSON_TYPE:
        raise BadRequest(415, "not_json", f"Content-Type: expected {JSON_TYPE}")
    body = await read_whole(request, request.app[SETTINGS].body_timeout_seconds)
    if len(body) > GRAPHQL_BODY_BYTES_MAX:
        raise BadRequest(413, "too_large", f"the body is larger than {GRAPHQL_BODY_BYTES_MAX} bytes")
    return wanted_in(_parsed("the body", body))


def gotten(request: web.Request) -> Wanted:
    """What stands in the address. Raises BadRequest."""
    given: dict[str, Any] = {
        name: request.query[name] for name in ("query", "operationName") if name in request.query
    }
    if "variables" in request.query:
        given["variables"] = _parsed("variables", request.query["variables"])
    return wanted_in(given)


def wanted_in(given: object) -> Wanted:
    """Raises BadRequest; members that are not known are extensions of others, and pass."""
    if isinstance(given, list):
        raise BadRequest(400, "batch_refused", "expected one operation, got an array; send them one by one")
    if not isinstance(given, dict):
        raise BadRequest(400, "not_an_object", "expected an object with `query`")
    query, variables, name = given.get("query"), given.get("variables"), given.get("operationName")
    if not isinstance(query, str) or not query:
        raise BadRequest(400, "missing_field", "query: expected a document, as text")
    if not isinstance(variables, dict | None):
        raise BadRequest(400, "wrong_type", "variables: expected an object")
    if not isinstance(name, str | None):
        raise BadRequest(400, "wrong_type", "operationName: expected a name")
    return Wanted(query, variables or {}, name or None)


def _parsed(what: str, text: bytes | str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError as malformed:
        raise BadRequest(400, "not_json", f"{what}: this is not JSON: {malformed}") from None
