"""What the old system says of its user courses and user lessons: rows, from its GraphQL or from its exports."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from service.errors import OldApiRefused
from service.events.quantities import microseconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from service.moving.old_api import OldApi

    Facts = dict[str, str | float | None]

PAGE_ROWS: Final = 50
"""User courses asked for at once, with all of their lessons."""

LESSONS_MAX: Final = 1000
"""Of one user course: twice as many as a course may have here."""

ASKED_AT_ONCE: Final = 8
"""Requests that the old system is given at the same time."""

TEXTS: Final = ("courseId", "lessonId", "user", "status")
PLACES: Final = ("progress", "maxProgress")
DATES: Final = ("createdAt", "dueDate", "dateStarted", "dateCompleted", "dateLastViewed", "lastCompletedDate")


class Kind(StrEnum):
    COURSE = "UserCourse"
    LESSON = "UserLesson"


class Key(NamedTuple):
    kind: Kind
    id: str


class OldRow(NamedTuple):
    """`facts` by the old names: times in us since 1970, positions as they were said.

    `lessons` is None where they do not come with it.
    """

    key: Key
    facts: Facts
    lessons: tuple[OldRow, ...] | None = None


_COMMON: Final = ("user", "status", "dateStarted", "dateCompleted", "dateLastViewed")
FIELDS: Final = {
    Kind.COURSE: ("courseId", *_COMMON, "dueDate", "lastCompletedDate", "createdAt"),
    Kind.LESSON: ("lessonId", *_COMMON, "progress", "maxProgress"),
}
"""What is compared of each."""


class OldSide(Protocol):
    """Where rows come from."""

    def pages(self) -> AsyncIterator[list[OldRow]]:
        """All of them, some at a time; no user course comes after a lesson of its."""
        ...

    async def again(self, keys: Sequence[Key]) -> dict[Key, OldRow]:
        """These as they are now; who is not there any more is left out."""
        ...


def row_of(kind: Kind, document: Mapping[str, Any]) -> OldRow:
    """Raises ValueError where it has no id, or a date that is none."""
    identity = document.get("id")
    if not isinstance(identity, str) or not identity:
        raise ValueError(f"a {kind} without an id")
    facts: Facts = {}
    for name in FIELDS[kind]:
        given = document.get(name)
        facts[name] = microseconds(given) if given is not None and name in DATES else given
    return OldRow(Key(kind, identity), facts)


_LESSON: Final = f"id {' '.join(FIELDS[Kind.LESSON])}"
_COURSE: Final = (
    f"id {' '.join(FIELDS[Kind.COURSE])}"
    f" userLessons(limit: {LESSONS_MAX}) {{ items {{ {_LESSON} }} nextToken }}"
)
_LIST: Final = (
    "query List($courseId: ID!, $limit: Int, $nextToken: String) {"
    " listUserCoursesByCourseId(courseId: $courseId, sortDirection: ASC, limit: $limit, nextToken: $nextToken)"
    f" {{ items {{ {_COURSE} }} nextToken }} }}"
)
_GET: Final = f"query Get($id: ID!) {{ getUserCourse(id: $id) {{ {_COURSE} }} }}"


class OldPages:
    """Of the user courses of these courses, by GraphQL. Raises OldApiRefused, OldApiUnavailable."""

    def __init__(self, old_api: OldApi, headers: Mapping[str, str], courses: Iterable[str]) -> None:
        self._old_api = old_api
        self._headers = headers
        self._courses = list(courses)

    async def pages(self) -> AsyncIterator[list[OldRow]]:
        for course in self._courses:
            token: str | None = None
            while True:
                variables = {"courseId": course, "limit": PAGE_ROWS, "nextToken": token}
                listed = await self._ask(_LIST, variables, "listUserCoursesByCourseId")
                if listed is None:
                    raise OldApiRefused("the old system says null where it lists user courses")
                yield [_with_lessons(item) for item in listed["items"] if item is not None]
                token = listed.get("nextToken")
                if token is None:
                    break

    async def again(self, keys: Sequence[Key]) -> dict[Key, OldRow]:
        turns = asyncio.Semaphore(ASKED_AT_ONCE)

        async def one(key: Key) -> OldRow | None:
            async with turns:
                item = await self._ask(_GET, {"id": key.id}, "getUserCourse")
            return _with_lessons(item) if item is not None else None

        rows = await asyncio.gather(*map(one, keys))
        return {row.key: row for row in rows if row is not None}

    async def _ask(self, query: str, variables: Mapping[str, object], field: str) -> Any:
        data = await self._old_api.ask({"query": query, "variables": variables}, self._headers)
        return data.get(field)


def _with_lessons(document: Mapping[str, Any]) -> OldRow:
    """Raises OldApiRefused for what cannot be read."""
    try:
        listed = document["userLessons"]
        lessons = [row_of(Kind.LESSON, item) for item in listed["items"] if item is not None]
        row, is_more = row_of(Kind.COURSE, document), listed.get("nextToken") is not None
    except (ValueError, KeyError, TypeError, AttributeError) as unreadable:
        raise OldApiRefused(f"the old system said what cannot be read: {unreadable}") from None
    if is_more:
        raise OldApiRefused(f"the user course {row.key.id!r} has more than {LESSONS_MAX} lessons")
    return row._replace(lessons=tuple(lessons))
