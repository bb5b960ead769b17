"""The one module that runs Lua: puts the library together, loads it, and calls its functions.

A function's name ends in a digest of the whole library. So two versions of playhead can share a Redis during an
upgrade, and a call can never meet another version's code. Functions are written to the append-only file and to
replicas; where a server has lost them all the same (FUNCTION FLUSH, an empty server in its place), the call says so,
the library is loaded and the call made again: nothing was done by the one that failed.
"""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from service.errors import BacklogFull, NotRecovered, RedisUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from redis.asyncio import Redis

_INCLUDE = re.compile(r"^-- @include (\S+)$", re.MULTILINE)
_PRELUDE = """#!lua name=playhead_{version}
local function register(name, callback, flag)
  redis.register_function{{
    function_name = 'playhead_' .. name .. '_{version}', callback = callback, flags = flag and {{ flag }} or {{}} }}
end
"""

Call = tuple[str, list[str], list[str | bytes | int]]
"""The name of a function, its keys and its arguments."""


@cache
def library() -> tuple[str, str]:
    """The version of the library, and its source with every include in its place."""
    folder = files("lua")

    def included(line: re.Match[str]) -> str:
        return folder.joinpath(line[1]).read_text(encoding="utf-8")

    body = _INCLUDE.sub(included, folder.joinpath("playhead.lua").read_text(encoding="utf-8"))
    version = sha256(body.encode()).hexdigest()[:12]
    return version, _PRELUDE.format(version=version) + body


def function_name(name: str) -> str:
    return f"playhead_{name}_{library()[0]}"


async def load(redis: Redis) -> None:
    """Make sure that the server has this version of the library."""
    await redis.function_load(library()[1], replace=True)


async def call(redis: Redis, calls: Sequence[Call]) -> list[Any]:
    """Make these calls in one round trip; gives their replies, in order. One that was refused gives its exception.

    Raises RedisUnavailable when the connection failed, or the server is still loading: then it is not known which of
    the calls took effect.
    """
    replies = await _send(redis, calls)
    lost = [place for place, reply in enumerate(replies) if _is_lost(reply)]
    if lost:
        try:
            await load(redis)
        except (RedisError, OSError) as failed:
            raise RedisUnavailable(f"Redis did not take the script: {failed}") from failed
        for place, reply in zip(lost, await _send(redis, [calls[place] for place in lost]), strict=True):
            replies[place] = reply
    return [_translated(reply) for reply in replies]


async def call_one(redis: Redis, name: str, keys: list[str], args: list[str | bytes | int]) -> Any:
    """One call. Raises what it failed with."""
    (reply,) = await call(redis, [(name, keys, args)])
    if isinstance(reply, Exception):
        raise reply
    return reply


async def guarded(command: Awaitable[Any]) -> Any:
    """The reply to a plain command. Raises RedisUnavailable."""
    try:
        return await command
    except (RedisError, OSError) as failed:
        raise RedisUnavailable(f"Redis did not answer: {failed or type(failed).__name__}") from failed


async def _send(redis: Redis, calls: Sequence[Call]) -> list[Any]:
    pipeline = redis.pipeline(transaction=False)
    for name, keys, args in calls:
        pipeline.execute_command("FCALL", function_name(name), len(keys), *keys, *args)
    try:
        replies = await pipeline.execute(raise_on_error=False)
    except (RedisError, OSError) as failed:
        raise RedisUnavailable(f"Redis did not answer: {failed or type(failed).__name__}") from failed
    for reply in replies:
        if isinstance(reply, RedisConnectionError):
            raise RedisUnavailable(f"Redis cannot answer yet: {reply}") from reply
    return replies


def _is_lost(reply: Any) -> bool:
    return isinstance(reply, ResponseError) and "Function not found" in str(reply)


def _translated(reply: Any) -> Any:
    if not isinstance(reply, Exception):
        return reply
    if str(reply).startswith("BACKLOG"):
        return BacklogFull("more events wait for Postgres than may (PLAYHEAD_BACKLOG_EVENTS_MAX)")
    if str(reply).startswith("CLOSED"):
        return NotRecovered("Redis is being brought level with Postgres")
    return RedisUnavailable(f"Redis refused: {reply}")
