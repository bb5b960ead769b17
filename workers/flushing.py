"""A flusher's process: its composition root. `python -m workers.flushing [NAME]`, or `playhead flush`."""

from __future__ import annotations

import asyncio
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

import structlog
import uvloop

from service import logs, metrics, settings
from service.counters.connection import connect, verify
from service.counters.constants import constants_of
from service.counters.heard import Heard
from service.courses.store import Courses
from service.db.history import History
from service.db.ledger import Ledger
from service.errors import PlayheadError
from workers.audit import Audit
from workers.auditing import RandomAudit
from workers.days import PAUSE_SECONDS, Days
from workers.eviction import PAUSE_SECONDS as EVICTION_PAUSE_SECONDS
from workers.eviction import Eviction
from workers.flusher import Flusher
from workers.following import FORGET_PAUSE_SECONDS, AllFollowing
from workers.garbage import collect_seldom
from workers.leases import LEASE_SECONDS, RENEW_SECONDS, Leases, new_name
from workers.levelling import PAUSE_SECONDS as LEVELLING_PAUSE_SECONDS
from workers.levelling import RestLevelling
from workers.loop import drive
from workers.process import end_with_supervisor
from workers.recovery import Recovery
from workers.renewals import PAUSE_SECONDS as RENEWALS_PAUSE_SECONDS
from workers.renewals import Renewals
from workers.schema import verify_partitions, verify_schema
from workers.servers import database_url_of, redis_url_of
from workers.stale import PAUSE_SECONDS as STALE_PAUSE_SECONDS
from workers.stale import StaleSessions
from workers.watching import watching_of

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from service.settings import Settings

_log = structlog.get_logger()

REDIS_TIMEOUT_SECONDS = 30.0
"""A large read takes longer than a request may."""

COUNT_SECONDS = 5.0
"""How old the count of parked entries in the metrics may be."""


async def flush_until_stopped(configured: Settings, stop: asyncio.Event, name: str) -> None:
    """Flush until `stop` is set; then once more, until nothing is left that can be flushed."""
    database_url = database_url_of(configured)
    await verify_schema(database_url)
    ledger = await Ledger.connect(database_url, name=name)
    history = await History.connect(database_url)
    courses = await Courses.connect(database_url)
    redis = connect(redis_url_of(configured), REDIS_TIMEOUT_SECONDS)
    try:
        await verify(redis, configured.partitions)
        await verify_partitions(ledger, configured.partitions)
        leases = Leases(ledger.leasing, name, range(configured.partitions))
        await ledger.checkpoints(range(configured.partitions))
        flusher = Flusher(
            redis,
            ledger,
            Recovery(redis, ledger, history, constants_of(configured)),
            leases,
            events_max=configured.flush_events_max,
            snapshot_interval_seconds=configured.snapshot_interval_seconds,
        )
        days = Days(ledger, configured.events_keep_days)
        eviction = Eviction(redis, lambda: flusher.snapshotted, idle_seconds=configured.idle_seconds)
        auditing = asyncio.create_task(_audit(configured, stop, redis, history, ledger))
        try:
            await asyncio.gather(
                _flush_and_leave(flusher, leases, stop, configured),
                _look_after_attempts(configured, stop, redis, history, courses),
                drive("days", days.step, stop, PAUSE_SECONDS),
                drive("eviction", eviction.step, stop, EVICTION_PAUSE_SECONDS),
                drive("parked", partial(_count_parked, ledger), stop, COUNT_SECONDS),
                _close_stale_sessions(configured, stop, redis, courses),
            )
        finally:  # it may wait for rows that nobody brings any more, and only reads
            auditing.cancel()
            await asyncio.gather(auditing, return_exceptions=True)
    finally:
        await redis.aclose()
        await courses.close()
        await history.close()
        await ledger.close()


async def _flush_and_leave(
    flusher: Flusher, leases: Leases, stop: asyncio.Event, configured: Settings
) -> None:
    """Says all the while that this flusher lives, also during a long flush and the last one."""
    left = asyncio.Event()
    renewing = asyncio.create_task(drive("leases", leases.renew, left, RENEW_SECONDS))
    pause_seconds = configured.flush_interval_ms / 1000
    await drive("flusher", flusher.step, stop, pause_seconds, metrics.FLUSH_FAILURES.inc)
    await _flush_rest(flusher, configured.shutdown_seconds)
    left.set()
    await renewing
    await _leave(leases)


async def _look_after_attempts(
    configured: Settings, stop: asyncio.Event, redis: Redis, history: History, courses: Courses
) -> None:
    async with watching_of(configured, redis, history, courses) as watching:
        following = AllFollowing(watching.following, configured.partitions)
        await asyncio.gather(
            drive("renewals", Renewals(courses.attempts).step, stop, RENEWALS_PAUSE_SECONDS),
            drive(
                "following",
                following.step,
                stop,
                configured.follow_interval_seconds,
                metrics.FOLLOW_FAILURES.inc,
            ),
            drive("forgetting", following.forget, stop, FORGET_PAUSE_SECONDS),
            drive("levelling", RestLevelling(watching.levelling).step, stop, LEVELLING_PAUSE_SECONDS),
        )


async def _close_stale_sessions(
    configured: Settings, stop: asyncio.Event, redis: Redis, courses: Courses
) -> None:
    heard = Heard(redis, configured.partitions)
    stale = StaleSessions(courses.sessions, heard, configured.stale_session_seconds)
    await drive("stale", stale.step, stop, STALE_PAUSE_SECONDS)


async def _audit(
    configured: Settings, stop: asyncio.Event, redis: Redis, history: History, ledger: Ledger
) -> None:
    if not configured.audit_users_per_minute:
        return
    audit = Audit(redis, history, ledger, constants_of(configured), keeps_all=not configured.events_keep_days)
    step = RandomAudit(audit, history).step
    await drive("audit", step, stop, 60 / configured.audit_users_per_minute)


async def _count_parked(ledger: Ledger) -> bool:
    metrics.PARKED_NOW.set(await ledger.parking.count())
    return False


async def _leave(leases: Leases) -> None:
    """Where this fails, the leases run out by themselves."""
    try:
        async with asyncio.timeout(LEASE_SECONDS):
            await leases.leave()
    except Exception as failed:
        _log.warning("leases_not_given_back", error=f"{type(failed).__name__}: {failed}")


async def _flush_rest(flusher: Flusher, seconds: float) -> None:
    """What is left stays in Redis, so giving up here loses nothing."""
    try:
        async with asyncio.timeout(seconds):
            await flusher.finish()
    except Exception as failed:
        _log.warning("flush_unfinished", error=f"{type(failed).__name__}: {failed}")


async def run(configured: Settings, name: str | None = None) -> None:
    """Flush until SIGTERM or SIGINT. Under the `name` of an earlier run, which has ended, its leases are taken over."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    collect_seldom()
    await flush_until_stopped(configured, stop, name or new_name())


def main() -> int:
    try:
        end_with_supervisor(signal.SIGTERM)
        configured = settings.load()
        logs.configure(configured.log_level, configured.log_format)
        uvloop.run(run(configured, *sys.argv[1:2]))
    except PlayheadError as error:
        print(f"playhead: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
