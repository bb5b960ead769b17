"""What attempts have of their lessons at this moment: read from the live counters, exact to the last event.

What an attempt has of a video is the union of the scopes that are its own, and of what it is credited with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from service.courses.assigning.noting import Progress, credited_of, note
from service.courses.cells import all_of
from service.courses.completion import Completion, completion_of, needed_cells
from service.courses.model import cells_of
from service.courses.queries import query
from service.errors import NotFound
from service.rules.spans import whole_cells

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import asyncpg

    from service.courses.assigning.noting import Key
    from service.courses.database import Database
    from service.db.connections import Connection
    from service.stored.scopes import Scope, Scopes


class Range(NamedTuple):
    """Scopes of a pair, both included; one without a last goes on."""

    first: int
    last: int | None

    def holds(self, number: int) -> bool:
        return self.first <= number and (self.last is None or number <= self.last)


@dataclass(frozen=True, slots=True)
class WatchedLesson:
    """What an attempt has of one video of a lesson. Sets of cells are numbers: bit n is second n of the video.

    `own` is what was watched during the attempt, `credited` what was watched before it and credited. `is_current`: it
    is the video that the lesson has now, and the course has the lesson. `latest_us` is the time of its last event, and
    `latest_ms` where that was; `furthest_ms` is the highest position reached.
    """

    attempt: int
    lesson: str
    revision: int
    slug: str
    duration_ms: int
    threshold_permille: int
    is_current: bool
    own: int = 0
    credited: int = 0
    watch_ms: int = 0
    effective_ms: int = 0
    implausible_ms: int = 0
    events: int = 0
    latest_ms: int = 0
    latest_us: int | None = None
    furthest_ms: int = 0

    @property
    def seen(self) -> int:
        return self.own | self.credited

    @property
    def verified_cells(self) -> int:
        """How far it is covered from second 0 without a hole: the limit of seeking."""
        return whole_cells(self.seen)

    @property
    def is_complete(self) -> bool:
        """As `completion` says, in a tenth of the time."""
        seen_cells = (self.seen & all_of(cells_of(self.duration_ms))).bit_count()
        return seen_cells >= needed_cells(self.duration_ms, self.threshold_permille)

    @property
    def completion(self) -> Completion:
        """With what is missing, and how much is still needed."""
        return completion_of(self.seen, self.duration_ms, self.threshold_permille)


class Watched:
    """Raises Unavailable, of either kind, where the counters or Postgres do not answer."""

    def __init__(self, database: Database, scopes: Scopes) -> None:
        self._database = database
        self._scopes = scopes

    async def of_attempts(self, attempts: Collection[int]) -> dict[int, list[WatchedLesson]]:
        """Of each attempt every video that counted for it, and those that it waits for, in the order of the course.

        Closed, it has what it had then. An attempt that is not there has nothing.
        """
        async with self._database.transaction() as connection:
            stored = await stored_of(connection, attempts)
        found: dict[int, list[WatchedLesson]] = {attempt: [] for attempt in attempts}
        for lesson in await lessons_of(self._scopes, stored):
            found[lesson.attempt].append(lesson)
        return found

    async def of_lesson(self, attempt: int, lesson: str) -> WatchedLesson:
        """Of the video that the lesson has now, or had last in this attempt. Raises NotFound."""
        found = [one for one in (await self.of_attempts([attempt]))[attempt] if one.lesson == lesson]
        if not found:
            raise NotFound(f"attempt {attempt} has no lesson {lesson!r}")
        return max(found, key=lambda one: one.revision)

    async def note(self, attempt: int) -> None:
        """Keep what the attempt has now, as following will within seconds, and whether that completes it."""
        lessons = (await self.of_attempts([attempt]))[attempt]
        progress = [one for lesson in lessons if (one := progress_of(lesson))]
        async with self._database.transaction() as connection:
            await note(connection, progress)


@dataclass(slots=True)
class Stored:
    """What Postgres knows of one video of an attempt: which scopes are its own, and what it is credited."""

    row: asyncpg.Record
    ranges: list[Range]
    credited: int = 0

    @property
    def pair(self) -> tuple[str, str]:
        return self.row["user_id"], self.row["slug"]


async def stored_of(connection: Connection, attempts: Collection[int]) -> list[Stored]:
    """Of all videos of these attempts, in the order of their courses."""
    stored: dict[Key, Stored] = {}
    for row in await connection.fetch(query("select_attempt_scopes"), list(attempts)):
        one = stored.setdefault((row["attempt"], row["lesson"], row["revision"]), Stored(row, []))
        if row["scope_first"] is not None:
            one.ranges.append(Range(row["scope_first"], row["scope_last"]))
    for key, credited in (await credited_of(connection, attempts)).items():
        if key in stored:
            stored[key].credited = credited.seen
    return list(stored.values())


async def lessons_of(scopes: Scopes, stored: Sequence[Stored]) -> list[WatchedLesson]:
    """With what the counters have of them now."""
    pairs = sorted({one.pair for one in stored if one.ranges})
    found = dict(zip(pairs, await scopes.read(pairs), strict=True)) if pairs else {}
    return [_lesson(one, found.get(one.pair, ())) for one in stored]


def progress_of(
    lesson: WatchedLesson, first_us: int | None = None, last_us: int | None = None
) -> Progress | None:
    """What is to be noted of it; None where nothing was watched yet. `first_us` is when it was, `last_us` when last.

    Without them it is the latest event that tells; an earlier start may be noted later.
    """
    last_us = lesson.latest_us if last_us is None else last_us
    if not lesson.own or last_us is None:
        return None
    return Progress(
        lesson.attempt,
        lesson.lesson,
        lesson.revision,
        lesson.own,
        lesson.watch_ms,
        lesson.effective_ms,
        last_us if first_us is None else first_us,
        last_us,
    )


def _lesson(stored: Stored, scopes: Sequence[Scope]) -> WatchedLesson:
    row = stored.row
    mine = [scope for scope in scopes if any(one.holds(scope.number) for one in stored.ranges)]
    own = 0
    for scope in mine:
        own |= scope.seen
    latest = max(((one.latest_us, one.latest_ms or 0) for one in mine if one.latest_us), default=(None, 0))
    return WatchedLesson(
        row["attempt"],
        row["lesson"],
        row["revision"],
        row["slug"],
        row["duration_ms"],
        row["threshold_permille"],
        row["is_current"],
        own=own,
        credited=stored.credited,
        watch_ms=sum(scope.watch_ms for scope in mine),
        effective_ms=sum(scope.effective_ms for scope in mine),
        implausible_ms=sum(scope.implausible_ms for scope in mine),
        events=sum(scope.events for scope in mine),
        latest_ms=latest[1],
        latest_us=latest[0],
        furthest_ms=max((scope.furthest_ms for scope in mine), default=0),
    )
