"""What Postgres holds, written as `tests.lua.book` writes the model, so that the two can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.counters import coverage, keys
from service.counters.records import PairRecord, SessionRecord
from tests.lua.book import Book, book_of_model, seen_in, seqs_of

if TYPE_CHECKING:
    import asyncpg
    from redis.asyncio import Redis

    from service.rules.model import Model

Connection = Any
"""An asyncpg connection; its stubs know too little of records to be of help here."""

EPOCH_US = "(extract(epoch FROM {}) * 1000000)::bigint"


def expected_of(model: Model) -> Book:
    """What snapshots must say: everything but the ids, which Redis alone remembers."""
    book = book_of_model(model, 0)
    return {**book, "users": {name: totals[:5] for name, totals in book["users"].items()}}


async def book_of_postgres(connection: Connection) -> Book:
    return {
        "users": {
            record["user_id"]: tuple(record)[1:]
            for record in await connection.fetch(
                "SELECT user_id, watch_ms, effective_ms, unique_cells, events, movies FROM users"
            )
        },
        "movies": {
            record["slug"]: tuple(map(int, tuple(record)[1:]))
            for record in await connection.fetch(
                "SELECT slug, sum(watch_ms), sum(effective_ms), sum(unique_cells), sum(events), sum(viewers)"
                " FROM movie_shares GROUP BY slug"
            )
        },
        "pairs": {
            (record["user_id"], record["slug"]): _pair(record)
            for record in await connection.fetch(f"SELECT *, {EPOCH_US.format('latest_at')} AS us FROM pairs")
        },
        "scopes": {
            (record["user_id"], record["slug"], record["scope"]): _scope(record)
            for record in await connection.fetch(
                f"SELECT *, {EPOCH_US.format('latest_at')} AS us FROM scopes"
            )
        },
        "sessions": {
            (record["user_id"], record["slug"], record["session"]): _session(record)
            for record in await connection.fetch("SELECT * FROM sessions")
        },
    }


def _pair(record: asyncpg.Record) -> tuple[object, ...]:
    bitmap = bytes(record["coverage"])
    return (
        record["watch_ms"],
        record["effective_ms"],
        record["unique_cells"],
        record["events"],
        record["implausible_ms"],
        coverage.verified_cells(bitmap),
        record["furthest_ms"],
        record["latest_ms"],
        record["us"],
        record["scope"],
        seen_in(bitmap),
    )


def _scope(record: asyncpg.Record) -> tuple[object, ...]:
    *counters, cells = _pair(record)
    return PairRecord(*(0 if value is None else value for value in counters)), cells  # type: ignore[arg-type]


def _session(record: asyncpg.Record) -> tuple[object, ...]:
    stored = SessionRecord(
        record["position_ms"],
        record["time_us"] or None,
        record["since_us"],
        record["playing"],
        record["speed"],
        record["credited_ms"],
        record["seq_max"],
        record["seq_base"],
        bytes(record["seq_window"]),
    )
    return (*stored[:7], frozenset(seqs_of(stored)))


async def is_settled(redis: Redis, connection: Connection, partitions: int) -> bool:
    """Whether nothing is on its way: streams empty, logs even, and every row's counters in a snapshot."""
    for partition in range(partitions):
        if await redis.exists(keys.stream(partition)) and await redis.xlen(keys.stream(partition)):
            return False
        appended, persisted = await redis.hmget(keys.log(partition), ["appended", "persisted"])
        if int(appended or 0) != int(persisted or 0):
            return False
    behind = await connection.fetchval(
        "SELECT count(*) FROM checkpoints WHERE (snapshot_ms, snapshot_seq) < (entry_ms, entry_seq)"
    )
    return bool(behind == 0)
