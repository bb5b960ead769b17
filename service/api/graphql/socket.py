"""One client's subscriptions over a WebSocket, by graphql-transport-ws. Strawberry speaks it; who may is asked here.

A client that reads slowly is told less: of several changes it gets the last one.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import WSCloseCode, WSMsgType, web
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import (
    NonJsonMessageReceived,
    NonTextMessageReceived,
    WebSocketDisconnected,
)
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.types.unset import UNSET

from service import metrics
from service.api.context import GATE, SETTINGS, SOCKETS
from service.api.graphql.context import STREAMED, Context
from service.api.graphql.schema import SCHEMA
from service.api.guard import credential_in
from service.api.headers import is_foreign
from service.api.inbox import PING_SECONDS
from service.errors import BadRequest, Forbidden, JwksUnavailable, NotAllowed
from service.limits import SOCKET_MESSAGE_BYTES_MAX, SUBSCRIPTIONS_PER_CONNECTION_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

INIT_SECONDS: Final = timedelta(seconds=10)
"""How long a client may take to say who it is."""

RECHECK_SECONDS: Final = 1.0
"""How long a key that was revoked may still listen."""

FORBIDDEN: Final = 4403
"""By graphql-transport-ws: may not."""

_REASON_BYTES_MAX: Final = 123


async def serve(request: web.Request) -> web.StreamResponse:
    """Until the client goes, or may not any more, or playhead stops. Raises BadRequest, Forbidden."""
    socket = web.WebSocketResponse(
        protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
        heartbeat=PING_SECONDS,
        max_msg_size=SOCKET_MESSAGE_BYTES_MAX,
        compress=False,
    )
    ready = socket.can_prepare(request)
    if not ready.ok or ready.protocol is None:
        raise BadRequest(
            400, "unknown_subprotocol", f"expected a WebSocket by {GRAPHQL_TRANSPORT_WS_PROTOCOL}"
        )
    if is_foreign(request):
        detail = "pages of this origin may not subscribe (PLAYHEAD_CORS_ORIGINS names those that may)"
        raise Forbidden("foreign_origin", detail)
    await socket.prepare(request)
    with metrics.STREAMS.track_inprogress():
        await Subscriber(request, socket).serve()
    return socket


class Subscriber:
    """What Strawberry's handler calls its view and its socket, in one."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        self._request, self._socket = request, socket
        self._context = Context(request, STREAMED)
        self._patience_seconds = request.app[SETTINGS].body_timeout_seconds
        self._closing: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        handler: BaseGraphQLTransportWSHandler[Any, Any] = BaseGraphQLTransportWSHandler(
            self,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            self._context,
            None,
            SCHEMA,
            INIT_SECONDS,
            SUBSCRIPTIONS_PER_CONNECTION_MAX,
        )
        sockets, checking = self._request.app[SOCKETS], asyncio.create_task(self._recheck(), name="recheck")
        sockets.add(self)
        try:
            await handler.handle()
        finally:
            sockets.discard(self)
            checking.cancel()
            if self._closing:
                await self._closing

    def end(self) -> None:
        """Playhead stops."""
        self._close_soon(WSCloseCode.GOING_AWAY, "playhead is stopping")

    async def on_ws_connect(self, context: Context) -> object:
        """The head of the request says who it is, or the first message does. Raises ConnectionRejectionError."""
        given = context.connection_params
        said = given.get("Authorization", given.get("authorization")) if isinstance(given, dict) else None
        if isinstance(said, str):
            context.shown = credential_in(said) or said.strip()
        if gate := context.app.get(GATE):
            try:
                await gate.identify(context.request, context.shown)
            except (NotAllowed, JwksUnavailable):
                raise ConnectionRejectionError from None
        return UNSET

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncIterator[object]:
        del ignore_parsing_errors  # this protocol ends where something is no JSON
        async for message in self._socket:
            if message.type is WSMsgType.BINARY:
                raise NonTextMessageReceived
            if message.type is WSMsgType.TEXT:
                yield self._read(message.data)

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Raises WebSocketDisconnected, also for a client that does not read."""
        try:
            async with asyncio.timeout(self._patience_seconds):
                await self._socket.send_str(orjson.dumps(message).decode())
        except (ConnectionError, RuntimeError, TimeoutError) as gone:
            raise WebSocketDisconnected from gone

    async def close(self, code: int, reason: str) -> None:
        with suppress(ConnectionError, RuntimeError):
            await self._socket.close(code=code, message=reason.encode()[:_REASON_BYTES_MAX])

    async def _recheck(self) -> None:
        """Whether the key or token is still good, for as long as the connection lasts."""
        gate = self._request.app.get(GATE)
        while gate and not self._socket.closed:
            await asyncio.sleep(RECHECK_SECONDS)
            if not self._is_known:
                continue
            try:
                gate.recheck(self._request, self._context.shown)
            except NotAllowed as refused:
                self._close_soon(FORBIDDEN, str(refused))
                return

    @property
    def _is_known(self) -> bool:
        """Whether it was said who it is."""
        return self._context.connection_params is not None

    def _close_soon(self, code: int, reason: str) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self.close(code, reason), name="farewell")

    @staticmethod
    def _read(text: str) -> object:
        try:
            found = orjson.loads(text)
        except ValueError as malformed:
            raise NonJsonMessageReceived from malformed
        if not isinstance(found, dict):
            raise NonJsonMessageReceived
        return found
