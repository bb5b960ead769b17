"""A client of `graphql-transport-ws`."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import WSMsgType
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiohttp import ClientWebSocketResponse

    from tests.api.client import Api, Document

SECONDS = 10.0
"""How long anything may take; what is told late is told within a second or two."""


@dataclass(slots=True)
class Subscriber:
    socket: ClientWebSocketResponse[Any]

    async def send(self, kind: str, **more: object) -> None:
        await self.socket.send_str(orjson.dumps({"type": kind, **more}).decode())

    async def told(self) -> Document:
        """The next message."""
        async with asyncio.timeout(SECONDS):
            message = await self.socket.receive()
        assert message.type is WSMsgType.TEXT, (message, self.socket.close_code)
        found = orjson.loads(message.data)
        assert isinstance(found, dict)
        return found

    async def greeted(self, payload: Document | None = None) -> None:
        await self.send("connection_init", **({"payload": payload} if payload is not None else {}))
        assert await self.told() == {"type": "connection_ack"}

    async def subscribe(self, query: str, name: str = "1", **variables: object) -> None:
        await self.send("subscribe", id=name, payload={"query": query, "variables": variables})

    async def next(self, name: str = "1") -> Any:
        """The one field of the next answer."""
        message = await self.told()
        assert (message["type"], message["id"]) == ("next", name), message
        assert "errors" not in message["payload"], message
        [found] = message["payload"]["data"].values()
        return found

    async def failure(self) -> str:
        """The reason of a subscription that was refused."""
        message = await self.told()
        errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
        [error] = errors
        reason = error["extensions"]["reason"]
        assert isinstance(reason, str)
        return reason

    async def closed(self) -> int | None:
        """The code with which the connection ends, whatever is told before."""
        async with asyncio.timeout(SECONDS):
            while (await self.socket.receive()).type is WSMsgType.TEXT:
                pass
        return self.socket.close_code


@asynccontextmanager
async def subscribing(
    api: Api,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    protocol: str = "graphql-transport-ws",
) -> AsyncIterator[Subscriber]:
    url = URL(f"http://127.0.0.1:{api.port}/graphql{query}", encoded=True)
    async with api.session.ws_connect(url, headers=headers, protocols=(protocol,)) as socket:
        yield Subscriber(socket)
