"""DELETE of a user: erased from Redis at once, and from Postgres by the flusher, which is waited for."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import orjson
from aiohttp import web

from service import metrics
from service.api.context import ADMISSION, COURSES, HISTORY, READER, REDIS, SETTINGS
from service.api.problems import answering
from service.counters.erasing import Absent, erase, is_pending
from service.counters.partitions import partition_of
from service.db.failures import asking
from service.db.records import EntryId
from service.errors import NotFound, PostgresUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from service.counters.erasing import Erased

T = TypeVar("T")

POLL_SECONDS = 0.05
"""How often Postgres is asked whether it has erased too: the flusher comes by ten times a second."""


NOTHING_WATCHED = {"movies": 0, "sessions": 0, "events": 0, "ids": 0, "raw_events": 0}


@answering
async def delete_user(request: web.Request) -> web.StreamResponse:
    """200 when nothing is left anywhere; 202 when Postgres still has it, and will erase it with its next flush."""
    app, user = request.app, request.match_info["user"]
    partition = partition_of(user, app[SETTINGS].partitions)
    try:
        erased = await _erase(app, partition, user)
    except NotFound:
        if await _until_settled(app, partition, user):
            if await app[COURSES].assignments.erase(user):  # assigned something, and never seen watching
                return _answer(200, {"user": user, "complete": True, "erased": NOTHING_WATCHED})
            raise
        return _answer(202, {"user": user, "complete": False, "erased": None})
    metrics.ERASED.inc()
    gone = await _deleted(app, erased)
    document = {
        "user": user,
        "complete": gone is not None,
        "erased": {
            "movies": erased.totals.movies,
            "sessions": erased.sessions,
            "events": erased.totals.events,
            "ids": erased.ids,
            "raw_events": gone[0] if gone else None,
        },
    }
    return _answer(200 if gone else 202, document)


async def _erase(app: web.Application, partition: int, user: str) -> Erased:
    """Who left Redis is brought back first, so that the movies lose what the user gave to them."""
    try:
        return await erase(app[REDIS], partition, user)
    except Absent:
        await app[READER].user(user)  # raises NotFound of whom nobody has heard
        await app[ADMISSION].admit(partition, [user])
        return await erase(app[REDIS], partition, user)


async def _deleted(app: web.Application, erased: Erased) -> tuple[int, int, int] | None:
    """What Postgres deleted; None when it has not come to it in time."""

    async def deleted() -> tuple[int, int, int] | None:
        with asking("where raw events are"):
            return await app[HISTORY].erasure(erased.partition, EntryId.parse(erased.entry))

    try:
        return await _in_time(app, deleted)
    except PostgresUnavailable:
        return None


async def _until_settled(app: web.Application, partition: int, user: str) -> bool:
    """Whether an erasure of the user that was begun before, if there is one, is done within the time of a request."""

    async def is_settled() -> bool:
        return not await is_pending(app[REDIS], partition, user)

    return bool(await _in_time(app, is_settled))


async def _in_time(app: web.Application, ask: Callable[[], Awaitable[T | None]]) -> T | None:
    """What `ask` gives, asked until that is something; None where that takes longer than a request may."""
    with suppress(TimeoutError):
        async with asyncio.timeout(app[SETTINGS].redis_timeout_seconds) as patience:
            while not patience.expired():  # a question that is answered as it is cancelled may swallow that
                if answer := await ask():
                    return answer
                await asyncio.sleep(POLL_SECONDS)
    return None


def _answer(status: int, document: dict[str, object]) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(document), content_type="application/json")
