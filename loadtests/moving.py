"""What moving in costs and saves: exports are made up, imported, imported again, and the same rows held against rows.

    .venv/bin/python -m loadtests.moving --points 1000000

Starts a playhead of its own, puts the courses, and runs `playhead move import` beside it. The sums of users have to be
what the rows are worth, and the second run must change nothing; else the exit code is 1. Then the rows themselves go
into a table with the indexes that the old model needs, by COPY and one by one, in the same Postgres.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from loadtests.bench.systems.playhead import Playhead
from loadtests.bench.systems.system import BIN
from loadtests.exports import Exports, Shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtests.exports import Written

SINGLE_ROWS = 5_000
"""Inserted one by one: enough for a rate."""

FOLLOWED_SECONDS = 300.0
USERS_ASKED = 200
WRITE_UNIT_DOLLARS = 0.625 / 1_000_000
GIGABYTE_MONTH_DOLLARS = 0.25
ITEM_OVERHEAD_BYTES = 100
"""Of DynamoDB, as docs/storage.md says."""

OLD_TABLE = """
CREATE TABLE old_progress (
    id text PRIMARY KEY, user_lesson_id text NOT NULL, progress double precision NOT NULL, owner text,
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL
);
CREATE INDEX ON old_progress (user_lesson_id, created_at)
"""
OLD_COLUMNS = ("id", "user_lesson_id", "progress", "owner", "created_at", "updated_at")
INSERT = "INSERT INTO old_progress VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING"

RAW = ("events",)
KEPT = (
    "viewings",
    "viewing_speeds",
    "viewing_flags",
    "attempt_lessons",
    "attempt_speeds",
    "attempt_scopes",
    "users",
    "pairs",
    "scopes",
    "sessions",
    "movie_shares",
)
SIZE = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
WHERE c.relkind = 'r' AND (c.relname = $1 OR c.relname LIKE $1 || '_p%' OR c.relname LIKE $1 || '_2%')
"""
STATE = """
SELECT
    (SELECT count(*) FROM events), (SELECT sum(events) FROM users), (SELECT sum(watch_ms) FROM users),
    (SELECT sum(unique_cells) FROM pairs), (SELECT count(*) FROM attempts), (SELECT count(*) FROM user_lessons),
    (SELECT sum(points) FROM imported_lessons), (SELECT sum(seen_cells) FROM attempt_lessons)
"""
UNFOLLOWED = """
SELECT count(*) FROM checkpoints c JOIN followed f USING (partition)
WHERE (c.entry_ms, c.entry_seq) > (f.entry_ms, f.entry_seq)
"""


def put_catalogue(playhead: Playhead, exports: Exports) -> None:
    for course, lessons in exports.catalogue.items():
        told = [
            {"lesson": one.name, "slug": one.slug, "title": one.name, "duration_seconds": one.seconds}
            for one in lessons
        ]
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{playhead.url}/v1/courses/{course}",
            json.dumps({"title": course, "lessons": told}).encode(),
            {"Content-Type": "application/json"},
            method="PUT",
        )
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310 - our own address


def run_import(playhead: Playhead, folder: Path) -> dict[str, Any]:
    told = {name: value for name, value in os.environ.items() if not name.startswith("PLAYHEAD_")}
    words = [str(BIN / "playhead"), "move", "import", "--json"]
    words += [
        "--courses",
        str(folder / "user-courses.jsonl"),
        "--lessons",
        str(folder / "user-lessons.jsonl"),
    ]
    words += ["--progress", str(folder / "user-lesson-progress.jsonl")]
    done = subprocess.run(  # noqa: S603 - our own command
        words,
        env={**told, "PLAYHEAD_DATA_DIR": str(playhead.data)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if not done.stdout:
        raise RuntimeError(f"playhead move import: exit code {done.returncode}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def wrong_users(playhead: Playhead, written: Written) -> list[str]:
    """Those whose sum is not what their rows are worth."""
    found = []
    for user in list(written.watch_ms)[:USERS_ASKED]:
        told = playhead.read(f"/v1/users/{user}").get("watch_seconds", 0)
        if round(told * 1000) != written.watch_ms[user]:
            found.append(f"{user}: {told} s, expected {written.watch_ms[user] / 1000} s")
    return found


async def settled(playhead: Playhead) -> tuple[int, ...]:
    """What Postgres has when everything was followed."""
    playhead_settled = await asyncio.to_thread(playhead.settle)
    assert playhead_settled is not None
    connection = await asyncpg.connect(playhead.database_url)
    async with asyncio.timeout(FOLLOWED_SECONDS):
        while await connection.fetchval(UNFOLLOWED):  # noqa: ASYNC110 - another process follows
            await asyncio.sleep(0.2)
    state = await connection.fetchrow(STATE)
    await connection.close()
    assert state is not None
    return tuple(state)


async def sizes(playhead: Playhead, names: Sequence[str]) -> int:
    connection = await asyncpg.connect(playhead.database_url)
    total = sum([await connection.fetchval(SIZE, name) for name in names])
    await connection.close()
    return int(total)


def rows_of(folder: Path) -> list[tuple[Any, ...]]:
    from datetime import datetime  # noqa: PLC0415

    rows = {}
    for line in (folder / "user-lesson-progress.jsonl").open():
        try:
            told = json.loads(line)
            moment = datetime.fromisoformat(told["createdAt"])
            rows[told["id"]] = (
                told["id"],
                told["userLessonId"],
                told["progress"],
                told["owner"],
                moment,
                moment,
            )
        except (ValueError, KeyError):
            continue
    return list(rows.values())


async def row_by_row(playhead: Playhead, rows: list[tuple[Any, ...]]) -> dict[str, float]:
    """Rows a second of each way in, and the bytes of the table when all are in."""
    connection = await asyncpg.connect(playhead.database_url)
    await connection.execute(OLD_TABLE)
    some, told = rows[: min(SINGLE_ROWS, len(rows))], {}
    started = time.monotonic()
    for row in some:
        await connection.execute(INSERT, *row)
    told["a transaction each"] = len(some) / (time.monotonic() - started)
    await connection.execute("TRUNCATE old_progress")
    started = time.monotonic()
    async with connection.transaction():
        for row in some:
            await connection.execute(INSERT, *row)
    told["one transaction"] = len(some) / (time.monotonic() - started)
    await connection.execute("TRUNCATE old_progress")
    started = time.monotonic()
    await connection.copy_records_to_table("old_progress", records=rows, columns=OLD_COLUMNS)
    told["COPY"] = len(rows) / (time.monotonic() - started)
    told["bytes"] = await connection.fetchval("SELECT pg_total_relation_size('old_progress')")
    await connection.close()
    return told


def tell(title: str, report: dict[str, Any]) -> None:
    progress = report["progress"]
    print(
        f"{title}: {report['seconds']:.1f} s ({report['staged_seconds']:.1f} s staging),"
        f" {report['rows_per_second']:,} rows a second; {progress['read']:,} points read,"
        f" {progress['written'] + progress['merged']:,} counted, {progress['skipped']:,} skipped"
        f" {progress['skipped_by_reason']}, mended {progress['mended_by_reason']}"
    )
    if report["events"]:
        print(
            f"  {report['spans']:,} spans, {report['seeks']:,} seeks, {report['marks']:,} marks:"
            f" {(progress['written'] + progress['merged']) / report['events']:.1f} rows to an event,"
            f" {report['row_bytes'] / report['event_bytes']:.1f} bytes to one"
        )


def tell_savings(written: Written, rows: int, old_bytes: float, raw: int, kept: int, events: int) -> None:
    hours = written.content_seconds / 3600
    print(f"{hours:,.0f} hours watched; for 1,000 of them:")
    print(
        f"  rows: {rows / hours * 1000:,.0f} before, {events / hours * 1000:,.0f} raw events after"
        f" ({rows / events:.1f} : 1)"
    )
    print(
        f"  MB in Postgres: {old_bytes / hours / 1000:,.1f} before; after {raw / hours / 1000:,.1f} of raw events"
        f" and {kept / hours / 1000:,.1f} of what is kept without them ({old_bytes / (raw + kept):.1f} : 1)"
    )
    item_bytes = written.bytes["progress"] / written.rows["progress"] + ITEM_OVERHEAD_BYTES
    print(
        f"  dollars of DynamoDB: {rows / hours * 1000 * WRITE_UNIT_DOLLARS:.2f} to write the rows, and"
        f" {rows / hours * 1000 * item_bytes / 1e9 * GIGABYTE_MONTH_DOLLARS:.3f} a month to keep them"
    )


def measure(playhead: Playhead, folder: Path, shape: Shape) -> bool:
    exports = Exports(shape)
    written = exports.write(folder)
    print(f"{shape}\n{shape.users} users, rows {dict(written.rows)}, malformed {dict(written.wrong)}")
    put_catalogue(playhead, exports)
    first = run_import(playhead, folder)
    tell("import", first)
    state = asyncio.run(settled(playhead))
    wrong = wrong_users(playhead, written)
    second = run_import(playhead, folder)
    tell("again", second)
    again = asyncio.run(settled(playhead))
    for sentence in wrong[:5]:
        print(f"  not as the rows are worth: {sentence}")
    print(
        f"  {min(USERS_ASKED, len(written.watch_ms))} users asked, {len(wrong)} not what their rows are worth"
    )
    print(f"  the second run changed {'nothing' if state == again else f'{state} to {again}'}")
    rows = rows_of(folder)
    rates = asyncio.run(row_by_row(playhead, rows))
    for name in ("a transaction each", "one transaction", "COPY"):
        print(
            f"  {name}: {rates[name]:,.0f} rows a second, COPY is {rates['COPY'] / rates[name]:.0f} times that"
        )
    raw, kept = (asyncio.run(sizes(playhead, names)) for names in (RAW, KEPT))
    tell_savings(written, len(rows), rates["bytes"], raw, kept, state[0])
    reports = (first, second)
    return not wrong and state == again and all(report["balances"] for report in reports)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        playhead = Playhead(Path(folder), snapshot_interval_seconds=60)
        playhead.start()
        try:
            right = measure(playhead, Path(folder), Shape(points=asked.points, seed=asked.seed))
        finally:
            playhead.stop()
    return 0 if right else 1


if __name__ == "__main__":
    raise SystemExit(main())
