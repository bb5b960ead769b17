"""The tables of moving in: what the old system called things, and who answers reads."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Index, PrimaryKeyConstraint, Table, Text, text

from service.courses.tables import foreign, time_of
from service.db.tables import column_of, metadata, name_of

user_courses = Table(
    "user_courses",
    metadata,
    name_of("user_course", "its id in the old system"),
    name_of("course", "which course"),
    name_of("user_id", "whose"),
    column_of(
        "attempt", BigInteger, "the closed attempt that it shows; NULL: whichever is the last one", null=True
    ),
    time_of("created_at", "when it was made in the old system"),
    PrimaryKeyConstraint("user_course"),
    foreign("user_courses", "course", "user_id", to="assignments", is_dropped_with_it=True),
    Index(
        "uq_user_courses_last",
        "course",
        "user_id",
        unique=True,
        postgresql_where=text("attempt IS NULL"),
    ),
    Index("ix_user_courses_closed", "course", "created_at", postgresql_where=text("attempt IS NOT NULL")),
    Index(None, "user_id", "course"),
    comment="what the old system called a course that a user was given",
)

user_lessons = Table(
    "user_lessons",
    metadata,
    name_of("user_lesson", "its id in the old system"),
    name_of("user_course", "of what"),
    name_of("lesson", "which lesson"),
    name_of("user_id", "whose"),
    PrimaryKeyConstraint("user_lesson"),
    foreign("user_lessons", "user_course", to="user_courses", is_dropped_with_it=True),
    foreign("user_lessons", "lesson", to="lessons"),
    Index("uq_user_lessons_user_course_lesson", "user_course", "lesson", unique=True),
    Index(None, "user_id"),
    comment="what the old system called a lesson that a user was given",
)

moving = Table(
    "moving",
    metadata,
    column_of("is_one", Boolean, "there is one row at most"),
    column_of("reads", Text, "who answers reads in the old shapes: old or new"),
    time_of("switched_at", "since when"),
    PrimaryKeyConstraint("is_one"),
    CheckConstraint("is_one", name="ck_moving_is_one"),
    CheckConstraint("reads IN ('old', 'new')", name="ck_moving_reads"),
    comment="how far moving in has come",
)
