"""Clients of Redis and Postgres of which one call fails: before it is sent, or after it took effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
from redis.asyncio import Redis
from redis.asyncio.connection import Connection as TcpConnection
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from service.counters.links import Links

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence


@dataclass
class Calls:
    """What goes to either server, counted; the connection breaks at the call `fails_at`."""

    takes_effect: bool
    fails_at: int = 0
    made: int = 0

    def arm(self, fails_at: int) -> None:
        """From now on calls are counted from 1, and this one fails; none, if it is 0."""
        self.made, self.fails_at = 0, fails_at

    def is_failing(self) -> bool:
        self.made += 1
        return self.made == self.fails_at


def postgres_connection(calls: Calls) -> type[Any]:
    """A class of connections, for `asyncpg.create_pool`."""

    class Breaking(asyncpg.Connection):
        async def execute(self, *args: Any, **options: Any) -> Any:
            return await self._perhaps(super().execute(*args, **options))

        async def fetch(self, *args: Any, **options: Any) -> Any:
            return await self._perhaps(super().fetch(*args, **options))

        async def fetchrow(self, *args: Any, **options: Any) -> Any:
            return await self._perhaps(super().fetchrow(*args, **options))

        async def fetchval(self, *args: Any, **options: Any) -> Any:
            return await self._perhaps(super().fetchval(*args, **options))

        async def copy_records_to_table(self, *args: Any, **options: Any) -> Any:
            return await self._perhaps(super().copy_records_to_table(*args, **options))

        async def _perhaps(self, call: Awaitable[Any]) -> Any:
            if not calls.is_failing():
                return await call
            if calls.takes_effect:
                await call
            else:
                call.close()  # type: ignore[attr-defined]
            self.terminate()
            raise asyncpg.ConnectionDoesNotExistError("broken by the test")

    return Breaking


def breaking_redis(url: str, calls: Calls) -> Redis:
    """A client that says nothing on its own: a pipeline is one call, and there is no other."""
    place: dict[str, Any] = dict(parse_url(url))
    base: Any = place.pop("connection_class", TcpConnection)

    class Breaking(base):  # type: ignore[misc]
        async def send_packed_command(self, *args: Any, **options: Any) -> None:
            is_failing = calls.is_failing()
            if not is_failing or calls.takes_effect:
                await super().send_packed_command(*args, **options)
            if is_failing:
                if calls.takes_effect:
                    await super().read_response()
                await self.disconnect()
                raise RedisConnectionError("broken by the test")

    class BreakingLinks(Links):
        async def exchange(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
            is_failing = calls.is_failing()
            replies = [] if is_failing and not calls.takes_effect else await super().exchange(commands)
            if is_failing:
                await self.disconnect()
                raise RedisConnectionError("broken by the test")
            return replies

    options: dict[str, Any] = {"protocol": 2, "driver_info": None, "retry": Retry(NoBackoff(), 0)}
    # Without `driver_info` it does not introduce itself.
    return Redis.from_pool(BreakingLinks(connection_class=Breaking, **place, **options))
