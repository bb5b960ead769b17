"""The tables of imports: what was staged, what is to be done about it, and how far each user lesson has come.

Staged rows are there from when an import has read all of its files until it is through; times of theirs are whole
microseconds, as they are compared and copied, never shown.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)

from service.courses.tables import foreign, time_of
from service.db.tables import column_of, metadata, name_of


def _time_us(name: str, comment: str, *, null: bool = True) -> Column[Any]:
    return column_of(name, BigInteger, f"{comment}; us since 1970", null=null)


def _place() -> tuple[Column[Any], ...]:
    return (
        column_of("file", SmallInteger, "in which file of the import it was, from 0"),
        column_of("line", BigInteger, "in which line, from 1"),
    )


move_imports = Table(
    "move_imports",
    metadata,
    Column("import", BigInteger, Identity(), nullable=False, comment="its number"),
    time_of("began_at", "when its command was started"),
    time_of("finished_at", "when it was through; without it the staged rows are its", null=True),
    column_of("files", Text, "what it read, as JSON"),
    column_of("books", Text, "what became of its rows up to their staging, or in the end, as JSON"),
    column_of(
        "settings",
        Text,
        "by what its points are judged, as JSON; NULL: by the settings of who finishes it",
        null=True,
    ),
    PrimaryKeyConstraint("import"),
    comment="imports out of the old system whose rows are all staged",
)

staged_courses = Table(
    "staged_courses",
    metadata,
    name_of("user_course", "its id in the old system"),
    name_of("course", "which course"),
    name_of("user_id", "whose"),
    column_of("is_completed", Boolean, "whether its status says so"),
    _time_us("created_us", "when it was made", null=False),
    _time_us("updated_us", "when it last changed", null=False),
    _time_us("due_us", "when it is due"),
    _time_us("started_us", "when it was started"),
    _time_us("completed_us", "when it was completed"),
    _time_us("viewed_us", "when it was last viewed"),
    _time_us("last_completed_us", "when it had last been completed, before it was set back"),
    *_place(),
    comment="rows of UserCourse as they were read",
)

staged_lessons = Table(
    "staged_lessons",
    metadata,
    name_of("user_lesson", "its id in the old system"),
    name_of("user_course", "of what"),
    name_of("lesson", "which lesson"),
    name_of("user_id", "whose; the course's where it does not say", null=True),
    column_of("progress", Double, "where the user was, in the old unit"),
    column_of("furthest", Double, "how far the user came, in the old unit"),
    column_of("is_completed", Boolean, "whether its status says so"),
    _time_us("created_us", "when it was made", null=False),
    _time_us("updated_us", "when it last changed", null=False),
    _time_us("started_us", "when it was started"),
    _time_us("completed_us", "when it was completed"),
    _time_us("viewed_us", "when it was last viewed"),
    *_place(),
    comment="rows of UserLesson as they were read",
)

staged_points = Table(
    "staged_points",
    metadata,
    name_of("user_lesson", "of what"),
    name_of("point", "its id in the old system"),
    _time_us("created_us", "when it was made", null=False),
    column_of("progress", Double, "where the user was, in the old unit"),
    name_of("owner", "whose it says to be", null=True),
    *_place(),
    comment="rows of UserLessonProgress as they were read",
)

staged_stints = Table(
    "staged_stints",
    metadata,
    name_of("course", "at what"),
    name_of("user_id", "whose"),
    column_of(
        "stint",
        Integer,
        "counts the attempts that the import has to do with, from 1, of each user and course",
    ),
    name_of("user_course", "that shows it from then on", null=True),
    column_of("attempt", BigInteger, "which it is; NULL until it is opened", null=True),
    column_of("is_opened", Boolean, "whether the import opened it"),
    _time_us("created_us", "when the user course was made"),
    _time_us("opened_us", "since when the attempt was there", null=False),
    _time_us("due_us", "when it is due"),
    _time_us("started_us", "when it was started"),
    _time_us("viewed_us", "when it was last viewed"),
    _time_us("completed_us", "when it was completed"),
    _time_us("last_completed_us", "when any attempt was, at last"),
    _time_us("closes_us", "when the next one took its place"),
    PrimaryKeyConstraint("stint", "course", "user_id"),
    Index(None, "user_id", "course"),
    comment="attempts that an import opens or goes on with, one after the other",
)

staged_ways = Table(
    "staged_ways",
    metadata,
    name_of("user_course", "its id in the old system"),
    name_of("course", "which course"),
    name_of("user_id", "whose"),
    column_of("stint", Integer, "in which stint its points count; 0: in none, since its attempt is closed"),
    _time_us("until_us", "points up to then count in another one"),
    column_of("stint_before", Integer, "in that one; 0: in none"),
    PrimaryKeyConstraint("user_course"),
    Index(None, "user_id"),
    comment="to which attempts the points of a user course belong",
)

staged_targets = Table(
    "staged_targets",
    metadata,
    name_of("user_lesson", "its id in the old system"),
    name_of("user_course", "of what"),
    name_of("course", "which course"),
    name_of("user_id", "whose"),
    name_of("lesson", "which lesson"),
    column_of("revision", Integer, "the video that it has now"),
    name_of("slug", "the movie of that video"),
    column_of("duration_ms", Integer, "of that video"),
    column_of("stint", Integer, "as of its user course"),
    _time_us("until_us", "as of its user course"),
    column_of("stint_before", Integer, "as of its user course"),
    column_of("position_ms", Integer, "where the user was, as it says", null=True),
    column_of("furthest_ms", Integer, "how far the user came, as it says", null=True),
    _time_us("told_us", "as of when it says so"),
    _time_us("started_us", "when it was started"),
    _time_us("completed_us", "when it was completed"),
    _time_us("viewed_us", "when it was last viewed"),
    PrimaryKeyConstraint("user_lesson"),
    Index(None, "user_course"),
    Index(None, "user_id"),
    comment="where the points of a user lesson go, and what it says itself",
)

imported_lessons = Table(
    "imported_lessons",
    metadata,
    name_of("user_lesson", "its id in the old system"),
    name_of("course", "of which course"),
    name_of("user_id", "whose"),
    column_of("points", BigInteger, "how many of its points were counted"),
    _time_us("last_us", "when the last of those was made"),
    name_of("last_point", "which that is", null=True),
    column_of("position_ms", Integer, "and where it was", null=True),
    column_of("known", LargeBinary, "eight bytes for each of those points, by which it is known again"),
    column_of("seq", BigInteger, "of its last event"),
    column_of("is_told", Boolean, "whether what the lesson says itself was brought in"),
    PrimaryKeyConstraint("user_lesson"),
    foreign("imported_lessons", "course", "user_id", to="assignments", is_dropped_with_it=True),
    Index(None, "course", "user_id"),
    comment="how far the points of a user lesson were counted and acknowledged",
)
