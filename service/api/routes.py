"""Every call, and who answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.api import health, ingest, problems, reads

if TYPE_CHECKING:
    from aiohttp import web


def add_routes(app: web.Application) -> None:
    """Routes match the path as it was sent: `%2F` within a name is part of the name.

    A slug comes last wherever it stands, so it may also hold a plain `/`.
    """
    router = app.router
    for path in ("/v1/events", "/events", "/"):
        router.add_post(path, ingest.post_events)
    router.add_get("/v1/movies/{slug:.+}", reads.get_movie)
    router.add_get("/v1/users/{user}", reads.get_user)
    router.add_get("/v1/users/{user}/movies", reads.get_user_movies)
    router.add_get("/v1/users/{user}/movies/{slug:.+}", reads.get_pair)
    router.add_get("/healthz", health.get_health)
    router.add_get("/readyz", health.get_ready)
    router.add_get("/metrics", health.get_metrics)
    router.add_route("*", "/{tail:.*}", problems.unknown)
