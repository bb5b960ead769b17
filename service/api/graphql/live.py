"""Progress as it changes, for all subscribers of this process: it is looked once a second, for all of them at once.

What is read each second are the counters of those who are followed, in one call. Only of those that changed more is
read, and of all of them now and then: attempts are renewed, and lessons completed, without anything being played.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from service import clock, metrics
from service.errors import Conflict, NotFound, Unavailable
from service.limits import SUBSCRIPTIONS_MAX, SUBSCRIPTIONS_PER_PERSON_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from service.moving.model import UserLesson
    from service.moving.reading import Reading
    from service.stored.scopes import Scope, Scopes

_log = structlog.get_logger()

LOOK_SECONDS: Final = 1.0
"""How late a subscriber may hear of something."""

AGE_SECONDS_MAX: Final = 15.0
"""How late they may hear of what no event says."""

READ_AT_ONCE: Final = 50
"""All lessons of so many attempts: some ten milliseconds, after which others get their turn."""


@dataclass(slots=True)
class _Topic:
    """A lesson of a user that somebody follows. `changed` is another one after each change."""

    lesson: UserLesson
    followers: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    scopes: Sequence[Scope] | None = None
    read_at: float = 0.0

    @property
    def pair(self) -> tuple[str, str]:
        return self.lesson.user, self.lesson.slug

    def tell(self, lesson: UserLesson | None) -> None:
        """One that is gone stays as it was last."""
        self.read_at = clock.steady_seconds()
        if lesson is None or lesson == self.lesson:
            return
        self.lesson = lesson
        self.changed.set()
        self.changed = asyncio.Event()


class Live:
    def __init__(self, reading: Reading, scopes: Scopes) -> None:
        self._reading, self._scopes = reading, scopes
        self._topics: dict[str, _Topic] = {}
        self._followers = 0
        self._of_persons = Counter[str]()
        self._looking: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._is_away = False

    async def close(self) -> None:
        self._stop.set()
        if self._looking:
            await self._looking

    async def follow(self, user_lesson: str, person: str | None) -> AsyncGenerator[UserLesson, None]:
        """How it stands now, and after each change; of several changes the last one. Raises NotFound, Conflict.

        `person` is who asks, if that is a person: one alone cannot take all that there is.
        """
        async with self._counted(person), self._followed(user_lesson) as topic:
            while True:
                changed = topic.changed
                yield topic.lesson
                await changed.wait()

    @asynccontextmanager
    async def _counted(self, person: str | None) -> AsyncIterator[None]:
        if person is None:
            yield
            return
        if self._of_persons[person] >= SUBSCRIPTIONS_PER_PERSON_MAX:
            detail = f"{SUBSCRIPTIONS_PER_PERSON_MAX} subscriptions of yours are open, as many as may be"
            raise Conflict("too_many_subscriptions", detail)
        self._of_persons[person] += 1
        try:
            yield
        finally:
            self._of_persons[person] -= 1
            if not self._of_persons[person]:
                del self._of_persons[person]

    @asynccontextmanager
    async def _followed(self, name: str) -> AsyncIterator[_Topic]:
        if self._followers >= SUBSCRIPTIONS_MAX:
            detail = f"{SUBSCRIPTIONS_MAX} subscriptions are open here, as many as may be"
            raise Conflict("too_many_subscriptions", detail)
        self._followers += 1
        metrics.SUBSCRIPTIONS.inc()
        try:
            topic = self._topics.get(name) or await self._opened(name)
            topic.followers += 1
            try:
                yield topic
            finally:
                topic.followers -= 1
                if not topic.followers and self._topics.get(name) is topic:
                    del self._topics[name]
        finally:
            self._followers -= 1
            metrics.SUBSCRIPTIONS.dec()

    async def _opened(self, name: str) -> _Topic:
        # The Redis client may take a cancellation for an end of its own wait: who leaves just now is not waited for.
        [lesson] = await asyncio.shield(self._reading.user_lessons([name]))
        if lesson is None:
            raise NotFound(f"there is no UserLesson {name!r}")
        topic = self._topics.setdefault(name, _Topic(lesson, read_at=clock.steady_seconds()))
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_on(), name="live")
        return topic

    async def _look_on(self) -> None:
        """Until nobody follows anything. It is not cancelled, for the same reason."""
        while self._topics and not self._stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), LOOK_SECONDS)
            try:
                await self._look()
                self._is_away = False
            except Unavailable as away:
                if not self._is_away:
                    _log.warning("live_unavailable", detail=str(away))
                self._is_away = True
            except Exception:
                _log.exception("live_failed")
        self._looking = None

    async def _look(self) -> None:
        topics = dict(self._topics)
        pairs = sorted({topic.pair for topic in topics.values()})
        found = dict(zip(pairs, await self._scopes.read(pairs), strict=True))
        changed = [name for name, topic in topics.items() if topic.scopes != found[topic.pair]]
        await self._read(list(dict.fromkeys([*changed, *_oldest(topics)])), topics)
        for topic in topics.values():
            topic.scopes = found.get(topic.pair)

    async def _read(self, names: Sequence[str], topics: dict[str, _Topic]) -> None:
        for first in range(0, len(names), READ_AT_ONCE):
            some = names[first : first + READ_AT_ONCE]
            for name, lesson in zip(some, await self._reading.user_lessons(some), strict=True):
                topics[name].tell(lesson)


def _oldest(topics: dict[str, _Topic]) -> list[str]:
    """Those that were read so long ago that it is time again; with very many it takes a little longer."""
    old = clock.steady_seconds() - AGE_SECONDS_MAX
    names = sorted((topic.read_at, name) for name, topic in topics.items() if topic.read_at < old)
    return [name for _, name in names[:READ_AT_ONCE]]
