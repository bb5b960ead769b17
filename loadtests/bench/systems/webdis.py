"""Webdis, an HTTP server in C in front of Valkey, calling playhead's own counting script once a request.

What one would get without playhead: nothing is checked, nothing is shared between requests, nothing goes to Postgres.
The script's call is spelled beforehand, so its cost is not webdis'; its Valkey is set up as playhead's. `StoredWebdis`
stands in front of the Valkey of a playhead, whose flusher brings to Postgres what comes. `ReadingWebdis` counts
nothing: it reads what playhead reads, beside it.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes

from redis import Redis

from loadtests.bench.systems.playhead import Playhead
from loadtests.bench.systems.system import HTTP_PROCESSES, Command, Counts, found, free_port, get
from service.counters import keys, packing, scripts
from service.counters.partitions import partition_of
from service.counters.servers import ONLY_HOME
from service.embedded import DataFolder, EmbeddedValkey
from service.events.event import Event
from service.rules.constants import Constants
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from loadtests.bench.audience import Moment

PARTITIONS: int = Settings.model_fields["partitions"].default

BACKLOG_EVENTS_MAX = 10**9
"""Webdis is told of no bound."""

CONFIG = {"threads": HTTP_PROCESSES, "pool_size": 20, "daemonize": False, "verbosity": 0, "database": 0}
"""Each thread has its own connections to Valkey."""


class Front:
    """Webdis itself: its process, and what it is told."""

    def __init__(self, folder: Path) -> None:
        """Raises Unavailable where webdis is not installed."""
        self.folder = folder
        self.port = free_port()
        self._program = found("webdis", "webdis")
        self._command: Command | None = None

    def start(self, redis_url: str) -> None:
        """Returns when it listens, in front of the Valkey at this address."""
        self.folder.mkdir(parents=True, exist_ok=True)
        told = CONFIG | {"http_host": "127.0.0.1", "http_port": self.port}
        told |= {
            "redis_host": redis_url.removeprefix("unix://"),
            "logfile": str(self.folder / "webdis.log"),
        }
        config = self.folder / "webdis.json"
        config.write_text(json.dumps(told))
        self._command = Command([self._program, str(config)], self.folder / "webdis.out")
        self._command.wait_for(self.port)

    def stop(self) -> None:
        if self._command:
            self._command.stop()

    def roots(self) -> list[int]:
        return [self._command.pid] if self._command else []


class _Calling:
    """Asked with calls of the counting script."""

    name = ""

    def __init__(self, folder: Path) -> None:
        self._front = Front(folder / self.name)
        self.port = self._front.port
        self._calls = 0

    def request(self, moments: Sequence[Moment]) -> bytes:
        self._calls += 1
        command = "/".join(quote_from_bytes(word, safe="") for word in spelled(moments, self._calls)).encode()
        head = f"POST / HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(command)}\r\n\r\n"
        return head.encode() + command

    def expected(self, events: int) -> str:
        del events
        return '{"FCALL":["'


class Webdis(_Calling):
    name = "webdis"

    def start(self) -> None:
        self._data = DataFolder(self._front.folder / "data")
        self._valkey = EmbeddedValkey(self._data).start()
        self._redis = Redis.from_url(self._valkey.url)
        self._redis.function_load(scripts.whole_library()[1], replace=True)
        for partition in range(PARTITIONS):
            self._redis.hset(keys.log(partition), "open", ONLY_HOME)
        self._front.start(self._valkey.url)

    def stop(self) -> None:
        self._front.stop()
        self._redis.close()
        self._valkey.stop()
        self._data.close()

    def roots(self) -> list[int]:
        process = self._valkey.process
        return [*self._front.roots(), process.pid] if process else []

    def settle(self) -> float:
        return 0.0

    def counts(self) -> Counts:
        appended = [self._redis.hget(keys.log(partition), "appended") for partition in range(PARTITIONS)]
        return Counts(sum(int(count or 0) for count in appended), None)


class StoredWebdis(_Calling):
    """What it leaves out added: rows and snapshots, by the flusher and Postgres of a playhead that nobody else asks."""

    name = "webdis, stored"

    def __init__(self, folder: Path, snapshot_interval_seconds: float) -> None:
        super().__init__(folder)
        self._playhead = Playhead(
            self._front.folder, partitions=PARTITIONS, snapshot_interval_seconds=snapshot_interval_seconds
        )

    def start(self) -> None:
        self._playhead.start()
        self._front.start(self._playhead.redis_url)

    def stop(self) -> None:
        self._front.stop()
        self._playhead.stop()

    def roots(self) -> list[int]:
        return [*self._front.roots(), *self._playhead.roots()]

    def settle(self) -> float:
        return self._playhead.settle()

    def counts(self) -> Counts:
        return self._playhead.counts()


class ReadingWebdis:
    """In front of the Valkey of the playhead that is measured: a read is one GET, of its user's record as it is stored.

    So it waits for what any reader of that Valkey waits for, and does nothing else.
    """

    name = "webdis, one key"

    def __init__(self, folder: Path, redis_url: str) -> None:
        self._front = Front(folder / self.name)
        self.port = self._front.port
        self._redis_url = redis_url

    def start(self) -> None:
        self._front.start(self._redis_url)

    def stop(self) -> None:
        self._front.stop()

    def roots(self) -> list[int]:
        return self._front.roots()

    def request(self, moments: Sequence[Moment]) -> bytes:
        user = moments[0].user
        key = keys.user(partition_of(user, PARTITIONS), user)
        return get("/GET/" + quote_from_bytes(key.encode(), safe=""))

    def expected(self, events: int) -> str:
        """A key that is not there is answered with null."""
        del events
        return '{"GET":"'

    def settle(self) -> float:
        return 0.0

    def counts(self) -> Counts:
        return Counts(None, None)


def spelled(moments: Sequence[Moment], call: int) -> list[bytes]:
    """The counting script's call for events of one user, as playhead's writer makes it (`service.counters.calls`)."""
    partition = partition_of(moments[0].user, PARTITIONS)
    now_us = time.time_ns() // 1000
    run = packing.pack(_event(moment, now_us) for moment in moments)
    named = [keys.stream(partition), keys.log(partition), keys.call(partition, "webdis")]
    rules = Constants()
    arguments = [
        call,
        "0",
        rules.heartbeat_interval_ms,
        rules.heartbeat_gap_ms,
        rules.implausible_tolerance_ms,
        rules.idempotency_window_us,
        BACKLOG_EVENTS_MAX,
        ONLY_HOME,
        run,
        "",
    ]
    words: list[object] = ["FCALL", scripts.function_name("apply"), len(named), *named, *arguments]
    return [word if isinstance(word, bytes) else str(word).encode() for word in words]


def _event(moment: Moment, now_us: int) -> Event:
    return Event(
        moment.user,
        moment.slug,
        moment.kind,
        moment.at_ms,
        now_us,
        now_us,
        session=moment.session,
        seq=moment.seq,
        from_ms=moment.from_ms,
    )
