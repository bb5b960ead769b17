"""The tables of courses, in the same schema as those of the counters; the migrations make them so.

Names of users are in `user_id` here, too. Times are those that callers gave; nothing is stamped by Postgres.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from service.db.tables import ROOM_FOR_UPDATES, column_of, metadata, name_of


def time_of(name: str, comment: str, *, null: bool = False) -> Column[Any]:
    return column_of(name, DateTime(timezone=True), comment, null=null)


def foreign(table: str, *columns: str, to: str, is_dropped_with_it: bool = False) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        columns,
        [f"{to}.{column}" for column in columns],
        name=f"fk_{table}_{to}",
        ondelete="CASCADE" if is_dropped_with_it else None,
    )


courses = Table(
    "courses",
    metadata,
    name_of("course", "its name"),
    column_of("title", Text, "for people"),
    column_of("time_zone", Text, "in which its days begin and end, like Europe/Berlin"),
    column_of("skip_policy", Text, "about seeking past what was watched: block, flag or allow"),
    column_of("credit_window_months", SmallInteger, "how far back watching before an assignment counts"),
    column_of("credit_cap_permille", SmallInteger, "how much of a lesson may be credited, in thousandths"),
    column_of("credit_includes_flagged", Boolean, "whether flagged watching counts"),
    column_of("renewal_months", SmallInteger, "how long after a completion it is due again", null=True),
    column_of("renewal_lead_days", SmallInteger, "how long before that the attempt is opened", null=True),
    time_of("created_at", "when it was first put"),
    time_of("updated_at", "when it last changed"),
    time_of("archived_at", "since when it is not assigned or renewed any more", null=True),
    PrimaryKeyConstraint("course"),
    Index(
        "ix_courses_renewed",
        "course",
        postgresql_where=text("renewal_months IS NOT NULL AND archived_at IS NULL"),
    ),
    comment="courses",
)

lessons = Table(
    "lessons",
    metadata,
    name_of("lesson", "its name, of no other lesson in any course"),
    name_of("course", "which it belongs to, for ever"),
    column_of("place", SmallInteger, "in the course, from 0"),
    column_of("title", Text, "for people"),
    column_of("threshold_permille", SmallInteger, "how much of it completes it, in thousandths of its cells"),
    column_of("revision", Integer, "the video that it has now"),
    name_of("slug", "the movie of that video"),
    column_of("duration_ms", Integer, "of that video"),
    time_of("removed_at", "since when its course is without it", null=True),
    PrimaryKeyConstraint("lesson"),
    foreign("lessons", "course", to="courses"),
    Index(None, "course", "place"),
    Index(None, "slug"),
    comment="lessons, as they are now",
)

lesson_revisions = Table(
    "lesson_revisions",
    metadata,
    name_of("lesson", "whose video"),
    column_of("revision", Integer, "counts the lesson's videos, from 1"),
    name_of("slug", "the movie"),
    column_of("duration_ms", Integer, "of the movie"),
    time_of("made_at", "when it became the lesson's video"),
    PrimaryKeyConstraint("lesson", "revision"),
    foreign("lesson_revisions", "lesson", to="lessons"),
    Index(None, "slug"),
    comment="every video that a lesson has had",
)

teams = Table(
    "teams",
    metadata,
    name_of("team", "its name"),
    column_of("title", Text, "for people"),
    time_of("created_at", "when it was first put"),
    PrimaryKeyConstraint("team"),
    comment="teams",
)

team_members = Table(
    "team_members",
    metadata,
    name_of("team", "which"),
    name_of("user_id", "who belongs to it"),
    PrimaryKeyConstraint("team", "user_id"),
    foreign("team_members", "team", to="teams", is_dropped_with_it=True),
    Index(None, "user_id", "team"),
    comment="who belongs to which team now",
)

assignments = Table(
    "assignments",
    metadata,
    name_of("course", "what is to be watched"),
    name_of("user_id", "by whom"),
    time_of("first_assigned_at", "when for the first time"),
    time_of("assigned_at", "when for the last time"),
    time_of("unassigned_at", "since when it is not any more", null=True),
    time_of("last_completed_at", "of all attempts", null=True),
    PrimaryKeyConstraint("course", "user_id"),
    foreign("assignments", "course", to="courses"),
    Index(None, "user_id", "course"),
    Index(None, "course", "first_assigned_at", "user_id"),
    postgresql_with=ROOM_FOR_UPDATES,
    comment="who was given which course; what was taken away again stays",
)

attempts = Table(
    "attempts",
    metadata,
    Column("attempt", BigInteger, Identity(), nullable=False, comment="its number, of all attempts"),
    name_of("course", "at what"),
    name_of("user_id", "whose"),
    column_of("number", Integer, "of the user's attempts at the course, from 1"),
    time_of("opened_at", "since when watching counts for it"),
    column_of("opened_by", Text, "assignment, renewal (by hand) or rule"),
    time_of("due_at", "the first moment that is too late", null=True),
    time_of("started_at", "of the first thing that was watched", null=True),
    time_of("last_viewed_at", "of the last thing that was watched", null=True),
    time_of("completed_at", "when the last lesson was", null=True),
    time_of("closed_at", "since when it stays as it is; open again where it goes on", null=True),
    Column(
        "turn",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="rises whenever its ranges of scopes have to follow a change",
    ),
    Column(
        "is_levelled",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="whether they have followed the last one",
    ),
    PrimaryKeyConstraint("attempt"),
    ForeignKeyConstraint(
        ("course", "user_id"),
        ("assignments.course", "assignments.user_id"),
        name="fk_attempts_assignments",
        ondelete="CASCADE",
    ),
    Index("uq_attempts_course_user_id_number", "course", "user_id", "number", unique=True),
    Index("uq_attempts_open", "course", "user_id", unique=True, postgresql_where=text("closed_at IS NULL")),
    Index(
        "ix_attempts_renewable",
        "course",
        "completed_at",
        postgresql_where=text("closed_at IS NULL AND completed_at IS NOT NULL"),
    ),
    Index("ix_attempts_unlevelled", "course", "user_id", postgresql_where=text("NOT is_levelled")),
    postgresql_with=ROOM_FOR_UPDATES,
    comment="goes at a course: one is open, and counts, for as long as the course is assigned",
)

attempt_lessons = Table(
    "attempt_lessons",
    metadata,
    Column("attempt", BigInteger, nullable=False, autoincrement=False, comment="which attempt"),
    name_of("lesson", "which lesson"),
    column_of("revision", Integer, "which video of it"),
    column_of("seen_cells", Integer, "how many of its cells count: seen or credited"),
    column_of("watch_ms", BigInteger, "content time played"),
    column_of("effective_ms", BigInteger, "wall time that took"),
    time_of("started_at", "when it was first watched, or credited"),
    time_of("last_viewed_at", "when it was last watched", null=True),
    time_of("completed_at", "when enough of it was seen", null=True),
    PrimaryKeyConstraint("attempt", "lesson", "revision"),
    foreign("attempt_lessons", "attempt", to="attempts", is_dropped_with_it=True),
    foreign("attempt_lessons", "lesson", "revision", to="lesson_revisions"),
    postgresql_with=ROOM_FOR_UPDATES,
    comment="what an attempt has of each lesson, by the video that was watched",
)
