"""The ids by which old clients know things that were never in the old system: a name that says what it is of."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from typing import Final

SESSION_PREFIX: Final = "old/"
"""Of the session of each UserLesson's points: the import knows by it what came by the old mutation."""

_COURSE: Final = "course-"
_LESSON: Final = "lesson-"
_BETWEEN: Final = "\0"
"""Names hold every character but this one."""


def id_of_course(course: str, user: str) -> str:
    """Of what the user has of the course."""
    return _COURSE + _packed(course, user)


def id_of_lesson(lesson: str, user: str) -> str:
    """Of what the user has of the lesson."""
    return _LESSON + _packed(lesson, user)


def course_of(given: str) -> tuple[str, str] | None:
    """Course and user; None where it is an id of something else."""
    return _unpacked(given, _COURSE)


def lesson_of(given: str) -> tuple[str, str] | None:
    """Lesson and user; None where it is an id of something else."""
    return _unpacked(given, _LESSON)


def is_name(given: str) -> bool:
    """Whether anything can be called so: Postgres' text holds no more."""
    try:
        given.encode()
    except UnicodeEncodeError:
        return False
    return _BETWEEN not in given


def _packed(thing: str, user: str) -> str:
    return urlsafe_b64encode(f"{thing}{_BETWEEN}{user}".encode()).rstrip(b"=").decode()


def _unpacked(given: str, kind: str) -> tuple[str, str] | None:
    """Only as this module writes it: of two spellings of one id one would be another thing to a client's cache."""
    if not given.startswith(kind):
        return None
    packed = given.removeprefix(kind)
    try:
        thing, found, user = urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode().partition(_BETWEEN)
    except (Error, ValueError):
        return None
    return (thing, user) if found and is_name(user) and _packed(thing, user) == packed else None
