"""Answers to `/graphql`. What needs Strawberry is loaded with the first operation: who asks for none pays nothing."""

from __future__ import annotations

import asyncio
import sys
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from aiohttp import web

from service import metrics
from service.access.keyring import Scope
from service.api.context import GATE, MOVING
from service.api.graphql import requests
from service.api.problems import answering, members_of, translated
from service.errors import PlayheadError
from service.moving.forwarding import Asked, Shape, shape_of
from service.moving.model import Side

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from graphql import DocumentNode

    from service.api.graphql.context import Context
    from service.api.graphql.requests import Wanted
    from service.api.problems import Handler

_log = structlog.get_logger()

WELCOME = """\
Here GraphQL is spoken: POST {"query": "...", "variables": {...}} as application/json.
The schema is at /graphql/schema; subscriptions go over a WebSocket, by graphql-transport-ws.
What else there is, and how to show a key or token: /docs
"""


def graphql_answering(handler: Handler) -> Handler:
    """A handler that answers every failure in GraphQL's `errors`, with the status and headers that REST has for it."""

    @wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except PlayheadError as error:
            refused = translated(error)
            refused.body = orjson.dumps(
                {"errors": [{"message": str(error), "extensions": members_of(error)}], "data": None}
            )
            refused.content_type = requests.JSON_TYPE
            return refused
        except (web.HTTPException, ConnectionError):
            raise
        except Exception:
            _log.exception("graphql_failed", path=request.path)
            detail = "playhead failed to answer; its log says why"
            failed = {"message": detail, "extensions": {"reason": "internal_error"}}
            return _json({"errors": [failed], "data": None}, 500)

    return answer


@graphql_answering
async def post(request: web.Request) -> web.StreamResponse:
    await _identify(request)
    return await _answered(request, await requests.posted(request), "POSTED")


@graphql_answering
async def get(request: web.Request) -> web.StreamResponse:
    """A query that stands in the address, a WebSocket, or whoever looks in."""
    if "query" in request.query:
        await _identify(request)
        return await _answered(request, requests.gotten(request), "GOTTEN")
    if request.headers.get("Upgrade", "").lower() == "websocket":
        serve: Callable[[web.Request], Awaitable[web.StreamResponse]]
        serve = (await _loaded("service.api.graphql.socket")).serve
        return await serve(request)
    return web.Response(text=WELCOME)


@answering
async def get_schema(_request: web.Request) -> web.StreamResponse:
    return web.Response(text=(await _loaded("service.api.graphql.schema")).SDL)


async def _answered(request: web.Request, wanted: Wanted, takes: str) -> web.StreamResponse:
    context_module = await _loaded("service.api.graphql.context")
    schema = await _loaded("service.api.graphql.schema")
    context = context_module.Context(request, getattr(context_module, takes))
    document = schema.document_of(wanted, context)
    if isinstance(document, list):
        metrics.REFUSALS.labels("graphql").inc()
        return _json(schema.answer(None, document))
    return await _forwarded(context, wanted, document) or _json(await schema.run(wanted, context))


async def _forwarded(context: Context, wanted: Wanted, document: DocumentNode) -> web.Response | None:
    """The old system's answer, as it came; None where playhead is to answer."""
    moving = context.app[MOVING]
    if moving.reads is not Side.OLD:
        return None
    asked = Asked(wanted.query, document, wanted.variables, wanted.operation_name)
    if shape_of(asked) is Shape.OLD:
        context.demand(Scope.READ if asked.is_query else Scope.INGEST)
    answer = await moving.forwarded(asked, context.request.headers, context.may_write)
    if answer is None:
        return None
    return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)


async def _identify(request: web.Request) -> None:
    if gate := request.app.get(GATE):
        await gate.identify(request)


async def _loaded(name: str) -> Any:
    """A module that loads Strawberry: the first time in a thread, so that others get their turn."""
    known = sys.modules.get(name)
    if known is not None and not getattr(known.__spec__, "_initializing", False):
        return known
    return await asyncio.to_thread(import_module, name)


def _json(document: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(document), content_type=requests.JSON_TYPE)
