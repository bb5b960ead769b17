"""Commands and their replies, in one round trip, past redis-py's pipelines (`service.counters.links` says why)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.counters.cluster import in_cluster
from service.counters.links import links_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from service.counters.cluster import Command


async def exchange(redis: Redis, commands: Sequence[Command], *, follow: bool = True) -> list[Any]:
    """The reply to each command, in order; where one was refused, the exception. Raises RedisError, OSError.

    In a cluster each goes to its master, and what failed on its way there is a reply, too; without `follow` those for
    slots that have moved are not sent again elsewhere.
    """
    if in_cluster(redis):
        return await redis.send(commands, follow=follow)
    return await links_of(redis).exchange([words for words, _ in commands])


async def at_once(redis: Redis, key: str, *commands: tuple[Any, ...]) -> list[Any]:
    """The replies to these commands, all of one moment; their keys are in the slot of `key`.

    Raises RedisError, OSError.
    """
    routed = {"keys": [key]}
    transaction: list[Command] = [(words, routed) for words in (("MULTI",), *commands, ("EXEC",))]
    *_, replies = await exchange(redis, transaction)
    for reply in [replies] if isinstance(replies, Exception) else replies:
        if isinstance(reply, Exception):
            raise reply
    return list(replies)
