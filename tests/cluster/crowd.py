"""Viewers that send what they watch until it is acknowledged, the flusher behind them, and the model of it all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg

from service.clock import now_us
from service.counters import images, keys
from service.counters.backlog import read_backlog
from service.counters.calls import Bounds
from service.counters.connection import connect, verify
from service.counters.partitions import partition_of
from service.counters.reader import Reader
from service.counters.records import MovieRecord
from service.counters.slots import key_slot
from service.counters.writer import Writer
from service.errors import Unavailable
from service.events.event import Event
from service.rules.constants import Constants
from service.rules.model import Model
from service.stored.admission import Admission
from service.stored.reads import StoredReads
from tests.integration.waiting import until
from workers.audit import Audit
from workers.flusher import Flusher
from workers.leases import Leases
from workers.loop import drive
from workers.recovery import Recovery
from workers.verification import Verification

if TYPE_CHECKING:
    from service.db.history import History
    from service.db.ledger import Ledger

PARTITIONS = 8
CONSTANTS = Constants()
MOVIES = 3
STEP_MS = 10_000
PAUSE_SECONDS = 0.02
TIMEOUT_SECONDS = 5.0
SOCKET_SECONDS = 30.0


def slot_of(partition: int) -> int:
    return key_slot(keys.log(partition).encode())


def name_in(partition: int, number: int = 0) -> str:
    """The n-th user that belongs to this partition."""
    found = [
        name for name in (f"viewer {at}" for at in range(1000)) if partition_of(name, PARTITIONS) == partition
    ]
    return found[number]


class Crowd:
    """Each viewer watches one movie in one session, and counts its events with `seq`; sends one a time, until it is
    acknowledged. `refusals` counts the times it was not.
    """

    def __init__(self, url: str, ledger: Ledger, history: History, database_url: str) -> None:
        self.redis = connect(url, SOCKET_SECONDS)
        self.flushing = connect(url, SOCKET_SECONDS)
        self.model = Model(CONSTANTS)
        self.accepted = self.refusals = 0
        self.reader = Reader(self.redis, PARTITIONS, StoredReads(history))
        self._ledger, self._history, self._database_url = ledger, history, database_url
        self._sent: dict[str, Event] = {}
        self._stop_flusher = asyncio.Event()
        self._stop_viewers = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._viewers: list[asyncio.Task[None]] = []

    async def begin(self, replicas_min: int = 0, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """The writer and the flusher, up to where events are taken."""
        await verify(self.redis, PARTITIONS)
        bounds = Bounds(10_000, 1_000_000, timeout_seconds, replicas_min)
        admission = Admission(self.redis, self._history, CONSTANTS, timeout_seconds=timeout_seconds)
        self.writer = Writer(self.redis, PARTITIONS, CONSTANTS, bounds, admission.admit)
        self._tasks.append(asyncio.create_task(self.writer.run()))
        await verify(self.flushing, PARTITIONS)
        await self._ledger.checkpoints(range(PARTITIONS))
        self.start_flusher()
        await until(self.is_open, "all partitions are open")

    def start_flusher(self) -> None:
        self._stop_flusher = asyncio.Event()
        flusher = Flusher(
            self.flushing,
            self._ledger,
            Recovery(self.flushing, self._ledger, self._history, CONSTANTS),
            Leases(self._ledger.leasing, "flusher", range(PARTITIONS)),
            events_max=1000,
            snapshot_interval_seconds=0.2,
        )
        self._flusher = asyncio.create_task(drive("flusher", flusher.step, self._stop_flusher, 0.02))

    async def stop_flusher(self) -> None:
        self._stop_flusher.set()
        await self._flusher

    async def is_open(self) -> bool:
        try:
            return (await read_backlog(self.redis, PARTITIONS)).closed_partitions == 0
        except Unavailable:
            return False

    def send_on(self, *names: str) -> None:
        """These viewers watch on until `pause`."""
        self._stop_viewers = asyncio.Event()
        self._viewers = [asyncio.create_task(self._watch(name, self._stop_viewers)) for name in names]

    async def pause(self) -> None:
        """All that was sent is acknowledged then."""
        self._stop_viewers.set()
        await asyncio.gather(*self._viewers)

    async def send(self, name: str) -> None:
        """The viewer's next event, again and again until it is acknowledged."""
        event = self._next(name)
        while not await self.try_once(event):
            await asyncio.sleep(PAUSE_SECONDS)
        self._count(event)

    def last(self, name: str) -> Event:
        """What this viewer sent last."""
        return self._sent[name]

    def take(self, name: str) -> Event:
        """The viewer's next event, to be sent by whoever takes it; it counts as acknowledged."""
        event = self._next(name)
        self._count(event)
        return event

    def take_nameless(self, name: str) -> Event:
        """The same without anything that would tell that it comes again."""
        event = self._next(name)._replace(session="", seq=None)
        self._count(event)
        return event

    async def try_once(self, event: Event) -> bool:
        try:
            await self.writer.apply([event])
        except Unavailable:
            self.refusals += 1
            return False
        return True

    async def more_than(self, events: int) -> None:
        """Until so many more are acknowledged."""
        before = self.accepted

        async def enough() -> bool:
            return self.accepted > before + events

        await until(enough, f"{events} more events are acknowledged")

    async def check(self) -> None:
        """What is live is the model of what was acknowledged, and so are the raw events: each is there once."""
        await until(self.is_open, "all partitions are open")
        await until(self._is_flushed, "all rows are in Postgres")
        for (name, slug), pair in self.model.pairs.items():
            record, _ = await self.reader.pair(name, slug)
            assert record == images.record_of(pair), (name, slug)
        for slug, movie in self.model.movies.items():
            totals = movie.totals
            found = await self.reader.movie(slug)
            assert found == MovieRecord(
                totals.watch_ms, totals.effective_ms, totals.unique_cells, movie.viewers, totals.events
            )
        connection = await asyncpg.connect(self._database_url)
        rows = await connection.fetchrow(
            "SELECT count(*) AS rows, count(DISTINCT (user_id, session, seq)) AS events FROM events"
        )
        await connection.close()
        assert rows is not None
        assert (rows["rows"], rows["events"]) == (self.accepted, self.accepted)
        audit = Audit(self.flushing, self._history, self._ledger, CONSTANTS, keeps_all=True)
        verification = Verification(self.flushing, self._history, audit, CONSTANTS, keeps_all=True)
        for partition in range(PARTITIONS):
            assert (await verification.partition(partition, lambda _: None)).drifts == ()

    async def end(self) -> None:
        await self.pause()
        await self.stop_flusher()
        self.writer.close()
        await asyncio.gather(*self._tasks)
        await self.redis.aclose()
        await self.flushing.aclose()

    async def _watch(self, name: str, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.send(name)

    def _count(self, event: Event) -> None:
        self.model.apply(event)
        self.accepted += 1

    def _next(self, name: str) -> Event:
        before = self._sent.get(name)
        self._sent[name] = event = self.event(name, (before.seq or 0) + 1 if before else 1)
        return event

    @staticmethod
    def event(name: str, seq: int) -> Event:
        """The n-th heartbeat of a viewer."""
        time_us = now_us()
        slug = f"movie {ord(name[-1]) % MOVIES}"
        return Event(
            name, slug, "heartbeat", seq * STEP_MS % 40_000_000, time_us, time_us, session="s", seq=seq
        )

    async def _is_flushed(self) -> bool:
        return (await read_backlog(self.redis, PARTITIONS)).events == 0
