"""Whether playhead lives, whether it can accept events durably, and its metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson
from aiohttp import web

from service import clock, metrics
from service.api.context import REDIS, SETTINGS, WRITER
from service.api.problems import answering, problem
from service.counters.backlog import read_backlog
from service.counters.connection import broken_promises, missing_replicas
from service.errors import Unavailable

if TYPE_CHECKING:
    from service.counters.backlog import Backlog
    from service.settings import Settings


@answering
async def get_health(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=b'{"alive":true}', content_type="application/json")


@answering
async def get_ready(request: web.Request) -> web.StreamResponse:
    """200 when an event would be accepted now, else 503 and why; either way, what is promised less than it should."""
    settings, redis = request.app[SETTINGS], request.app[REDIS]
    try:
        backlog = await read_backlog(redis, settings.partitions)
        promises = await broken_promises(redis)
        missing = await missing_replicas(redis, settings.replicas_min)
    except Unavailable as error:
        return problem(503, "redis_unavailable", str(error), {"Retry-After": "2"}, ready=False)
    waiting = request.app[WRITER].waiting_events
    document: dict[str, object] = {
        "ready": True,
        "durable": not promises,
        "warnings": promises,
        "queue_events": waiting,
        "backlog_events": backlog.events,
        "backlog_age_seconds": round(backlog.age_seconds(clock.now_us()), 3),
    }
    if refusal := _refusal(settings, backlog, missing, waiting):
        headers = {"Retry-After": str(refusal.retry_after_seconds)}
        return problem(503, refusal.reason, refusal.detail, headers, **document | {"ready": False})
    return web.Response(body=orjson.dumps(document), content_type="application/json")


class _Refusal(NamedTuple):
    """Why an event would not be accepted now."""

    reason: str
    detail: str
    retry_after_seconds: int


def _refusal(settings: Settings, backlog: Backlog, missing: list[str], waiting: int) -> _Refusal | None:
    if backlog.closed_partitions:
        detail = (
            f"{backlog.closed_partitions} partitions are not known to be level with Postgres; events get 503"
        )
        return _Refusal("not_recovered", detail, 2)
    if missing:
        return _Refusal("replicas_missing", "; ".join(missing), 2)
    if (backlog.memory_fraction or 0.0) >= 1.0:
        return _Refusal("memory_full", "Redis uses as much memory as it may (maxmemory)", 5)
    if backlog.fullest_events >= settings.partition_backlog_events_max:
        detail = (
            f"{backlog.fullest_events} events of one partition wait for Postgres, as many as may"
            f" (PLAYHEAD_BACKLOG_EVENTS_MAX divided by {settings.partitions} partitions)"
        )
        return _Refusal("backlog_full", detail, 5)
    if waiting >= settings.queue_events_max:
        detail = f"{waiting} events wait for Redis, as many as may (PLAYHEAD_QUEUE_EVENTS_MAX)"
        return _Refusal("queue_full", detail, 1)
    return None


@answering
async def get_metrics(request: web.Request) -> web.StreamResponse:
    """All metrics; those of Redis are left out while it does not answer, and `playhead_redis_up` says so."""
    settings = request.app[SETTINGS]
    live: dict[str, tuple[str, float]] = {}
    try:
        backlog = await read_backlog(request.app[REDIS], settings.partitions)
        live["playhead_backlog_events"] = ("Events in Redis that wait for Postgres.", backlog.events)
        live["playhead_backlog_age_seconds"] = (
            "Age of the oldest acknowledged event that Postgres does not have yet.",
            backlog.age_seconds(clock.now_us()),
        )
        if backlog.memory_fraction is not None:
            live["playhead_redis_memory_fraction"] = (
                "How much Redis uses of the memory that it may use.",
                backlog.memory_fraction,
            )
        live["playhead_redis_up"] = ("Whether Redis answers.", 1)
    except Unavailable:
        live["playhead_redis_up"] = ("Whether Redis answers.", 0)
    metrics.QUEUE_EVENTS.set(request.app[WRITER].waiting_events)
    return web.Response(body=metrics.text(live), headers={"Content-Type": metrics.CONTENT_TYPE})
