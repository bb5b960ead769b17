"""What the old system says of its user courses and user lessons: rows, from its GraphQL or from its exports."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from service.errors import OldApiRefused
from service.moving.books import Wrong
from service.moving.exports import documents
from service.moving.old_rows import Fields, Names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
    from pathlib import Path

    from service.moving.old_api import OldApi

    Facts = dict[str, str | float | None]

PAGE_ROWS: Final = 50
"""User courses asked for at once, with all of their lessons."""

EXPORTED_ROWS: Final = 500
"""Rows of a file that are looked at together."""

LESSONS_MAX: Final = 1000
"""Of one user course: twice as many as a course may have here."""

ASKED_AT_ONCE: Final = 8
"""Requests that the old system is given at the same time."""

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


class OldSide(Protocol):
    """Where rows come from. `apart` are the kinds of which all rows come, each by itself."""

    apart: frozenset[Kind]

    def pages(self) -> AsyncIterator[list[OldRow]]:
        """All of them, some at a time; no user course comes after a lesson."""
        ...

    async def again(self, rows: Sequence[OldRow], keys: Sequence[Key]) -> dict[Key, OldRow]:
        """These rows, and those of these keys, as they are now; who is not there any more is left out."""
        ...


def course_row(document: Mapping[str, Any], fields: Fields) -> OldRow:
    """Raises Wrong."""
    read = fields.course(dict(document), 0)
    facts: Facts = {
        "courseId": read.course,
        "user": read.user,
        "status": document.get("status"),
        "createdAt": read.created_us,
        "dueDate": read.due_us,
        "dateStarted": read.started_us,
        "dateCompleted": read.completed_us,
        "dateLastViewed": read.viewed_us,
        "lastCompletedDate": read.last_completed_us,
    }
    return OldRow(Key(Kind.COURSE, read.user_course), facts)


def lesson_row(document: Mapping[str, Any], fields: Fields) -> OldRow:
    """Raises Wrong."""
    read = fields.lesson(dict(document), 0)
    facts: Facts = {
        "lessonId": read.lesson,
        "user": read.user,
        "status": document.get("status"),
        "progress": read.progress,
        "maxProgress": read.furthest,
        "dateStarted": read.started_us,
        "dateCompleted": read.completed_us,
        "dateLastViewed": read.viewed_us,
    }
    return OldRow(Key(Kind.LESSON, read.user_lesson), facts)


class OldExports:
    """Of exported files: as they were then. Raises Unreadable."""

    def __init__(self, courses: Sequence[Path], lessons: Sequence[Path], names: Names) -> None:
        self.apart = frozenset(
            kind for kind, files in ((Kind.COURSE, courses), (Kind.LESSON, lessons)) if files
        )
        self.unreadable = 0
        self._files = [*((course_row, file) for file in courses), *((lesson_row, file) for file in lessons)]
        self._fields = Fields(names, 0)

    async def pages(self) -> AsyncIterator[list[OldRow]]:
        for row_of, file in self._files:
            page: list[OldRow] = []
            for document in documents(file):
                try:
                    page.append(row_of(document, self._fields))
                except Wrong:
                    self.unreadable += 1
                if len(page) == EXPORTED_ROWS:
                    yield page
                    page = []
            if page:
                yield page

    async def again(self, rows: Sequence[OldRow], keys: Sequence[Key]) -> dict[Key, OldRow]:
        """They stay as they are."""
        del keys
        return {row.key: row for row in rows}


_DATES: Final = "dateStarted dateCompleted dateLastViewed createdAt"
_LESSON: Final = f"id lessonId user status progress maxProgress {_DATES}"
_COURSE: Final = (
    f"id courseId user status dueDate lastCompletedDate {_DATES}"
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
        self.apart = frozenset({Kind.COURSE})

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

    async def again(self, rows: Sequence[OldRow], keys: Sequence[Key]) -> dict[Key, OldRow]:
        turns = asyncio.Semaphore(ASKED_AT_ONCE)

        async def one(key: Key) -> OldRow | None:
            async with turns:
                item = await self._ask(_GET, {"id": key.id}, "getUserCourse")
            return _with_lessons(item) if item is not None else None

        found = await asyncio.gather(*map(one, (*(row.key for row in rows), *keys)))
        return {row.key: row for row in found if row is not None}

    async def _ask(self, query: str, variables: Mapping[str, object], field: str) -> Any:
        data = await self._old_api.ask({"query": query, "variables": variables}, self._headers)
        return data.get(field)


def _with_lessons(document: Mapping[str, Any]) -> OldRow:
    """Raises OldApiRefused for what cannot be read."""
    fields = Fields(Names(), 0)
    try:
        row, listed = course_row(document, fields), document["userLessons"]
        lessons = [
            lesson_row({**item, "userCourseId": row.key.id}, fields)
            for item in listed["items"]
            if item is not None
        ]
        is_more = listed.get("nextToken") is not None
    except (Wrong, KeyError, TypeError, AttributeError) as unreadable:
        raise OldApiRefused(f"the old system said what cannot be read: {unreadable}") from None
    if is_more:
        raise OldApiRefused(f"the user course {row.key.id!r} has more than {LESSONS_MAX} lessons")
    return row._replace(lessons=tuple(lessons))
