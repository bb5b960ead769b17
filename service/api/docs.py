"""The page that draws the interface's description. All of it comes from this package, nothing from elsewhere."""

from __future__ import annotations

from importlib.resources import as_file, files
from string import Template
from typing import TYPE_CHECKING

from aiohttp import web

from service import limits
from service.api.inbox import PING_SECONDS
from service.api.problems import answering
from service.errors import NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from service.settings import Settings

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
"""Swagger UI writes style attributes, and its stylesheet holds its icons as data."""

REVALIDATED = "no-cache"
LASTING = "public, max-age=31536000, immutable"
"""For what is asked for with its version in the address."""

ASSETS = {
    "docs.js": ("text/javascript", REVALIDATED),
    "docs.css": ("text/css", REVALIDATED),
    "icon.svg": ("image/svg+xml", REVALIDATED),
    "swagger-ui/swagger-ui-bundle.js": ("text/javascript", LASTING),
    "swagger-ui/swagger-ui.css": ("text/css", LASTING),
}
"""What the page loads: all that is served of the folder, with media type and time to be kept."""


@answering
async def get_welcome(_request: web.Request) -> web.StreamResponse:
    """Who opens the bare address in a browser is shown what is here."""
    return web.Response(status=302, headers={"Location": "/docs"}, text="playhead: see /docs\n")


@answering
async def get_docs(_request: web.Request) -> web.StreamResponse:
    return _file("docs.html", "text/html", REVALIDATED)


@answering
async def get_asset(request: web.Request) -> web.StreamResponse:
    name = request.match_info["asset"]
    if name not in ASSETS:
        raise NotFound(f"the page has no {name!r}")
    return _file(name, *ASSETS[name])


def prose(settings: Settings, name: str) -> str:
    """A text of the description, with the bounds that hold here filled in."""
    bounds = {
        **vars(limits),
        "body_mib": limits.BODY_BYTES_MAX // 2**20,
        "stream_mib": limits.STREAM_BYTES_MAX // 2**20,
        "speed_max": f"{limits.SPEED_MAX:g}",
        "event_kib": limits.EVENT_BYTES_MAX // 2**10,
        "heartbeat_interval_seconds": settings.heartbeat_interval_seconds,
        "heartbeat_gap_seconds": settings.heartbeat_gap_seconds,
        "ping_seconds": f"{PING_SECONDS:g}",
        "body_timeout_seconds": f"{settings.body_timeout_seconds:g}",
        "idempotency_hours": f"{settings.idempotency_window_seconds / 3600:g}",
    }
    return Template(_path(name).read_text()).substitute(bounds)


def _file(name: str, media_type: str, kept: str) -> web.FileResponse:
    kind = f"{media_type}; charset=utf-8"
    return web.FileResponse(
        _path(name), headers={**PAGE_HEADERS, "Content-Type": kind, "Cache-Control": kept}
    )


def _path(name: str) -> Path:
    with as_file(
        files("service.web") / name
    ) as path:  # playhead is installed as files, never run from an archive
        return path
