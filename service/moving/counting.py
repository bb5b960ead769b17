"""Counting what was imported: events through the one writer, and in Postgres how far each user lesson has come.

That is moved only when the events are acknowledged. Killed in between, the same events are sent again under the same
`seq`, and are duplicates.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson

from service import clock
from service.errors import Unavailable
from service.events.event import Event
from service.limits import RUN_EVENTS_MAX
from service.moving.old_rows import SESSION_PREFIX
from service.moving.queries import query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from service.counters.writer import Writer
    from service.courses.database import Database
    from service.moving.books import Books
    from service.moving.judging import Judged

    Say = Callable[[str], None]

T = TypeVar("T")

_WAIT_SECONDS: Final = 0.25
_WAIT_SECONDS_MAX: Final = 10.0


class Counting:
    """Waits for as long as Redis takes nothing; `say` hears why. `backlog_max` is what one partition may hold."""

    def __init__(self, database: Database, writer: Writer, backlog_max: int, say: Say) -> None:
        self._database = database
        self._writer = writer
        self._events_max = min(RUN_EVENTS_MAX, backlog_max)
        self._say = say

    async def count(self, judged: Sequence[Judged], books: Books) -> None:
        """In their order, each wholly: what was counted before counts no more."""
        events = [event for one in judged for event in events_of(one, clock.now_us())]
        book_events(events, books)
        for first in range(0, len(events), self._events_max):
            books.duplicates += await self._apply(events[first : first + self._events_max])
        await self._keep([one for one in judged if one.is_news])

    async def patiently(self, do: Callable[[], Awaitable[T]]) -> T:
        """Do what changes nothing when it is done again, until nothing is away that it needs."""
        for tries in count():
            try:
                return await do()
            except Unavailable as failed:
                self._say(f"{failed}; trying again")
                await asyncio.sleep(min(_WAIT_SECONDS_MAX, _WAIT_SECONDS * 2**tries))
        raise AssertionError

    async def _apply(self, events: list[Event]) -> int:
        """Gives how many were duplicates. What failed while the rest did not is sent again."""
        left, duplicates = events, 0

        async def apply() -> None:
            nonlocal left, duplicates
            applied = await self._writer.apply(left)
            duplicates += applied.duplicates
            left = [left[place] for place in sorted(applied.failures)]
            for failed in applied.failures.values():
                raise failed

        if left:
            await self.patiently(apply)
        return duplicates

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
