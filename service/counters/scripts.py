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
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.exceptions import (
    AskError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from service.counters.exchange import exchange
from service.counters.servers import home_of, server_of
from service.errors import BacklogFull, MemoryFull, NotRecovered, RedisUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Sequence

    from redis.asyncio import Redis

    from service.counters.cluster import Command

_INCLUDE = re.compile(r"^-- @include (\S+)$", re.MULTILINE)
_PRELUDE = "#!lua name=playhead_{version}\nlocal VERSION = '{version}'\n"


class Stale(Exception):
    """What was to be put into Redis may be older than what left it; nothing was changed."""


LOG = 1
"""The place of the log among the keys of `apply`, the one function that waits for replicas."""

Call = tuple[str, list[str], list[str | bytes | int]]
"""The name of a function, its keys and its arguments."""


NOT_NOW = (
    *(RedisConnectionError, RedisTimeoutError, OSError),
    *(MovedError, AskError, TryAgainError, ClusterDownError, MasterDownError),
)
"""What a server is answered for, or answers, that is away, loading, or not the one to be asked at this moment."""


class Copies(NamedTuple):
    """How many replicas must have what the calls wrote, and how long they may take; 0 replicas for no matter."""

    replicas: int = 0
    wait_ms: int = 0


NO_COPIES = Copies()


@cache
def whole_library() -> tuple[str, str]:
    """The version of the library, and its source with every include in its place."""
    folder = files("lua")

    def included(line: re.Match[str]) -> str:
        text = folder.joinpath(line[1]).read_text(encoding="utf-8")
        return text if line[1].startswith("include/") else f"do\n{text}end"

    body = _INCLUDE.sub(included, folder.joinpath("playhead.lua").read_text(encoding="utf-8"))
    version = sha256(body.encode()).hexdigest()[:12]
    return version, _PRELUDE.format(version=version) + body


def function_name(name: str) -> str:
    return f"playhead_{name}_{whole_library()[0]}"


async def load(redis: Redis) -> None:
    """Make sure that the server has this version of the library."""
    await redis.function_load(whole_library()[1], replace=True)


async def call(
    redis: Redis, calls: Sequence[Call], copies: Copies = NO_COPIES, *, follow: bool = True
) -> list[Any]:
    """Make these calls in one round trip; gives their replies, in order. One that was refused gives its exception.

    Raises RedisUnavailable when the connection failed, the server is still loading, or too few replicas have what was
    written: then it is not known which of the calls took effect. In a cluster, calls for a slot that has moved are made
    where it is now; without `follow` that is RedisUnavailable too, and the next calls go there.
    """
    replies = await _send(redis, calls, copies, follow)
    lost = [place for place, reply in enumerate(replies) if _is_lost(reply)]
    if lost:
        again = [calls[place] for place in lost]
        await _load_again(redis, again)
        for place, reply in zip(lost, await _send(redis, again, copies, follow), strict=True):
            replies[place] = reply
    return [translated(reply) for reply in replies]


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


async def _send(redis: Redis, calls: Sequence[Call], copies: Copies, follow: bool) -> list[Any]:
    commands: list[Command] = [
        (("FCALL", function_name(name), len(keys), *keys, *args), {}) for name, keys, args in calls
    ]
    if copies.replicas:
        commands += _waits(redis, calls, copies)
    try:
        replies = await exchange(redis, commands, follow=follow)
    except (RedisError, OSError) as failed:
        raise RedisUnavailable(f"Redis did not answer: {failed or type(failed).__name__}") from failed
    for reply in replies:
        if isinstance(reply, NOT_NOW):
            raise RedisUnavailable(f"Redis cannot answer yet: {reply}") from reply
    _refuse_too_few(replies[len(calls) :], copies)
    return replies[: len(calls)]


def _waits(redis: Redis, calls: Sequence[Call], copies: Copies) -> Iterator[Command]:
    """Once a server, behind its calls and on their connection, since WAIT speaks of what that connection wrote.

    Calls that change nothing, since they come again or hold only duplicates, must wait for what was written before them
    and may not be on the replicas yet. So something is written, whatever they do.
    """
    firsts: dict[str, str] = {}
    for _, spelled, _ in calls:
        firsts.setdefault(home_of(redis, spelled[LOG]), spelled[LOG])
    for log in firsts.values():
        yield ("HSET", log, "waited", 1), {}
        yield ("WAIT", copies.replicas, copies.wait_ms), {"keys": [log]}


def _refuse_too_few(waits: list[Any], copies: Copies) -> None:
    for reached in waits[1::2]:
        if not isinstance(reached, int) or reached < copies.replicas:
            raise RedisUnavailable(
                f"{reached} replicas have it in time, fewer than PLAYHEAD_REPLICAS_MIN ({copies.replicas})"
            )


async def _load_again(redis: Redis, calls: Sequence[Call]) -> None:
    """Give the library back to each server that has lost it."""
    try:
        for server in {server_of(redis, spelled[0]) for _, spelled, _ in calls}:
            await load(server)
    except (RedisError, OSError) as failed:
        raise RedisUnavailable(f"Redis did not take the script: {failed}") from failed


def _is_lost(reply: Any) -> bool:
    return isinstance(reply, ResponseError) and "Function not found" in str(reply)


def translated(reply: Any) -> Any:
    """The reply, or what the script refused with as an exception of ours."""
    if not isinstance(reply, Exception):
        return reply
    if str(reply).startswith("BACKLOG"):
        return BacklogFull("more events wait for Postgres than may (PLAYHEAD_BACKLOG_EVENTS_MAX)")
    if str(reply).startswith("STALE"):
        return Stale(str(reply))
    if str(reply).startswith("CLOSED"):
        return NotRecovered("Redis is being brought level with Postgres")
    if str(reply).startswith("OOM"):
        return MemoryFull("Redis has no memory left for more (maxmemory)")
    return RedisUnavailable(f"Redis refused: {reply}")
