"""Errors as `application/problem+json` (RFC 9457), translated in one table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from aiohttp import HttpVersion11, web

from service import metrics
from service.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    NotAllowed,
    NotFound,
    PlayheadError,
    RateExceeded,
    Unauthorized,
    Unavailable,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = structlog.get_logger()


def problem(
    status: int, reason: str, detail: str, /, headers: dict[str, str] | None = None, **members: Any
) -> web.Response:
    """An answer that is a problem document."""
    body = problem_document(status, reason, detail, **members)
    return web.Response(body=body, status=status, headers=headers, content_type="application/problem+json")


def problem_document(status: int, reason: str, detail: str, /, **members: Any) -> bytes:
    """`reason` is our short word for what was wrong; `members` are its extension members."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "reason": reason,
        "detail": detail,
        **members,
    }
    return orjson.dumps(document)


def answering(handler: Handler) -> Handler:
    """A handler that answers every failure with a problem document; what nobody foresaw is logged, and is a 500."""

    @wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException:
            raise
        except Exception as failure:
            if has_hung_up(request, failure):
                raise
            return answer_to(failure, request.method, request.path)

    return answer


def has_hung_up(request: web.BaseRequest, failure: BaseException) -> bool:
    """Whether a connection that failed is the client's own: somebody else's is no reason not to answer."""
    is_gone = request.transport is None or request.transport.is_closing()
    return is_gone and isinstance(failure, ConnectionError)


def answer_to(failure: Exception, method: str, path: str) -> web.Response:
    """The problem document that says what a call failed with; what nobody foresaw is logged, and is a 500."""
    if isinstance(failure, PlayheadError):
        return translated(failure)
    _log.error("request_failed", method=method, path=path, exc_info=failure)
    return problem(500, "internal_error", "playhead failed to answer; its log says why")


def translated(error: PlayheadError) -> web.Response:
    """The problem document that says so."""
    match error:
        case BadRequest() | Conflict():
            return problem(error.status, error.reason, str(error), **_more_of(error))
        case Invalid():
            return problem(422, error.reason, str(error), rejected=error.rejected)
        case NotFound():
            return problem(404, "not_found", str(error))
        case Unavailable():
            return unavailable(error)
        case NotAllowed():
            return refused(error)
        case _:
            return problem(500, "internal_error", str(error))


def members_of(error: PlayheadError) -> dict[str, Any]:
    """What programs are told of a failure where there is no status: its reason first."""
    return {"reason": reason_of(error), **_more_of(error)}


def reason_of(error: PlayheadError) -> str:
    match error:
        case NotFound():
            return "not_found"
        case RateExceeded():
            return "rate_exceeded"
        case BadRequest() | Conflict() | Invalid() | Unauthorized() | Forbidden() | Unavailable():
            return error.reason
        case _:
            return "internal_error"


def _more_of(error: PlayheadError) -> dict[str, Any]:
    match error:
        case Conflict():
            return error.members
        case Invalid():
            return {"rejected": error.rejected}
        case Forbidden() if error.scope:
            return {"scope": error.scope}
        case Unavailable() | RateExceeded():
            return {"retryAfterSeconds": error.retry_after_seconds}
        case _:
            return {}


def unavailable(error: Unavailable, **members: Any) -> web.Response:
    """503, with when to try again."""
    metrics.UNAVAILABLE.labels(type(error).__name__).inc()
    headers = {"Retry-After": str(error.retry_after_seconds)}
    return problem(503, error.reason, str(error), headers, **members)


def refused(error: NotAllowed, detail: str = "", **members: Any) -> web.Response:
    """401, 403 or 429, with what a client needs to do better."""
    match error:
        case Unauthorized():
            status, reason = 401, error.reason
            said = "" if reason == "no_key" else ', error="invalid_token"'
            headers = {"WWW-Authenticate": f'Bearer realm="playhead"{said}'}
        case Forbidden():
            status, reason = 403, error.reason
            scope = f', scope="{error.scope}"' if error.scope else ""
            headers = {"WWW-Authenticate": f'Bearer realm="playhead", error="insufficient_scope"{scope}'}
        case RateExceeded():
            status, reason, seconds = 429, "rate_exceeded", error.retry_after_seconds
            headers = {
                "Retry-After": str(seconds),
                "RateLimit-Policy": f'"{error.unit}";q={error.quota};w={error.window_seconds}',
                "RateLimit": f'"{error.unit}";r=0;t={seconds}',
            }
        case _:
            raise error
    metrics.REFUSALS.labels(reason).inc()
    return problem(status, reason, detail or str(error), headers, **members)


async def expect(request: web.Request) -> web.StreamResponse | None:
    """What a client awaits before it sends its body: to be told to go on. Other wishes are not known."""
    if request.headers["Expect"].lower() != "100-continue":
        return problem(417, "unknown_expectation", "of Expect only 100-continue is taken")
    if request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer has not begun yet
    return None


@answering
async def unknown(request: web.Request) -> web.StreamResponse:
    """What no route took: 405 where another method would do, else 404."""
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        if resource.canonical != request.match_info.route.resource.canonical:  # type: ignore[union-attr]
            _, methods = await resource.resolve(request)
            allowed |= methods
    if allowed:
        listed = ", ".join(sorted(allowed))
        detail = f"{request.method} is not taken at {request.path}, expected {listed}"
        return problem(405, "method_not_allowed", detail, {"Allow": listed})
    return problem(404, "not_found", f"there is nothing at {request.path}; /docs shows what there is")
