"""What may go wrong around playhead: its network, the servers' memory and connections, the clock of the machine."""

from __future__ import annotations

import asyncio
import os
import struct
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

import asyncpg
from redis.asyncio import Redis

from service.db.migrate import upgrade
from service.embedded import DataFolder, EmbeddedPostgres, EmbeddedValkey
from tests.faults.faults import Fault
from tests.faults.proxy import Proxy
from tests.faults.storm import REDIS_TIMEOUT_SECONDS, Storm
from tests.integration.serving import Serving
from tests.integration.waiting import until

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator

CALLS = {"redis": b"playhead_apply", "postgres": b"COMMIT"}
"""What changes something, on the wire of each server."""

HOUR_SECONDS = 3600
CLOCK_VARIABLE = "FAULTS_CLOCK_FILE"
CLOCK_FOLDER = Path(__file__).parent / "clock"
"""Its `sitecustomize` is loaded by every Python process that has it in its PYTHONPATH."""

ANSWERS_LOST = 3
CONNECTIONS_MAX = {"max_connections": "12"}

NO_MEMORY = Fault("use up", ("memory",), 0.5)
NO_CONNECTIONS = Fault("use up", ("connections",), 1.0)
HOUR_BACK = Fault("turn back", ("clock",), 3.0)


def network_faults(chance: random.Random, seconds_max: float = 0.6) -> list[Fault]:
    """Everything that the proxies can do, once to each server."""
    deeds = ("cut", "refuse", "hold", "swallow", "delay", "half-close", "lose answers of")
    faults = [Fault(deed, (server,), chance.uniform(0.2, seconds_max)) for deed in deeds for server in CALLS]
    chance.shuffle(faults)
    return faults


def all_faults(chance: random.Random) -> list[Fault]:
    """Everything in this module once, in an order of its own each time."""
    faults = [*network_faults(chance), NO_MEMORY, NO_CONNECTIONS, HOUR_BACK]
    chance.shuffle(faults)
    return faults


@asynccontextmanager
async def surrounded(folder: Path, seed: int) -> AsyncIterator[Storm]:
    """A playhead on servers of its own, all that lies between them, its clients and its books."""
    with DataFolder(folder / "servers") as servers:
        valkey = EmbeddedValkey(servers).start()
        postgres = EmbeddedPostgres(servers, CONNECTIONS_MAX, is_synced=False).start()
        try:
            await upgrade(postgres.url)
            async with Surroundings(folder, valkey.url, postgres.url) as made:
                serving = made.serving(redis_timeout_seconds=REDIS_TIMEOUT_SECONDS)
                try:
                    await asyncio.to_thread(serving.start)
                    yield Storm(serving, seed, made.commit, redis_url=valkey.url, database_url=postgres.url)
                finally:
                    status = await asyncio.to_thread(serving.stop)
                assert status == 0, serving.text()[-2000:]
        finally:
            postgres.stop()
            valkey.stop()


class Surroundings:
    """A playhead on given servers, with a proxy before each and a clock that can be set."""

    def __init__(self, folder: Path, redis_url: str, database_url: str) -> None:
        self.redis_url, self.database_url = redis_url, database_url
        self.proxies = {"redis": _redis_proxy(redis_url), "postgres": postgres_proxy(database_url)}
        self._folder = folder
        self._clock = folder / "clock"
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for proxy in self.proxies.values():
            await self._stack.enter_async_context(proxy)
        self.turn_clock(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def serving(self, **settings: Any) -> Serving:
        """Not started yet."""
        database = urlsplit(self.database_url).path
        serving = Serving(
            self._folder / "data",
            redis_url=f"redis://127.0.0.1:{self.proxies['redis'].port}",
            database_url=f"postgresql://playhead@127.0.0.1:{self.proxies['postgres'].port}{database}",
            follow_interval_seconds=0.5,
            **settings,
        )
        serving.variables |= {"PYTHONPATH": str(CLOCK_FOLDER), CLOCK_VARIABLE: str(self._clock)}
        return serving

    def turn_clock(self, seconds: int) -> None:
        """Every Python process of playhead sees it jump; the servers' own clocks go on."""
        with self._clock.open("r+b" if self._clock.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds * 1_000_000_000))

    async def commit(self, fault: Fault, _serving: Serving) -> None:
        """Do it, and end it."""
        (where,) = fault.kinds
        match fault.deed:
            case "use up":
                await (self._use_up_memory if where == "memory" else self._use_up_connections)(fault.seconds)
            case "turn back":
                await self._turn_clock_back(fault.seconds)
            case "lose answers of":
                await _lose_answers(self.proxies[where], CALLS[where])
            case _:
                await _disturb(self.proxies[where], fault)

    async def _use_up_memory(self, seconds: float) -> None:
        async with Redis.from_url(self.redis_url) as redis:
            await redis.config_set("maxmemory", 1)
            try:
                await asyncio.sleep(seconds)
            finally:
                await redis.config_set("maxmemory", 0)

    async def _use_up_connections(self, seconds: float) -> None:
        """All of them, the flusher's too."""
        taken: list[asyncpg.Connection[asyncpg.Record]] = []
        try:
            await self._take_connections(taken)
            await taken[0].execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                f" AND pid <> ALL ('{{{','.join(str(one.get_server_pid()) for one in taken)}}}')"
            )
            await self._take_connections(taken)
            await asyncio.sleep(seconds)
        finally:
            for connection in taken:
                await connection.close()

    async def _take_connections(self, taken: list[asyncpg.Connection[asyncpg.Record]]) -> None:
        with suppress(asyncpg.TooManyConnectionsError):
            while True:
                taken.append(await asyncpg.connect(self.database_url))

    async def _turn_clock_back(self, seconds: float) -> None:
        self.turn_clock(-HOUR_SECONDS)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.turn_clock(0)


async def _disturb(proxy: Proxy, fault: Fault) -> None:
    match fault.deed:
        case "cut":
            proxy.cut()
        case "refuse":
            proxy.refuse()
        case "hold":
            proxy.hold()
        case "swallow":
            proxy.swallow()
        case "half-close":
            proxy.half_close()
        case "delay":
            proxy.delay(0.1)
        case unknown:
            raise ValueError(unknown)
    await asyncio.sleep(fault.seconds)
    proxy.resume()


async def _lose_answers(proxy: Proxy, said: bytes) -> None:
    """Some, one after the other: each time half of the answer arrives, and then nothing."""
    for _ in range(ANSWERS_LOST):
        before = proxy.cuts
        proxy.cut_answer_to(said)

        async def is_cut(before: int = before) -> bool:
            return proxy.cuts > before

        await until(is_cut, f"an answer to {said.decode()}")


def _redis_proxy(url: str) -> Proxy:
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return Proxy(partial(asyncio.open_unix_connection, parts.path))
    return Proxy(partial(asyncio.open_connection, parts.hostname, parts.port or 6379))


def postgres_proxy(url: str) -> Proxy:
    parts = urlsplit(url)
    options = parse_qs(parts.query)
    host, port = (
        options.get("host", [parts.hostname or ""])[0],
        int(options.get("port", [parts.port or 5432])[0]),
    )
    if host.startswith("/"):
        return Proxy(partial(asyncio.open_unix_connection, os.path.join(host, f".s.PGSQL.{port}")))
    return Proxy(partial(asyncio.open_connection, host, port))
