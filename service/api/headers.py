"""Headers of every answer: what browsers may make of it, and pages of which other origins may read it (CORS).

No answer allows credentials: playhead knows no cookies, and a key is a header that a page's own script adds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from service.access.keyring import Scope
from service.api.context import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.api.calls import Call
    from service.api.problems import Handler

ANY = "*"
PREFLIGHT_SECONDS = 7200
"""For how long a browser need not ask again; Chromium remembers no longer."""

ASKED_FOR = "Authorization, Content-Encoding, Content-Type, X-Api-Key"
SHOWN = "RateLimit, RateLimit-Policy, Retry-After"

SHARED = (Scope.INGEST, Scope.READ)
"""What pages of other origins may call, if any may: nothing that erases."""

NO_SNIFFING = ("X-Content-Type-Options", "nosniff")
"""An answer is what it says it is: no browser looks into it for a page to show or a script to run."""


async def refuse_sniffing(_request: web.Request, answer: web.StreamResponse) -> None:
    name, value = NO_SNIFFING
    answer.headers[name] = value


class Sharing:
    """Answers to pages of other origins."""

    def __init__(self, origins: frozenset[str]) -> None:
        self._origins = origins
        self._handlers: set[Handler] = set()

    def add_to(self, app: web.Application, routes: Iterable[tuple[Call, Handler]]) -> None:
        """Share these calls: by the handlers that answer them, and one more a path that answers browsers' questions."""
        methods: dict[str, list[str]] = {}
        for call, handler in routes:
            methods.setdefault(call.path, []).append(call.method)
            self._handlers.add(handler)
        for path, taken in methods.items():
            preflight = self._preflight(", ".join(taken))
            self._handlers.add(preflight)
            app.router.add_route("OPTIONS", path, preflight)
        app.on_response_prepare.append(self._share)

    def _preflight(self, methods: str) -> Handler:
        """Whether a page may make a call with headers of its own; it is asked without a key."""
        headers = {
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Allow-Headers": ASKED_FOR,
            "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
        }

        async def answer(request: web.Request) -> web.StreamResponse:
            is_allowed = _allowed(self._origins, request.headers.get("Origin"))
            return web.Response(status=204, headers=headers if is_allowed else None)

        return answer

    async def _share(self, request: web.Request, answer: web.StreamResponse) -> None:
        if request.match_info.handler in self._handlers:
            answer.headers.extend(shared_headers(self._origins, request.headers.get("Origin")))


def shared_headers(origins: frozenset[str], origin: str | None) -> list[tuple[str, str]]:
    """Of an answer that pages of `origins` may read, to a page of this origin, or to whoever names none."""
    headers = [] if ANY in origins else [("Vary", "Origin")]
    if allowed := _allowed(origins, origin):
        headers += [("Access-Control-Allow-Origin", allowed), ("Access-Control-Expose-Headers", SHOWN)]
    return headers


def _allowed(origins: frozenset[str], origin: str | None) -> str | None:
    """What the answer says is allowed: None to pages of other origins, and where no page asks."""
    if origin is None or ANY in origins:
        return origin and ANY
    return origin if origin in origins else None


def is_foreign(request: web.Request) -> bool:
    """Whether a page of another origin asks, and none that may. Browsers let any page open a WebSocket anywhere."""
    origin = request.headers.get("Origin")
    allowed = request.app[SETTINGS].origins
    if origin is None or ANY in allowed or origin in allowed:
        return False
    host = request.host.lower()
    return origin not in (f"http://{host}", f"https://{host}")
