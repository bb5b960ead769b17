"""Rows of the old system: their fields, checked one by one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from service import limits
from service.events.quantities import microseconds
from service.moving.books import Wrong

if TYPE_CHECKING:
    from collections.abc import Mapping

SESSION_PREFIX: Final = "import/"
"""Of the session of each user lesson."""

USER_LESSON_CHARS_MAX: Final = limits.SESSION_CHARS_MAX - len(SESSION_PREFIX)

_TIME_MIN_US: Final = limits.TIME_MIN_S * 1_000_000
_TIME_MAX_US: Final = limits.TIME_MAX_S * 1_000_000
_DAY_US: Final = 86_400_000_000
_SHOWN_CHARS_MAX: Final = 80
_NUMBER_MAX: Final = 1e9
"""No place in a lesson, in whichever unit; what is larger cannot even be reckoned with."""


class CourseRow(NamedTuple):
    """In the order of the columns of `staged_courses`."""

    user_course: str
    course: str
    user: str
    is_completed: bool
    created_us: int
    updated_us: int
    due_us: int | None
    started_us: int | None
    completed_us: int | None
    viewed_us: int | None
    last_completed_us: int | None
    file: int
    line: int


class LessonRow(NamedTuple):
    """In the order of the columns of `staged_lessons`."""

    user_lesson: str
    user_course: str
    lesson: str
    user: str | None
    progress: float
    furthest: float
    is_completed: bool
    created_us: int
    updated_us: int
    started_us: int | None
    completed_us: int | None
    viewed_us: int | None
    file: int
    line: int


class PointRow(NamedTuple):
    """In the order of the columns of `staged_points`."""

    user_lesson: str
    point: str
    created_us: int
    progress: float
    owner: str | None
    file: int
    line: int


@dataclass(frozen=True, slots=True)
class Names:
    """What a field is called in the export, where it is not called what the old schema calls it."""

    renamed: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str) -> str:
        return self.renamed.get(name, name)


class Fields:
    """The fields of rows, by the names that they have in this export. Each call raises Wrong."""

    def __init__(self, names: Names, file: int) -> None:
        of = names.of
        self._file = file
        self._id, self._created, self._updated = of("id"), of("createdAt"), of("updatedAt")
        self._user = (of("user"), of("userId"), of("owner"))
        self._owner = of("owner")
        self._course = (of("courseId"), of("course"))
        self._lesson = (of("lessonId"), of("lesson"))
        self._user_course = (of("userCourseId"), of("userCourse"))
        self._user_lesson = (of("userLessonId"), of("userLesson"))
        self._progress, self._furthest, self._status = of("progress"), of("maxProgress"), of("status")
        self._due, self._started, self._completed = of("dueDate"), of("dateStarted"), of("dateCompleted")
        self._viewed, self._last_completed = of("dateLastViewed"), of("lastCompletedDate")

    def course(self, row: dict[str, Any], line: int) -> CourseRow:
        created_us = self._time(row, self._created)
        return CourseRow(
            _text(row.get(self._id), self._id, limits.ID_CHARS_MAX),
            _named(row, self._course, limits.COURSE_CHARS_MAX),
            _named(row, self._user, limits.USER_CHARS_MAX),
            self._is_completed(row),
            created_us,
            _time_or_none(row, self._updated) or created_us,
            _time_or_none(row, self._due, is_end=True),
            _time_or_none(row, self._started),
            _time_or_none(row, self._completed),
            _time_or_none(row, self._viewed),
            _time_or_none(row, self._last_completed),
            self._file,
            line,
        )

    def lesson(self, row: dict[str, Any], line: int) -> LessonRow:
        created_us = self._time(row, self._created)
        return LessonRow(
            _text(row.get(self._id), self._id, USER_LESSON_CHARS_MAX),
            _named(row, self._user_course, limits.ID_CHARS_MAX),
            _named(row, self._lesson, limits.LESSON_CHARS_MAX),
            _name_or_none(row, self._user, limits.USER_CHARS_MAX),
            _number(row.get(self._progress) or 0, self._progress),
            _number(row.get(self._furthest) or 0, self._furthest),
            self._is_completed(row),
            created_us,
            _time_or_none(row, self._updated) or created_us,
            _time_or_none(row, self._started),
            _time_or_none(row, self._completed),
            _time_or_none(row, self._viewed),
            self._file,
            line,
        )

    def point(self, row: dict[str, Any], line: int) -> PointRow:
        get = row.get
        owner = get(self._owner)
        user_lesson = get(self._user_lesson[0])
        if user_lesson is None:
            user_lesson = _named(row, self._user_lesson, USER_LESSON_CHARS_MAX)
        return PointRow(
            _text(user_lesson, self._user_lesson[0], USER_LESSON_CHARS_MAX),
            _text(get(self._id), self._id, limits.ID_CHARS_MAX),
            self._time(row, self._created),
            _number(get(self._progress), self._progress),
            None if owner is None or owner == "" else _text(owner, self._owner, 2 * limits.USER_CHARS_MAX),
            self._file,
            line,
        )

    def _time(self, row: dict[str, Any], name: str) -> int:
        time_us = _time_or_none(row, name)
        if time_us is None:
            raise Wrong("missing_field", f"{name} is missing")
        return time_us

    def _is_completed(self, row: dict[str, Any]) -> bool:
        status = row.get(self._status)
        return isinstance(status, str) and status.lower() == "completed"


def _text(value: object, name: str, chars_max: int) -> str:
    if isinstance(value, str) and 0 < len(value) <= chars_max and "\0" not in value:
        return value
    if value is None or value == "":
        raise Wrong("missing_field", f"{name} is missing")
    raise Wrong("bad_value", f"{name} is {shown(value)}, expected text of 1 to {chars_max} characters")


def _named(row: dict[str, Any], names: tuple[str, ...], chars_max: int) -> str:
    """A reference: the id itself, or an object that has it."""
    found = _name_or_none(row, names, chars_max)
    if found is None:
        raise Wrong("missing_field", f"{names[0]} is missing")
    return found


def _name_or_none(row: dict[str, Any], names: tuple[str, ...], chars_max: int) -> str | None:
    for name in names:
        value = row.get(name)
        if isinstance(value, dict):
            value = value.get("id")
        if value is not None and value != "":
            return _text(value, name, chars_max)
    return None


def _number(value: object, name: str) -> float:
    if (
        isinstance(value, float | int)
        and not isinstance(value, bool)
        and -_NUMBER_MAX <= value <= _NUMBER_MAX
    ):
        return float(value)
    if value is None:
        raise Wrong("missing_field", f"{name} is missing")
    raise Wrong("bad_value", f"{name} is {shown(value)}, expected a number")


def _time_or_none(row: dict[str, Any], name: str, *, is_end: bool = False) -> int | None:
    """RFC 3339, or seconds since 1970. Of a mere date `is_end` says that all of the day is meant, in UTC."""
    value = row.get(name)
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str) and len(value) == len("2026-12-31"):
            time_us = microseconds(f"{value}T00:00:00Z") + (_DAY_US if is_end else 0)
        else:
            time_us = microseconds(value)
    except (TypeError, ValueError, OverflowError) as wrong:
        raise Wrong("bad_value", f"{name} is {shown(value)}, which is no time: {wrong}") from None
    if not _TIME_MIN_US <= time_us <= _TIME_MAX_US:
        raise Wrong("bad_value", f"{name} is {shown(value)}, expected a time from 2000 to 2100")
    return time_us


def shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS_MAX else text[:_SHOWN_CHARS_MAX] + "..."
