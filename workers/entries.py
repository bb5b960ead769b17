"""Entries of a partition's stream, and the rows that they become."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from redis.exceptions import RedisError

from service.counters import keys, packing, scripts
from service.db.records import EntryId
from service.errors import RedisUnavailable
from service.rules.model import FASTER_THAN_CLOCK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis.asyncio import Redis

    from service.events.event import Event

Row = tuple[object, ...]
Changed = tuple[str, str, str]
"""User, slug and session of an event: the counters that it changed."""

_DUPLICATE = b"D"


class Entry(NamedTuple):
    id: EntryId
    run: bytes
    outcomes: bytes


async def read_entries(redis: Redis, after: Mapping[int, EntryId], count: int) -> dict[int, list[Entry]]:
    """Of each partition up to `count` entries after the given id, in one round trip. Raises RedisUnavailable."""
    pipeline = redis.pipeline(transaction=False)
    for partition, entry_id in after.items():
        pipeline.xrange(keys.stream(partition), min=f"({entry_id}", max="+", count=count)
    try:
        replies = await pipeline.execute()
    except (RedisError, OSError) as failed:
        raise RedisUnavailable(f"Redis did not answer: {failed or type(failed).__name__}") from failed
    return {
        partition: [
            Entry(EntryId.parse(entry_id), found[b"run"], found[b"outcomes"]) for entry_id, found in reply
        ]
        for partition, reply in zip(after, replies, strict=True)
        if reply
    }


def rows_of(partition: int, entry: Entry) -> tuple[list[Row], set[Changed]]:
    """The rows of an entry, in the order of `service.db.records.EVENT_COLUMNS`, and what its events changed.

    Duplicates changed nothing and make no row.
    """
    rows: list[Row] = []
    changed: set[Changed] = set()
    for ordinal, (event, outcome) in enumerate(
        zip(packing.unpack(entry.run), entry.outcomes.split(b","), strict=True)
    ):
        if outcome != _DUPLICATE:
            rows.append(_row(partition, entry.id, ordinal, event, outcome))
            changed.add((event.user, event.slug, event.session))
    return rows, changed


def _row(partition: int, entry_id: EntryId, ordinal: int, event: Event, outcome: bytes) -> Row:
    credited, _, implausible = outcome.partition(b"!")
    segments = [end for span in event.segments for end in span] if event.kind == "claim" else None
    return (
        partition,
        entry_id.ms,
        entry_id.seq,
        ordinal,
        event.user,
        event.slug,
        event.session,
        event.kind,
        event.at_ms,
        event.from_ms,
        segments,
        event.speed,
        event.duration_ms,
        event.seq,
        event.id,
        event.timed,
        event.time_us,
        event.received_us,
        int(credited),
        int(implausible or 0),
        FASTER_THAN_CLOCK if implausible else None,
    )


async def trim(redis: Redis, committed: Mapping[int, EntryId]) -> None:
    """Remove from the streams what is committed, each up to and including the given id."""
    calls: list[scripts.Call] = [
        ("trim", [keys.stream(partition), keys.log(partition)], [f"{upto.ms}-{upto.seq + 1}"])
        for partition, upto in committed.items()
    ]
    for reply in await scripts.call(redis, calls):
        if isinstance(reply, Exception):
            raise reply
