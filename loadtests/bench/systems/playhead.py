"""Playhead itself, as `playhead serve` starts it, with its embedded servers."""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import asyncpg

from loadtests.bench.audience import MOVIES, as_json
from loadtests.bench.systems.system import BIN, Command, Counts, free_port, post
from service.embedded import embedded_database_url, embedded_redis_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from loadtests.bench.audience import Moment

SETTLE_SECONDS = 300.0
POLL_SECONDS = 0.05
"""Asking costs playhead's processes something, too."""

SNAPSHOT_INTERVAL_SECONDS = 4.0
"""The audience lives some fifteen times as fast as people do: so often it is as if it were every minute."""

SNAPSHOTS_BEHIND = """
SELECT count(*) FROM checkpoints WHERE (entry_ms, entry_seq) > (snapshot_ms, snapshot_seq)
"""


class Playhead:
    """`settings` are playhead's, by their names without prefix."""

    def __init__(
        self, folder: Path, movies: int = MOVIES, name: str = "playhead", **settings: object
    ) -> None:
        self.name = name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = folder / "data"
        self._log = folder / "playhead.log"
        self._movies = movies
        told = {
            "snapshot_interval_seconds": SNAPSHOT_INTERVAL_SECONDS,
            "data_dir": self.data,
            "port": self.port,
            "log_format": "json",
        }
        self._variables: dict[str, str] = {}
        self.set(told | settings)
        self._command: Command | None = None

    def set(self, settings: Mapping[str, object]) -> None:
        """Before it starts; in place of what it was made with."""
        self._variables |= {f"PLAYHEAD_{name.upper()}": str(value) for name, value in settings.items()}

    @property
    def redis_url(self) -> str:
        return embedded_redis_url(self.data)

    @property
    def database_url(self) -> str:
        return embedded_database_url(self.data)

    def start(self) -> None:
        """Returns when it says that it is ready."""
        said_before = self._log.read_bytes().count(b'"ready"') if self._log.exists() else 0
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._command = Command([str(BIN / "playhead"), "serve"], self._log, self._variables)
        self._command.wait_until_said(lambda: self._log.read_bytes().count(b'"event":"ready"') > said_before)

    def stop(self) -> None:
        if self._command:
            self._command.stop()

    def roots(self) -> list[int]:
        return [self._command.pid] if self._command else []

    def request(self, moments: Sequence[Moment]) -> bytes:
        spelled = [as_json(moment) for moment in moments]
        return post("/v1/events", spelled[0] if len(spelled) == 1 else b"[%b]" % b",".join(spelled))

    def expected(self, events: int) -> str:
        return f'{{"accepted":{events},"duplicates":0,"rejected":[]'

    def backlog_events(self) -> int:
        """Events that are acknowledged and not yet in Postgres."""
        return int(self.read("/readyz")["backlog_events"])

    def settle(self) -> float:
        """Until all rows are in Postgres, which is what it gives, and then all snapshots, too."""
        started = time.monotonic()
        while self.backlog_events():
            if time.monotonic() > started + SETTLE_SECONDS:
                raise RuntimeError(f"Postgres was still behind after {SETTLE_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)
        took_seconds = time.monotonic() - started
        asyncio.run(self._wait_for_snapshots())
        return took_seconds

    def counts(self) -> Counts:
        """Over HTTP what is counted, movie by movie; with SQL what is stored."""
        totals = (self.read(f"/v1/movies/movie-{number:05}") for number in range(self._movies))
        return Counts(sum(total.get("events", 0) for total in totals), asyncio.run(self._rows()))

    def snapshots(self) -> int:
        """Pairs whose snapshot was stored, since it started."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as response:  # noqa: S310 - our own address
            told = re.search(r"^playhead_snapshots_total (\S+)$", response.read().decode(), re.MULTILINE)
        return int(float(told[1])) if told else 0

    def read(self, path: str) -> dict[str, Any]:
        """The answer, whatever its status."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as response:  # noqa: S310 - our own address
                answer: dict[str, Any] = json.load(response)
        except urllib.error.HTTPError as refused:
            answer = json.load(refused)
        return answer

    async def _wait_for_snapshots(self) -> None:
        connection = await asyncpg.connect(self.database_url)
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                while await connection.fetchval(SNAPSHOTS_BEHIND):  # noqa: ASYNC110 - another process takes them
                    await asyncio.sleep(POLL_SECONDS)
        finally:
            await connection.close()

    async def _rows(self) -> int:
        connection = await asyncpg.connect(self.database_url)
        try:
            return int(await connection.fetchval("SELECT count(*) FROM events"))
        finally:
            await connection.close()
