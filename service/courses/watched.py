"""What attempts have of their lessons at this moment: read from the live counters, exact to the last event.

What an attempt has of a video is the union of the scopes that are its own, and of what it is credited with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from service.courses.completion import Completion, completion_of
from service.errors import NotFound
from service.rules.spans import whole_cells

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import asyncpg

    from service.courses.database import Database


class Scope(Protocol):
    """What was counted in one scope of a pair; `seen` has bit n for cell n."""

    @property
    def number(self) -> int: ...
    @property
    def watch_ms(self) -> int: ...
    @property
    def effective_ms(self) -> int: ...
    @property
    def implausible_ms(self) -> int: ...
    @property
    def events(self) -> int: ...
    @property
    def latest_us(self) -> int | None: ...
    @property
    def seen(self) -> int: ...


class Scopes(Protocol):
    """The live counters, by scope."""

    async def read(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Sequence[Scope]]:
        """Of each pair (user, slug) all scopes in which anything was counted, ascending. Raises Unavailable."""
        ...


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
    is the video that the lesson has now, and the course has the lesson. `latest_us` is the time of its last event.
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
    latest_us: int | None = None

    @property
    def seen(self) -> int:
        return self.own | self.credited

    @property
    def verified_cells(self) -> int:
        """How far it is covered from second 0 without a hole: the limit of seeking."""
        return whole_cells(self.seen)

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
        rows = await self._database.rows("select_attempt_scopes", list(attempts))
        pairs = sorted({(row["user_id"], row["slug"]) for row in rows if row["scope_first"] is not None})
        scopes = dict(zip(pairs, await self._scopes.read(pairs), strict=True)) if pairs else {}
        found: dict[int, list[WatchedLesson]] = {attempt: [] for attempt in attempts}
        for lesson in _lessons(rows, scopes):
            found[lesson.attempt].append(lesson)
        return found

    async def of_lesson(self, attempt: int, lesson: str) -> WatchedLesson:
        """Of the video that the lesson has now, or had last in this attempt. Raises NotFound."""
        found = [one for one in (await self.of_attempts([attempt]))[attempt] if one.lesson == lesson]
        if not found:
            raise NotFound(f"attempt {attempt} has no lesson {lesson!r}")
        return max(found, key=lambda one: one.revision)


def _lessons(
    rows: Iterable[asyncpg.Record], scopes: dict[tuple[str, str], Sequence[Scope]]
) -> list[WatchedLesson]:
    """One for each video of each attempt, of all ranges that it has."""
    ranges: dict[tuple[int, str, int], list[Range]] = {}
    described: dict[tuple[int, str, int], asyncpg.Record] = {}
    for row in rows:
        key = row["attempt"], row["lesson"], row["revision"]
        described[key] = row
        mine = ranges.setdefault(key, [])
        if row["scope_first"] is not None:
            mine.append(Range(row["scope_first"], row["scope_last"]))
    return [_lesson(row, ranges[key], scopes) for key, row in described.items()]


def _lesson(
    row: asyncpg.Record, ranges: Sequence[Range], scopes: dict[tuple[str, str], Sequence[Scope]]
) -> WatchedLesson:
    mine = [
        scope
        for scope in scopes.get((row["user_id"], row["slug"]), ())
        if any(one.holds(scope.number) for one in ranges)
    ]
    own = 0
    for scope in mine:
        own |= scope.seen
    return WatchedLesson(
        row["attempt"],
        row["lesson"],
        row["revision"],
        row["slug"],
        row["duration_ms"],
        row["threshold_permille"],
        row["is_current"],
        own=own,
        watch_ms=sum(scope.watch_ms for scope in mine),
        effective_ms=sum(scope.effective_ms for scope in mine),
        implausible_ms=sum(scope.implausible_ms for scope in mine),
        events=sum(scope.events for scope in mine),
        latest_us=max((scope.latest_us for scope in mine if scope.latest_us is not None), default=None),
    )
