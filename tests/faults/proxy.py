"""A TCP proxy that stands between playhead and one of its servers, and does to their connections what networks do."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]

CHUNK_BYTES = 65536


class Link:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client, self.server = client, server
        self.said = b""
        """What the client said last."""

    def cut(self) -> None:
        """Both ends see a reset."""
        for end in (self.client, self.server):
            end.transport.abort()


class Proxy:
    """Forwards to a server, which `connect` reaches. Harmless until it is told otherwise."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self._flows = asyncio.Event()
        self._flows.set()
        self._accepts = True
        self._delay_seconds = 0.0
        self._swallows = False
        self._cut_at: bytes | None = None
        self.cuts = 0
        self.port = 0

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listener
        self._listener.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Every connection, now. New ones are taken."""
        for link in list(self._links):
            link.cut()

    def refuse(self) -> None:
        """Cut, and let nobody in: the other machine is down."""
        self._accepts = False
        self.cut()

    def hold(self) -> None:
        """Nothing arrives anywhere, and nobody is told; what was sent meanwhile arrives after `resume`."""
        self._flows.clear()

    def swallow(self) -> None:
        """Nothing arrives, ever, on the connections that are there: something in between has forgotten them."""
        self._swallows = True

    def delay(self, seconds: float) -> None:
        """Each way."""
        self._delay_seconds = seconds

    def half_close(self) -> None:
        """The server is told that the clients have nothing more to say, while they go on talking."""
        for link in list(self._links):
            if link.server.can_write_eof():
                link.server.write_eof()

    def cut_answer_to(self, said: bytes) -> None:
        """Of the next call that contains this, half of the answer arrives: the server did it, and nobody knows."""
        self._cut_at = said

    def resume(self) -> None:
        """As if nothing had been; connections that were swallowed are reset."""
        if self._swallows:
            self.cut()
        self._accepts, self._swallows, self._delay_seconds, self._cut_at = True, False, 0.0, None
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if not self._accepts:
            writer.transport.abort()
            return
        try:
            from_server, to_server = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, to_server)
        self._links.add(link)
        try:
            await asyncio.gather(self._forward(link, reader), self._answer(link, from_server))
        finally:
            self._links.discard(link)
            link.cut()

    async def _forward(self, link: Link, reader: asyncio.StreamReader) -> None:
        """What the client says, until it ends or resets the connection; after a half-close into the void."""
        with suppress(RuntimeError):
            with suppress(OSError):
                while chunk := await reader.read(CHUNK_BYTES):
                    link.said = chunk
                    if await self._passes():
                        link.server.write(chunk)
                        await link.server.drain()
            link.server.close()

    async def _answer(self, link: Link, reader: asyncio.StreamReader) -> None:
        """What the server answers, until it ends or resets the connection: it died with something unread."""
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                if not await self._passes():
                    continue
                if self._cut_at is not None and self._cut_at in link.said:
                    self._cut_at = None
                    self.cuts += 1
                    link.client.write(chunk[: len(chunk) // 2])
                    await link.client.drain()
                    break
                link.client.write(chunk)
                await link.client.drain()
        link.client.close()

    async def _passes(self) -> bool:
        """Whether what was just read goes on, which may take a while."""
        if self._delay_seconds:
            await asyncio.sleep(self._delay_seconds)
        await self._flows.wait()
        return not self._swallows
