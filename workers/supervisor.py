"""`playhead serve`: starts everything in order, keeps it running, and stops it in the opposite order.

Valkey and Postgres (where none are given), migration, flusher, HTTP processes. Each is tied to this process: when it is
killed, they end too. One that dies by itself is started again, with backoff. SIGHUP renews the HTTP processes: new ones
take over, and the old ones answer what they took.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import structlog

from service.access.door import refuse_open_door
from service.counters.connection import broken_promises, connect, verify
from service.db.ledger import Ledger
from service.embedded import DataFolder, EmbeddedPostgres, EmbeddedValkey
from service.errors import CannotStart, RedisUnavailable
from workers.arguments import arguments
from workers.leases import new_name
from workers.listening import listen, refuse_taken_port, url_host
from workers.loop import backoff_seconds
from workers.metrics_folder import metrics_folder
from workers.process import PythonProcess
from workers.readiness import Readiness
from workers.schema import bring_to_head, verify_partitions
from workers.servers import database_url_of, redis_url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

    from service.settings import Settings

_log = structlog.get_logger()

POLL_SECONDS = 0.1
START_SECONDS = 30.0
"""Within these a process that ends was started wrongly, and HTTP must answer. Being ready may take longer."""

STEADY_SECONDS = 30.0
"""A child that ran for so long had started well: its failures before are forgotten."""


class Server(Protocol):
    """What the supervisor looks after: embedded servers and our own processes alike."""

    def start(self) -> object: ...
    def poll(self) -> str | None: ...


@dataclass(slots=True)
class Child:
    name: str
    server: Server
    stop: Callable[[], None]
    failures: int = 0
    started_at: float = field(default_factory=time.monotonic)
    restart_at: float | None = None


class StopFlag:
    """Like `threading.Event`, but safe to set in a signal handler.

    An event has a lock, and a handler interrupts its own thread, which may hold it: then nobody ever lets go of it.
    """

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Sleeps to the end, since only a moment is ever waited for; gives whether it is set by then."""
        if not self._is_set:
            time.sleep(seconds)
        return self._is_set


class Supervisor:
    """One run of `playhead serve`. Call it from the main thread: children are tied to the thread that starts them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._children: list[Child] = []
        self._stop = StopFlag()
        self._renew = StopFlag()
        self._stack = ExitStack()
        self._folder: DataFolder | None = None

    def run(self, with_flusher: bool = True) -> None:
        """Serve until SIGTERM or SIGINT. Raises CannotStart with one sentence when something cannot start."""
        self._catch_signals()
        refuse_open_door(self._settings)
        refuse_taken_port(self._settings.host, self._settings.port)
        with self._stack:
            self._stack.callback(self._stop_children)
            self._start_servers()
            if not self._stop.is_set():
                asyncio.run(self._prepare())
            self._start_processes(with_flusher)
            # Without a flusher here, whoever runs one decides when events are taken.
            self._readiness = Readiness(f"{self._url}/{'readyz' if with_flusher else 'healthz'}")
            self._await_start()
            self._watch()

    def _catch_signals(self) -> None:
        """The first signal asks for an orderly end, which has deadlines of its own; more of them change nothing."""

        def stop(_number: int, _frame: FrameType | None) -> None:
            self._stop.set()

        def renew(_number: int, _frame: FrameType | None) -> None:
            self._renew.set()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        # Whoever closes the terminal, in which playhead runs, wants it gone.
        signal.signal(signal.SIGHUP, stop if os.isatty(0) else renew)

    def _start_servers(self) -> None:
        settings = self._settings
        if settings.redis_url and settings.database_url:
            return
        folder = self._folder = self._stack.enter_context(DataFolder(settings.data_dir))
        # Entered after the folder and so left before it: the folder is free once its servers are gone.
        self._stack.callback(self._stop_children)
        if not settings.redis_url:
            bound = {"maxmemory": f"{settings.redis_memory_mb}mb"} if settings.redis_memory_mb else {}
            valkey = EmbeddedValkey(folder, bound)
            self._add("valkey", valkey, valkey.stop)
        if not settings.database_url:
            postgres = EmbeddedPostgres(folder)
            self._add("postgres", postgres, postgres.stop)

    async def _prepare(self) -> None:
        """What must hold before anything is served: the schema, the scripts, the number of partitions."""
        await bring_to_head(database_url_of(self._settings))
        await self._verify_database()
        redis = connect(redis_url_of(self._settings), self._settings.redis_timeout_seconds)
        try:
            await verify(redis, self._settings.partitions)
            for sentence in await broken_promises(redis):
                _log.warning("less_durable", detail=sentence)
        except RedisUnavailable as failed:
            raise CannotStart(str(failed)) from failed
        finally:
            await redis.aclose()

    async def _verify_database(self) -> None:
        ledger = await Ledger.connect(database_url_of(self._settings))
        try:
            await verify_partitions(ledger, self._settings.partitions)
        finally:
            await ledger.close()

    def _start_processes(self, with_flusher: bool) -> None:
        metrics = self._stack.enter_context(metrics_folder(self._folder.path if self._folder else None))
        variables = {"PROMETHEUS_MULTIPROC_DIR": str(metrics)}
        self._stack.callback(self._stop_children)
        seconds = self._settings.shutdown_seconds
        for number in range(self._settings.flushers if with_flusher else 0):
            self._add_flusher(f"flusher {number + 1}" if number else "flusher", variables)
        if self._stop.is_set():
            return
        listeners = listen(self._settings.host, self._settings.port, self._settings.workers)
        files = [listener.fileno() for listener in listeners]
        http = PythonProcess("http", arguments(self._settings, files), variables, files)

        def stop_http() -> None:
            for listener in listeners:
                listener.close()
            http.stop(seconds + 5)

        self._add("http", http, stop_http)
        self._http = http

    def _add_flusher(self, name: str, variables: Mapping[str, str]) -> None:
        """Started again it keeps the name of its leases, and so takes them over from its dead self at once."""
        flusher = PythonProcess(name, ["workers.flushing", new_name()], variables)
        # Its last flush has a deadline of its own.
        self._add(name, flusher, lambda: flusher.stop(self._settings.shutdown_seconds + 5))

    def _add(self, name: str, server: Server, stop: Callable[[], None]) -> None:
        if self._stop.is_set():
            return
        self._children.append(Child(name, server, stop))
        server.start()

    def _await_start(self) -> None:
        """Until it is ready, or answers that it will be; a process that ends before has said why."""
        deadline = time.monotonic() + START_SECONDS
        while not self._stop.is_set():
            self._look_if_ready()
            if self._readiness.is_ready:
                return
            for child in self._children:
                if ended := child.server.poll():
                    raise CannotStart(f"{ended} before playhead was ready; the lines above say why")
            if time.monotonic() > deadline:
                if not self._readiness.has_answered:
                    raise CannotStart(f"playhead did not answer within {START_SECONDS:.0f} seconds")
                return
            self._stop.wait(POLL_SECONDS)

    def _look_if_ready(self) -> None:
        """Says so once it is."""
        if self._readiness.is_ready:
            return
        self._readiness.look()
        if self._readiness.is_ready:
            effective = {
                name: _starred(name, value) for name, value in self._settings.model_dump(mode="json").items()
            }
            _log.info("settings", **effective)
            _log.info("ready", url=self._url, post=f"{self._url}/v1/events", pid=os.getpid())

    @property
    def _url(self) -> str:
        return f"http://{url_host(self._settings.host)}:{self._settings.port}"

    def _watch(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            self._look_if_ready()
            if self._renew.is_set():
                self._renew = StopFlag()
                _log.info("renewing_http")
                self._http.send(signal.SIGHUP)
            for child in self._children:
                self._look_after(child)

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.restart_at is None:
            ended = child.server.poll()
            if ended is None:
                return
            child.failures = 1 if now - child.started_at > STEADY_SECONDS else child.failures + 1
            pause = 0.0 if child.failures == 1 else backoff_seconds(child.failures)
            _log.warning("child_ended", child=child.name, detail=ended, restart_seconds=round(pause, 2))
            child.restart_at = now + pause
        if now >= child.restart_at:
            child.restart_at, child.started_at = None, now
            try:
                child.server.start()
            except CannotStart as failed:
                _log.error("child_cannot_start", child=child.name, detail=str(failed))
                child.restart_at = now + backoff_seconds(child.failures)

    def _stop_children(self) -> None:
        """In the opposite order of their start: HTTP first, so that nothing new comes; the servers last."""
        while self._children:
            child = self._children.pop()
            _log.debug("stopping", child=child.name)
            child.stop()


def _starred(name: str, value: object) -> object:
    """URLs hold passwords; they, keys and secrets are not for the log."""
    is_secret = name.endswith(("_url", "_secret")) or name in ("keys", "api_key")
    return "***" if is_secret and value else value
