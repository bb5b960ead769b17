"""Every call: who answers it, and what its description says."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from service.access.keyring import Scope
from service.api import docs, erasure, health, ingest, problems, reads, stream
from service.api.calls import (
    AWAY,
    CURSOR,
    FAILED,
    KEYED,
    LATER,
    LIMIT,
    NEVER_SEEN,
    Answer,
    Call,
    Parameter,
    Whose,
    failure,
)
from service.api.context import SETTINGS
from service.api.courses.calls import COURSE_CALLS, COURSE_TAGS
from service.api.graphql.calls import GRAPHQL_CALLS, GRAPHQL_TAGS
from service.api.headers import SHARED, Sharing, refuse_sniffing
from service.api.openapi import DESCRIPTION, KEY_SCHEMES, TOKEN_SCHEME, describe, get_openapi
from service.api.posting import EVENT_ANSWERS, EVENT_BODIES, STATE, STREAM_ANSWERS
from service.api.schemas import (
    Erasure,
    Event,
    Health,
    Movie,
    NotReady,
    Overloaded,
    PairPage,
    PairWithCoverage,
    Ready,
    User,
)
from service.api.video.calls import VIDEO_CALLS, VIDEO_TAGS
from service.limits import PAGE_MAX, SLUG_CHARS_MAX, USER_CHARS_MAX

if TYPE_CHECKING:
    from aiohttp import web

    from service.api.calls import Json
    from service.api.guard import Guard


def add_routes(app: web.Application, guard: Guard | None) -> None:
    """Routes match the path as it was sent: `%2F` within a name is part of the name.

    A slug comes last wherever it stands, so it may also hold a plain `/`.
    """
    handlers = [
        (call, guard.guarded(call, scope) if guard and (scope := call.scope_at_door) else call.handler)
        for call in ALL_CALLS
    ]
    for call, handler in handlers:
        if call.method == "GET":
            app.router.add_get(call.path, handler, expect_handler=problems.expect)  # and HEAD
        else:
            app.router.add_route(call.method, call.path, handler, expect_handler=problems.expect)
    app.on_response_prepare.append(refuse_sniffing)
    if origins := app[SETTINGS].origins:
        Sharing(origins).add_to(app, [(call, handler) for call, handler in handlers if call.scope in SHARED])
    app.router.add_route("*", "/{tail:(?s:.*)}", problems.unknown, expect_handler=problems.expect)
    app[DESCRIPTION] = describe(ALL_CALLS, TAGS, partial(docs.prose, app[SETTINGS]), _schemes(guard))


def _schemes(guard: Guard | None) -> Json:
    if guard is None:
        return {}
    return KEY_SCHEMES | TOKEN_SCHEME if guard.takes_tokens else KEY_SCHEMES


TAGS = {
    "events": "What players and event generators send.",
    "counters": "What was counted, as it is now.",
    **COURSE_TAGS,
    **VIDEO_TAGS,
    **GRAPHQL_TAGS,
    "operation": "For whoever runs playhead.",
    "interface": "This description.",
}

USER = Parameter(
    "user", "path", "who watches", {"type": "string", "minLength": 1, "maxLength": USER_CHARS_MAX}, "ann"
)
SLUG = Parameter(
    "slug",
    "path",
    "what is watched; may hold `/`",
    {"type": "string", "minLength": 1, "maxLength": SLUG_CHARS_MAX},
    "dune",
)
POST_EVENTS = Call(
    "POST",
    "/v1/events",
    ingest.post_events,
    "post_events",
    "events",
    "Count events",
    EVENT_ANSWERS,
    scope=Scope.INGEST,
    whose=Whose.USERS_WITHIN,
    bodies=EVENT_BODIES,
    models=(Event,),
    prose="events.md",
)
OPEN_STREAM = Call(
    "GET",
    "/v1/stream",
    stream.get_stream,
    "open_stream",
    "events",
    "Count events over a WebSocket",
    STREAM_ANSWERS,
    scope=Scope.INGEST,
    whose=Whose.USERS_WITHIN,
    prose="stream.md",
)
TOTALS = {"watch_seconds": 10, "effective_seconds": 10, "unique_seconds": 10}
MOVIE_TOTALS = {"slug": "dune", **TOTALS, "viewers": 1, "events": 1}
USER_TOTALS = {"user": "ann", **TOTALS, "movies": 1, "events": 1}

ERASED: dict[str, Any] = {
    "user": "ann",
    "complete": True,
    "erased": {"movies": 1, "sessions": 1, "events": 1, "ids": 0, "raw_events": 1},
}

SAME = "The same as `POST /v1/events`."

CALLS = (
    POST_EVENTS,
    OPEN_STREAM,
    replace(POST_EVENTS, path="/events", name="post_events_at_events", prose="", description=SAME),
    replace(POST_EVENTS, path="/", name="post_events_at_root", prose="", description=SAME),
    Call(
        "GET",
        "/v1/movies/{slug:(?s:.+)}",
        reads.get_movie,
        "get_movie",
        "counters",
        "How long a movie was watched",
        (
            Answer(200, "The movie's totals.", (Movie,), example=MOVIE_TOTALS),
            NEVER_SEEN,
            AWAY,
            *KEYED,
            FAILED,
        ),
        scope=Scope.READ,
        whose=Whose.EVERYBODYS,
        parameters=(SLUG,),
    ),
    Call(
        "GET",
        "/v1/users/{user:[^/]+}",
        reads.get_user,
        "get_user",
        "counters",
        "How long a user watched",
        (Answer(200, "The user's totals.", (User,), example=USER_TOTALS), NEVER_SEEN, AWAY, *KEYED, FAILED),
        scope=Scope.READ,
        whose=Whose.USERS_IN_PATH,
        parameters=(USER,),
    ),
    Call(
        "DELETE",
        "/v1/users/{user:[^/]+}",
        erasure.delete_user,
        "delete_user",
        "counters",
        "Erase a person",
        (
            Answer(
                200,
                "Nothing of the user is left: no counters, raw events, sessions or idempotency keys, and the movies'"
                " totals are without them.",
                (Erasure,),
                example=ERASED,
            ),
            Answer(
                202,
                "Erased from all that is counted and read; Postgres does not answer or is behind, and deletes the rest"
                " with its next flush. Ask again to see it done: then it is 404.",
                (Erasure,),
                example=ERASED | {"complete": False, "erased": ERASED["erased"] | {"raw_events": None}},
            ),
            NEVER_SEEN,
            AWAY,
            *KEYED,
            FAILED,
        ),
        scope=Scope.ADMIN,
        whose=Whose.USERS_IN_PATH,
        parameters=(USER,),
        description="It cannot be undone. Events that come later begin anew.",
    ),
    Call(
        "GET",
        "/v1/users/{user:[^/]+}/movies",
        reads.get_user_movies,
        "get_user_movies",
        "counters",
        "What a user watches, latest first: continue watching",
        (
            Answer(
                200,
                "A page of the user's movies; those only opened come last.",
                (PairPage,),
                example={"items": [STATE], "next_cursor": None},
            ),
            failure(
                400,
                "`bad_limit`, `bad_cursor`.",
                "bad_limit",
                f"limit: got '0', expected a whole number from 1 to {PAGE_MAX}",
            ),
            NEVER_SEEN,
            AWAY,
            *KEYED,
            FAILED,
        ),
        scope=Scope.READ,
        whose=Whose.USERS_IN_PATH,
        parameters=(USER, LIMIT, CURSOR),
    ),
    Call(
        "GET",
        "/v1/users/{user:[^/]+}/movies/{slug:(?s:.+)}",
        reads.get_pair,
        "get_pair",
        "counters",
        "Where a user stopped, and which seconds they have seen",
        (
            Answer(
                200,
                "The user's counters on the movie.",
                (PairWithCoverage,),
                example=STATE | {"coverage": [[4490, 4500]]},
            ),
            NEVER_SEEN,
            AWAY,
            *KEYED,
            FAILED,
        ),
        scope=Scope.READ,
        whose=Whose.USERS_IN_PATH,
        parameters=(USER, SLUG),
    ),
    Call(
        "GET",
        "/healthz",
        health.get_health,
        "get_health",
        "operation",
        "Whether this process is alive",
        (Answer(200, "It is.", (Health,)), FAILED),
        scope=None,
    ),
    Call(
        "GET",
        "/readyz",
        health.get_ready,
        "get_ready",
        "operation",
        "Whether an event would be accepted durably now",
        (
            Answer(200, "It would; `warnings` say what is promised less than it should be.", (Ready,)),
            failure(
                503,
                "`redis_unavailable`, `not_recovered`, `replicas_missing`, `memory_full`, or as many events"
                " wait as may: `queue_full`, `backlog_full`.",
                "redis_unavailable",
                "Redis did not answer: Connection refused",
                NotReady,
                Overloaded,
                headers=LATER,
                ready=False,
            ),
            FAILED,
        ),
        scope=None,
    ),
    Call(
        "GET",
        "/metrics",
        health.get_metrics,
        "get_metrics",
        "operation",
        "Metrics for Prometheus",
        (
            Answer(200, "Prometheus' text format, of all processes together.", media_type="text/plain"),
            *KEYED,
            FAILED,
        ),
        scope=Scope.READ,
    ),
    Call(
        "GET",
        "/openapi.json",
        get_openapi,
        "get_openapi",
        "interface",
        "This description, as OpenAPI 3.1",
        (
            Answer(200, "The description.", media_type="application/json"),
            Answer(304, "`If-None-Match` names this one."),
            FAILED,
        ),
        scope=None,
    ),
    Call(
        "GET",
        "/docs",
        docs.get_docs,
        "get_docs",
        "interface",
        "This description, for people",
        (Answer(200, "A page.", media_type="text/html"), Answer(304, "It did not change."), FAILED),
        scope=None,
    ),
    Call(
        "GET",
        "/",
        docs.get_welcome,
        "get_welcome",
        "interface",
        "For whoever opens the bare address",
        (Answer(302, "`/docs` is the page.", headers={"Location": "`/docs`"}), FAILED),
        scope=None,
    ),
    Call(
        "GET",
        "/docs/{asset:.+}",
        docs.get_asset,
        "get_asset",
        "interface",
        "",
        (),
        scope=None,
        is_described=False,
    ),
)

ALL_CALLS = (*CALLS, *COURSE_CALLS, *VIDEO_CALLS, *GRAPHQL_CALLS)
