"""What old clients write: the old system takes it first, then it is counted here, as the heartbeat that it is.

A point that the old system did not take counts nowhere, so both always have the same ones; what it took, and what then
could not be counted, clients send again under the same id, and the import brings it where they don't.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from service import clock, limits, metrics
from service.errors import (
    Forbidden,
    Invalid,
    NotCounted,
    NotFound,
    OldApiRefused,
    PostgresUnavailable,
    Unavailable,
)
from service.events.event import Event
from service.moving import ids
from service.moving.forwarding import new_id, with_ids, writes_of
from service.moving.ids import SESSION_PREFIX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from service.counters.writer import Writer
    from service.moving.forwarding import Asked
    from service.moving.model import Unit
    from service.moving.old_api import Document, OldAnswer, OldApi

    MayWrite = Callable[[str], Awaitable[None]]
    """Raises Forbidden where what this user watches is not for the caller to say."""

    Named = tuple[str, str, str, int]

NAMED_SECONDS: Final = 30.0
"""How long it may take until another video of a lesson is the one that counts."""

_TAKEN_BEFORE: Final = "ConditionalCheckFailed"
"""How DynamoDB says that there is a row of this id, by AppSync's `errorType`."""

_CREATE: Final = (
    "mutation Create($input: CreateUserLessonProgressInput!)"
    " { createUserLessonProgress(input: $input) { id } }"
)
_UPDATE: Final = "mutation Update($input: UpdateUserLessonInput!) { updateUserLesson(input: $input) { id } }"


class Names(Protocol):
    async def named(self, user_lesson_id: str) -> Named | None:
        """User, lesson, slug and duration in ms of an old id."""
        ...

    async def is_imported(self, user_lesson: str, point: str) -> bool: ...


class Point(NamedTuple):
    """`user` is None where only the old system knows whose it is."""

    point: str
    user_lesson: str
    user: str | None
    progress: float
    at_us: int


class _Told(NamedTuple):
    """`named` is None where only the old system may know it, `progress` where nothing is said of it."""

    user_lesson: str
    progress: float | None
    named: Named | None


class Writing:
    """Raises Invalid, NotFound (also of what is another's), OldApiRefused, and Unavailable of every kind."""

    def __init__(self, names: Names, writer: Writer, old_api: OldApi | None, unit: Unit) -> None:
        self._names = names
        self._writer = writer
        self._old_api = old_api
        self._unit = unit
        self._known: OrderedDict[str, tuple[float, Named]] = OrderedDict()

    async def point(
        self,
        user_lesson: str,
        progress: float,
        *,
        point: str | None = None,
        others: Mapping[str, Any] | None = None,
        headers: Mapping[str, str],
        may_write: MayWrite,
    ) -> Point:
        """Write one: `others` is what else the client said of it. Repeated under its id it is counted once."""
        at_us, point = clock.now_us(), point or new_id()
        told, is_new = await self._checked(user_lesson, progress, may_write, point), True
        if old_api := self._old_side_of(user_lesson):
            given = {**(others or {}), "id": point, "userLessonId": user_lesson, "progress": progress}
            is_new = await self._pass_on(old_api, {"query": _CREATE, "variables": {"input": given}}, headers)
        if is_new or not await self._names.is_imported(user_lesson, point):
            await self._count(told, at_us, point)
        return Point(point, user_lesson, told.named[0] if told.named else None, progress, at_us)

    async def update(
        self, user_lesson: str, given: Mapping[str, Any], *, headers: Mapping[str, str], may_write: MayWrite
    ) -> None:
        """Of what is `given` only `progress` counts here: the rest follows from what was watched."""
        at_us = clock.now_us()
        told = await self._checked(user_lesson, given.get("progress"), may_write)
        if old_api := self._old_side_of(user_lesson):
            whole = {**given, "id": user_lesson}
            await self._pass_on(old_api, {"query": _UPDATE, "variables": {"input": whole}}, headers)
        await self._count(told, at_us)

    async def forwarded(
        self, asked: Asked, headers: Mapping[str, str], may_write: MayWrite
    ) -> OldAnswer | None:
        """The old system's answer to a client's whole mutation, whose points are counted if it took them.

        None where it never heard of any of those lessons, or says that it has the points already: then only we know to
        say more than no.
        """
        assert self._old_api
        at_us, asked = clock.now_us(), with_ids(asked)
        writes = writes_of(asked)
        if writes and not any(self._old_side_of(one.user_lesson) for one in writes):
            return None
        checked = [await self._checked(one.user_lesson, one.progress, may_write, one.point) for one in writes]
        answer = await self._old_api.post(asked.as_sent, headers)
        if _is_taken_before(answer):
            return None
        for write, told in zip(writes, checked, strict=True):
            if answer.data.get(write.key) is not None:
                await self._count(told, at_us, write.point)
        return answer

    async def _checked(
        self, user_lesson: str, progress: float | None, may_write: MayWrite, point: str | None = None
    ) -> _Told:
        """What is another's is told as unknown. Of what is forwarded no types are known yet."""
        if point is not None and not (_is_name(point) and len(point) <= limits.ID_CHARS_MAX):
            raise _wrong("id", "invalid_string", point, f"a string of 1 to {limits.ID_CHARS_MAX} characters")
        if not _is_name(user_lesson):
            raise _unknown(user_lesson)
        named = await self._named(user_lesson)
        if named is None and self._old_side_of(user_lesson) is None:
            raise _unknown(user_lesson)
        if named is not None:
            try:
                await may_write(named[0])
            except Forbidden:
                raise _unknown(user_lesson) from None
        if progress is not None:
            position_ms(progress, self._unit, named[3] if named else None)
        return _Told(user_lesson, progress, named)

    def _old_side_of(self, user_lesson: str) -> OldApi | None:
        """The old system; None also for what was assigned here alone, which it would refuse."""
        is_here_only = isinstance(user_lesson, str) and ids.lesson_of(user_lesson) is not None
        return None if is_here_only else self._old_api

    async def _named(self, user_lesson: str) -> Named | None:
        """Kept for a while, and for longer while Postgres is away."""
        now, (known_at, known) = clock.steady_seconds(), self._known.get(user_lesson, (0.0, None))
        if known is not None and now - known_at < NAMED_SECONDS:
            return known
        try:
            named = await self._names.named(user_lesson)
        except PostgresUnavailable:
            if known is None:
                raise
            return known
        self._known.pop(user_lesson, None)
        if named is not None:
            self._known[user_lesson] = now, named
            if len(self._known) > limits.NAMED_LESSONS_KNOWN_MAX:
                self._known.popitem(last=False)
        return named

    async def _pass_on(self, old_api: OldApi, document: Document, headers: Mapping[str, str]) -> bool:
        """Gives whether the old system took it now; else it had it before. Raises OldApiRefused."""
        answer = await old_api.post(document, headers)
        if not answer.is_taken and not _is_taken_before(answer):
            raise OldApiRefused(f"the old system did not take it: {answer.said}")
        return answer.is_taken

    async def _count(self, told: _Told, at_us: int, point: str | None = None) -> None:
        """Without an id it may be said again, too: it is where it was, and counts nothing more."""
        if told.progress is None:
            return
        if told.named is None:
            metrics.POINTS_UNKNOWN.inc()
            return
        user, _, slug, duration_ms = told.named
        at_ms = position_ms(told.progress, self._unit, duration_ms)
        session = SESSION_PREFIX + told.user_lesson
        event = Event(user, slug, "heartbeat", at_ms, at_us, at_us, session=session, id=point)
        try:
            await self._writer.apply_one(event)
        except Unavailable as failed:
            if self._old_side_of(told.user_lesson) is None:
                raise
            raise NotCounted(
                f"the old system has it, but it could not be counted; send it again: {failed}"
            ) from None


def position_ms(progress: float, unit: Unit, duration_ms: int | None) -> int:
    """Where `progress` is; a little past the end is the end. Without a duration only what no lesson has is refused.

    Raises Invalid.
    """
    if isinstance(progress, bool) or not isinstance(progress, float | int) or progress != progress:  # noqa: PLR0124 - NaN
        raise _wrong("progress", "wrong_type", progress, "a number")
    if progress < 0:
        raise _wrong("progress", "negative_position", progress, "a number that is not negative")
    if progress > limits.POSITION_MAX_S:
        raise _wrong("progress", "past_the_end", progress, "a place in the lesson")
    if duration_ms is None:
        return 0
    position = unit.position_ms(progress, duration_ms)
    if position > duration_ms + limits.PAST_THE_END_MS:
        end = f"at most the end of the lesson, at {duration_ms / limits.MS:g} s"
        raise _wrong("progress", "past_the_end", progress, end)
    return min(position, duration_ms)


def _is_taken_before(answer: OldAnswer) -> bool:
    """All of it: what is wrong is only that it is there."""
    said = [f"{error.get('errorType', '')} {error.get('message', '')}" for error in answer.errors]
    return bool(said) and all(_TAKEN_BEFORE in one for one in said)


def _unknown(user_lesson: str) -> NotFound:
    return NotFound(f"no UserLesson {user_lesson!r} that is yours is known here")


def _is_name(given: object) -> bool:
    return isinstance(given, str) and bool(given) and "\0" not in given


def _wrong(field: str, reason: str, got: object, expected: str) -> Invalid:
    detail = f"{field}: got {str(got)[:80]!r}, expected {expected}"
    return Invalid([{"field": field, "reason": reason, "detail": detail}])
