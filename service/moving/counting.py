"""Counting what was imported: events through the one writer, and in Postgres how far each user lesson has come.

That is moved only when the events are acknowledged. Killed in between, the same events are sent again under the same
`seq`, and are duplicates.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import orjson

from service import clock
from service.errors import Unavailable
from service.events.event import Event
from service.limits import RUN_EVENTS_MAX
from service.moving.old_rows import SESSION_PREFIX
from service.moving.queries import query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from service.counters.writer import Writer
    from service.courses.database import Database
    from service.moving.books import Books
    from service.moving.judging import Judged

    Say = Callable[[str], None]

_WAIT_SECONDS_MAX: Final = 10.0


class Counting:
    """Waits for as long as Redis takes nothing; `say` hears why."""

    def __init__(self, database: Database, writer: Writer, say: Say) -> None:
        self._database = database
        self._writer = writer
        self._say = say

    async def count(self, judged: Sequence[Judged], books: Books) -> None:
        """In their order, each wholly: what was counted before counts no more."""
        events = [event for one in judged for event in events_of(one, clock.now_us())]
        book_events(events, books)
        for first in range(0, len(events), RUN_EVENTS_MAX):
            books.duplicates += await self._apply(events[first : first + RUN_EVENTS_MAX])
        await self._keep([one for one in judged if one.is_news])

    async def _apply(self, events: list[Event]) -> int:
        duplicates, tries = 0, 0
        while events:
            try:
                applied = await self._writer.apply(events)
            except Unavailable as failed:
                await self._wait(failed, tries := tries + 1)
                continue
            duplicates += applied.duplicates
            events = [events[place] for place in sorted(applied.failures)]
            if events:
                await self._wait(next(iter(applied.failures.values())), tries := tries + 1)
        return duplicates

    async def _wait(self, failed: Unavailable, tries: int) -> None:
        self._say(f"{failed}; trying again")
        await asyncio.sleep(min(_WAIT_SECONDS_MAX, failed.retry_after_seconds * tries))

    async def _keep(self, judged: Sequence[Judged]) -> None:
        if not judged:
            return
        rows = [_row(one) for one in judged]
        async with self._database.transaction() as connection:
            await connection.execute(query("upsert_imported_lessons"), *map(list, zip(*rows, strict=True)))


def events_of(judged: Judged, received_us: int) -> Iterable[Event]:
    goal = judged.goal
    session = SESSION_PREFIX + goal.user_lesson
    for seq, told in enumerate(judged.told, start=(goal.seq or 0) + 1):
        yield Event(
            goal.user,
            goal.slug,
            told.kind,
            told.at_ms,
            told.time_us,
            max(received_us, told.time_us),
            timed=True,
            session=session,
            seq=seq,
            from_ms=told.from_ms,
            speed=told.speed,
        )


def book_events(events: Iterable[Event], books: Books) -> None:
    """What they are, and how large they would be as clients send them."""
    for event in events:
        if event.kind == "segment":
            books.spans += 1
        elif event.kind == "seek":
            books.seeks += 1
        else:
            books.marks += 1
        books.event_bytes += len(orjson.dumps(_wire(event)))


def _wire(event: Event) -> dict[str, Any]:
    told = {
        "user": event.user,
        "slug": event.slug,
        "kind": event.kind,
        "at": event.at_ms / 1000,
        "ts": event.time_us / 1_000_000,
        "session": event.session,
        "seq": event.seq,
    }
    if event.from_ms is not None:
        told["from"] = event.from_ms / 1000
    if event.speed is not None:
        told["speed"] = event.speed / 1000
    return told


def _row(judged: Judged) -> tuple[Any, ...]:
    """In the order of the columns of `imported_lessons`."""
    goal = judged.goal
    last = judged.last or (goal.last_us, goal.last_point, goal.last_position_ms)
    return (
        goal.user_lesson,
        goal.course,
        goal.user,
        (goal.points or 0) + judged.points,
        *last,
        (goal.known or b"") + judged.known,
        (goal.seq or 0) + len(judged.told),
        judged.is_told,
    )
