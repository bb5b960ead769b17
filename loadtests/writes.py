"""What an hour of watching a lesson writes, beside the usual model of a row a second.

    .venv/bin/python -m loadtests.writes --viewers 200 --seconds 180

Starts a playhead of its own. Viewers who were assigned a course open a session each and report every ten seconds what
they played, as players do, in real time. What was written meanwhile the servers tell themselves; what they write while
nobody watches is taken off. The rows a second go into the same Postgres, each in a transaction.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import asyncpg
from redis.asyncio import Redis

from loadtests.bench.systems.playhead import Playhead

REPORT_SECONDS = 10
LESSON_SECONDS = 3600
SETTLE_SECONDS = 75
"""Until what was reported is flushed, followed and in a snapshot, once a minute, and until Postgres tells of it."""

IDLE_SECONDS = 30
HOUR_SECONDS = 3600

ROW_A_SECOND = """
CREATE TABLE row_a_second (
    user_id text, course text, lesson text, second int, watched_at timestamptz, PRIMARY KEY (user_id, lesson, second)
)
"""
INSERT = "INSERT INTO row_a_second VALUES ('viewer 1', 'safety', 'intro', $1, now())"
TABLES = "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables"


class Written(NamedTuple):
    """By Postgres: rows by table and kind, and bytes of its log. By Redis: commands by name, and bytes of its log."""

    rows: Counter[tuple[str, str]]
    log_bytes: int
    commands: Counter[str]
    redis_bytes: int

    def since(self, before: Written) -> Written:
        return Written(
            self.rows - before.rows,
            self.log_bytes - before.log_bytes,
            self.commands - before.commands,
            self.redis_bytes - before.redis_bytes,
        )


class Servers:
    """What playhead's servers say that they wrote."""

    def __init__(self, postgres: asyncpg.Connection[Any], redis: Redis) -> None:
        self._postgres, self._redis = postgres, redis

    async def written(self) -> Written:
        await self._postgres.execute("SELECT pg_stat_clear_snapshot()")
        rows: Counter[tuple[str, str]] = Counter()
        for table, inserted, updated, deleted in await self._postgres.fetch(TABLES):
            name = "events" if table.startswith("events") else table
            rows.update(
                {(name, "inserted"): inserted, (name, "updated"): updated, (name, "deleted"): deleted}
            )
        stats: dict[str, dict[str, int]] = await self._redis.info("commandstats")
        persistence = await self._redis.info("persistence")
        return Written(
            rows,
            await self._postgres.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"),
            Counter({name.removeprefix("cmdstat_"): one["calls"] for name, one in stats.items()}),
            persistence["aof_current_size"],
        )

    async def row_a_second(self) -> tuple[int, int]:
        """Bytes of Postgres' log and of the table, of an hour of one viewer."""
        await self._postgres.execute(ROW_A_SECOND)
        before = (await self.written()).log_bytes
        for second in range(HOUR_SECONDS):
            await self._postgres.execute(INSERT, second)
        after = (await self.written()).log_bytes
        size = await self._postgres.fetchval("SELECT pg_total_relation_size('row_a_second')")
        return after - before, size


class Viewers:
    def __init__(self, session: aiohttp.ClientSession, url: str, count: int) -> None:
        self._session, self._url = session, url
        self._users = [f"viewer {number}" for number in range(count)]
        self._sessions: dict[str, str] = {}

    async def open(self) -> None:
        lesson = {
            "lesson": "intro",
            "slug": "intro-v1",
            "title": "Introduction",
            "duration_seconds": LESSON_SECONDS,
        }
        await self._send("PUT", "/v1/courses/safety", {"title": "Safety", "lessons": [lesson]})
        await self._send(
            "POST", "/v1/assignments", [{"course": "safety", "user": user} for user in self._users]
        )
        for user in self._users:
            opened = await self._send("POST", "/video/sessions", {"userId": user, "lessonId": "intro"})
            self._sessions[user] = opened["sessionId"]

    async def watch(self, first_report: int, reports: int) -> None:
        """Evenly spread over the ten seconds of each report."""
        await asyncio.gather(
            *(
                self._watch(user, first_report, reports, place * REPORT_SECONDS / len(self._users))
                for place, user in enumerate(self._users)
            )
        )

    async def _watch(self, user: str, first_report: int, reports: int, after_seconds: float) -> None:
        started = time.monotonic() + after_seconds
        for number in range(reports):
            await asyncio.sleep(started + number * REPORT_SECONDS - time.monotonic())
            start = (first_report + number) * REPORT_SECONDS
            segment = {"startSecond": start, "endSecond": start + REPORT_SECONDS, "speed": 1}
            body = {"segments": [segment | {"clientEventId": f"{start}"}]}
            await self._send("POST", f"/video/sessions/{self._sessions[user]}/progress", body)

    async def _send(self, method: str, path: str, body: object) -> Any:
        async with self._session.request(method, self._url + path, json=body) as answer:
            if answer.status != 200:
                raise RuntimeError(f"{method} {path}: {answer.status} {await answer.text()}")
            return await answer.json()


async def measure(playhead: Playhead, viewers_count: int, seconds: int) -> None:
    postgres = await asyncpg.connect(playhead.database_url)
    redis = Redis.from_url(playhead.redis_url)
    async with aiohttp.ClientSession() as session:
        servers, viewers = Servers(postgres, redis), Viewers(session, playhead.url, viewers_count)
        await viewers.open()
        await viewers.watch(0, 2)
        await asyncio.sleep(SETTLE_SECONDS)
        quiet = await servers.written()
        await asyncio.sleep(IDLE_SECONDS)
        idle = (await servers.written()).since(quiet)
        before, started = await servers.written(), time.monotonic()
        await viewers.watch(2, seconds // REPORT_SECONDS)
        await asyncio.sleep(SETTLE_SECONDS)
        written, took_seconds = (await servers.written()).since(before), time.monotonic() - started
        share = HOUR_SECONDS / (viewers_count * (seconds // REPORT_SECONDS) * REPORT_SECONDS)
        tell(written, idle, took_seconds / IDLE_SECONDS, share)
        log_bytes, table_bytes = await servers.row_a_second()
        print(
            f"a row a second: {HOUR_SECONDS} rows inserted, {log_bytes:,} bytes of log, {table_bytes:,} of table"
        )
    await redis.aclose()
    await postgres.close()


def tell(written: Written, idle: Written, idles: float, share: float) -> None:
    """`share` turns what was written into what an hour of one viewer writes; `idles` is how often idle is in it."""

    def hourly(of: int, of_idle: int) -> float:
        return max(0.0, (of - of_idle * idles) * share)

    print("rows of Postgres an hour of watching")
    totals: Counter[str] = Counter()
    for table, kind in sorted(written.rows):
        count = hourly(written.rows[table, kind], idle.rows[table, kind])
        totals[kind] += round(count)
        if count >= 1:
            print(f"  {table:20} {kind:10} {count:8.1f}")
    print("  all", *(f"{count} {kind}" for kind, count in totals.items()))
    print(f"bytes of Postgres' log: {hourly(written.log_bytes, idle.log_bytes):,.0f}")
    print("commands of Redis an hour of watching")
    for name, calls in written.commands.most_common():
        count = hourly(calls, idle.commands[name])
        if count >= 0.5:
            print(f"  {name:20} {count:8.1f}")
    print(f"bytes of Redis' log: {hourly(written.redis_bytes, idle.redis_bytes):,.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--follow-seconds", type=float, default=10, help="PLAYHEAD_FOLLOW_INTERVAL_SECONDS")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        playhead = Playhead(
            Path(folder), snapshot_interval_seconds=60, follow_interval_seconds=asked.follow_seconds
        )
        playhead.start()
        try:
            asyncio.run(measure(playhead, asked.viewers, asked.seconds))
        finally:
            playhead.stop()


if __name__ == "__main__":
    main()
