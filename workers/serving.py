"""The HTTP processes: what gunicorn runs, and how.

`create` makes the application in each worker process. The functions below it are gunicorn's hooks, which it finds by
name (`--config python:workers.serving`).
"""

from __future__ import annotations

import resource
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp.worker import GunicornUVLoopWebWorker
from prometheus_client.multiprocess import mark_process_dead

from service import logs, settings
from service.access.door import refuse_open_door
from service.api.app import create_runner
from workers.garbage import collect_seldom
from workers.process import end_with_parent, end_with_supervisor
from workers.servers import database_url_of, redis_url_of

if TYPE_CHECKING:
    from types import FrameType

    from aiohttp import web


_log = structlog.get_logger()

FILES_BESIDE = 256
"""Open files of a process beside its clients' connections: Redis, metrics, what Python holds."""


class Worker(GunicornUVLoopWebWorker):
    """Ends when it is told to, rather than at its next look, which is up to a second later."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._notify_waiter_done()


async def create() -> web.AppRunner:
    configured = settings.load()
    logs.configure(configured.log_level, configured.log_format)
    refuse_open_door(configured)
    allow_files(configured.connections_max + FILES_BESIDE)
    runner = create_runner(configured, redis_url_of(configured), database_url_of(configured))
    collect_seldom()
    return runner


def allow_files(wanted: int) -> None:
    """Let this process have so many files open: many systems begin with 1,024, and each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        _log.warning(
            "few_files", detail=f"this process may open {allowed} files; for all connections: {wanted}"
        )


def on_starting(_server: Any) -> None:
    end_with_supervisor(signal.SIGTERM)


def pre_fork(server: Any, worker: Any) -> None:
    """Each process accepts from one socket, that which the fewest have (`workers.listening`)."""
    taken = Counter(other.sockets[0] for other in server.WORKERS.values())
    worker.sockets = [min(server.LISTENERS, key=lambda listener: taken[listener])]


def post_fork(server: Any, worker: Any) -> None:
    end_with_parent(signal.SIGTERM)
    for listener in server.LISTENERS:
        if listener not in worker.sockets:  # held here it would stay open, with nobody to accept
            listener.close()


def child_exit(_server: Any, worker: Any) -> None:
    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
