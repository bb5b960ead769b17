"""Where the points of a user lesson go, and what it says itself: decided row by row, without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.courses.dates import latest
from service.limits import PAST_THE_END_MS
from service.moving.books import Kind, Wrong

if TYPE_CHECKING:
    from service.moving.books import Books, Place
    from service.moving.model import Unit
    from service.moving.old_rows import LessonRow


class Found(NamedTuple):
    """What playhead has for a row: where its user course goes, its lesson, and what that is called already.

    `nth` counts the rows of its id; `is_elsewhere` says that its id is another lesson's.
    """

    nth: int
    course: str | None
    user: str | None
    stint: int | None
    until_us: int | None
    stint_before: int | None
    course_of_lesson: str | None
    revision: int | None
    slug: str | None
    duration_ms: int | None
    known_lesson: str | None
    is_elsewhere: bool


class Target(NamedTuple):
    """In the order of the columns of `staged_targets`."""

    user_lesson: str
    user_course: str
    course: str
    user: str
    lesson: str
    revision: int
    slug: str
    duration_ms: int
    stint: int
    until_us: int | None
    stint_before: int
    position_ms: int
    furthest_ms: int
    told_us: int
    started_us: int | None
    completed_us: int | None
    viewed_us: int | None


def target_of(row: LessonRow, found: Found, taken_by: str | None, unit: Unit, books: Books) -> Target:
    """`taken_by` is the row before it of the same lesson in its user course. Raises Wrong where it has none."""
    place = (row.file, row.line)
    _refuse(row, found, taken_by)
    assert found.course is not None
    assert found.user is not None
    assert found.stint is not None
    assert found.stint_before is not None
    assert found.revision is not None
    assert found.slug is not None
    assert found.duration_ms is not None
    if row.user is None:
        books.mend(
            Kind.LESSONS, "owner_from_course", place, f"no user; its user course is that of {found.user!r}"
        )
    completed_us = row.completed_us
    if completed_us is None and row.is_completed:
        completed_us = row.viewed_us or row.updated_us
        books.mend(Kind.LESSONS, "completed_without_date", place, "completed, but not said when")
    dates_us = [one for one in (row.started_us, row.viewed_us, completed_us) if one is not None]
    positions_ms = [
        _within(unit.position_ms(told, found.duration_ms), found.duration_ms, place, books)
        for told in (row.progress, row.furthest)
    ]
    return Target(
        row.user_lesson,
        row.user_course,
        found.course,
        found.user,
        row.lesson,
        found.revision,
        found.slug,
        found.duration_ms,
        found.stint,
        found.until_us,
        found.stint_before,
        positions_ms[0],
        max(positions_ms),
        row.viewed_us or max(dates_us, default=row.updated_us),
        min(dates_us, default=None),
        completed_us,
        latest([row.viewed_us, completed_us]),
    )


def _refuse(row: LessonRow, found: Found, taken_by: str | None) -> None:
    if found.nth > 1:
        raise Wrong("duplicate_id", f"{row.user_lesson!r} is there again, changed later")
    if found.stint is None:
        raise Wrong("no_such_course", f"no user course {row.user_course!r} was imported")
    if row.user is not None and row.user != found.user and found.user not in row.user.split("::"):
        raise Wrong("foreign_owner", f"of {row.user!r}, in a user course of {found.user!r}")
    if found.course_of_lesson != found.course:
        raise Wrong("unknown_lesson", f"playhead's course {found.course!r} has no lesson {row.lesson!r}")
    if found.is_elsewhere:
        raise Wrong("foreign_lesson", f"{row.user_lesson!r} was imported as that of another lesson")
    other = found.known_lesson or taken_by
    if other is not None and other != row.user_lesson:
        raise Wrong(
            "lesson_twice", f"{row.user_course!r} has another user lesson of {row.lesson!r}, {other!r}"
        )


def _within(position_ms: int, duration_ms: int, place: Place, books: Books) -> int:
    """What a lesson says of itself is never refused for being beyond it: its points tell better."""
    if position_ms < 0:
        books.mend(
            Kind.LESSONS, "negative_position", place, f"stands at {position_ms / 1000:g} s, taken as 0"
        )
        return 0
    if position_ms > duration_ms:
        if position_ms > duration_ms + PAST_THE_END_MS:
            detail = f"stands at {position_ms / 1000:g} s of {duration_ms / 1000:g} s"
            books.mend(Kind.LESSONS, "past_the_end", place, detail)
        return duration_ms
    return position_ms
