"""Connections to one Redis, on which words are sent at once, and whose replies whoever awaits them has at once.

redis-py makes them: it knows of addresses, of TLS, of passwords. The words themselves it exchanges with a lock, a
stream, a task and two timeouts, so that they leave a turn of the loop later and the replies are read another turn
later, each as long as all requests that have come meanwhile take.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Any, cast

from hiredis import PushNotification, Reader, pack_command
from redis.asyncio.connection import ConnectionPool, DefaultParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextvars import Context

    from redis.asyncio import Redis
    from redis.asyncio.connection import AbstractConnection

_NOT_WHOLE = object()
"""What is read of a reply of which some is still to come."""


class Links(ConnectionPool):
    """The connections of one client: those that redis-py lends for single commands, and those for `exchange`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._idle: list[_Link] = []
        self._links: set[_Link] = set()
        self._opening = 0

    async def exchange(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send these commands, in words; gives the reply to each, in order, the exception where one was refused.

        Whoever awaits this goes on in the turn of the loop in which the last reply comes. Raises RedisError when the
        connection fails, and when nothing comes for as long as `socket_timeout`: then it is not known what was done.
        """
        if not commands:
            return []
        packed = b"".join([pack_command(words) for words in commands])
        link = self._idle.pop() if self._idle else await self._open()
        return await link.exchange(packed, len(commands))

    async def disconnect(self, inuse_connections: bool = True) -> None:
        for link in list(self._links if inuse_connections else self._idle):
            link.close(RedisConnectionError("the client was closed"))
        await super().disconnect(inuse_connections)

    def give_back(self, link: _Link) -> None:
        """It is free for the next exchange."""
        self._idle.append(link)

    def forget(self, link: _Link) -> None:
        """It is closed."""
        self._links.discard(link)
        if link in self._idle:
            self._idle.remove(link)

    async def _open(self) -> _Link:
        if len(self._links) + self._opening >= self.max_connections:
            raise RedisConnectionError(f"{self.max_connections} connections are in use already")
        self._opening += 1
        try:
            connection = self.make_connection()  # type: ignore[no-untyped-call]
            await connection.connect()
        finally:
            self._opening -= 1
        link = _Link(connection, self)
        self._links.add(link)
        return link


def links_of(redis: Redis) -> Links:
    """Of a client of one server, as `service.counters.connection` and `service.counters.cluster` make it."""
    links = redis.connection_pool
    assert isinstance(links, Links)
    return links


class _Link(asyncio.Protocol):
    """One connection: one exchange at a time. It is closed when that fails, or whoever awaits it leaves.

    Nobody may take what is left of the replies for theirs.
    """

    def __init__(self, connection: AbstractConnection, links: Links) -> None:
        self._connection = connection  # its stream would close itself when nobody holds it any more
        self._links = links
        self._loop = asyncio.get_running_loop()
        self._timeout_seconds: float = connection.socket_timeout or inf
        self._reader = Reader(
            protocolError=RedisConnectionError,
            replyError=DefaultParser.parse_error,
            notEnoughData=_NOT_WHOLE,
        )
        self._answer: _Prompt | None = None
        self._count = 0
        self._replies: list[Any] = []
        self._heard = 0.0
        """When something came last, or was sent."""
        self._watch: asyncio.TimerHandle | None = None
        assert connection._writer
        self._transport = cast("asyncio.Transport", connection._writer.transport)
        self._transport.set_protocol(self)

    async def exchange(self, packed: bytes, count: int) -> list[Any]:
        answer = self._answer = _Prompt(loop=self._loop)
        self._count = count
        self._heard = self._loop.time()
        if self._watch is None and self._timeout_seconds < inf:
            self._watch = self._loop.call_later(self._timeout_seconds, self._look)
        self._transport.write(packed)
        try:
            return await answer
        finally:
            if self._answer is answer:
                self.close(RedisConnectionError("whoever waited has left"))

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        reader, replies = self._reader, self._replies
        reader.feed(data)
        try:
            while (reply := reader.gets()) is not _NOT_WHOLE:
                if not isinstance(reply, PushNotification):
                    replies.append(reply)
        except RedisConnectionError as garbled:
            self.close(garbled)
            return
        if len(replies) > self._count:
            self.close(RedisConnectionError("Redis sent more than it was asked for"))
        elif self._answer and len(replies) == self._count:
            answer, self._answer = self._answer, None
            self._count, self._replies = 0, []
            self._links.give_back(self)
            answer.tell(replies)

    def connection_lost(self, failed: Exception | None) -> None:
        self.close(RedisConnectionError(f"Redis closed the connection ({failed or 'without a reason'})"))

    def close(self, reason: Exception) -> None:
        """Whoever waits is told the reason."""
        self._links.forget(self)
        self._transport.abort()
        self._connection._close()  # type: ignore[no-untyped-call] # what its stream holds
        if self._watch:
            self._watch.cancel()
        answer, self._answer = self._answer, None
        if answer and not answer.done():
            answer.set_exception(reason)

    def _look(self) -> None:
        """Whether somebody has waited too long. One timer is enough for all exchanges that follow each other."""
        self._watch = None
        if self._answer is None:
            return
        left_seconds = self._heard + self._timeout_seconds - self._loop.time()
        if left_seconds > 0:
            self._watch = self._loop.call_later(left_seconds, self._look)
        else:
            self.close(RedisTimeoutError(f"nothing came for {self._timeout_seconds} s"))


class _Prompt(asyncio.Future[list[Any]]):
    """A future of which the one task that awaits it goes on at once when it is told, and not in the next turn."""

    _waiter: Callable[[_Prompt], object] | None = None
    _context: Context | None = None

    def add_done_callback(
        self, fn: Callable[[_Prompt], object], /, *, context: Context | None = None
    ) -> None:
        super().add_done_callback(fn, context=context)
        self._waiter, self._context = fn, context

    def tell(self, replies: list[Any]) -> None:
        """Give what is awaited. Only for callbacks of the loop: no task can go on while another one is."""
        if self.done():  # whoever waited has left
            return
        waiter, context = self._waiter, self._context
        assert waiter is not None
        assert context is not None  # an empty one is false
        self.remove_done_callback(waiter)
        self.set_result(replies)
        context.run(waiter, self)
