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

from service.db.tables import ROOM_FOR_UPDATES, metadata


def _column(name: str, kind: Any, comment: str, *, null: bool = False) -> Column[Any]:
    return Column(name, kind, nullable=null, comment=comment)


def _name(name: str, comment: str) -> Column[Any]:
    return _column(name, Text(collation="C"), comment)


def _time(name: str, comment: str, *, null: bool = False) -> Column[Any]:
    return _column(name, DateTime(timezone=True), comment, null=null)


def _foreign(table: str, *columns: str, to: str, is_dropped_with_it: bool = False) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        columns,
        [f"{to}.{column}" for column in columns],
        name=f"fk_{table}_{to}",
        ondelete="CASCADE" if is_dropped_with_it else None,
    )


courses = Table(
    "courses",
    metadata,
    _name("course", "its name"),
    _column("title", Text, "for people"),
    _column("time_zone", Text, "in which its days begin and end, like Europe/Berlin"),
    _column("skip_policy", Text, "about seeking past what was watched: block, flag or allow"),
    _column("credit_window_months", SmallInteger, "how far back watching before an assignment counts"),
    _column("credit_cap_permille", SmallInteger, "how much of a lesson may be credited, in thousandths"),
    _column("credit_includes_flagged", Boolean, "whether flagged watching counts"),
    _column("renewal_months", SmallInteger, "how long after a completion it is due again", null=True),
    _column("renewal_lead_days", SmallInteger, "how long before that the attempt is opened", null=True),
    _time("created_at", "when it was first put"),
    _time("updated_at", "when it last changed"),
    _time("archived_at", "since when it is not assigned or renewed any more", null=True),
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
    _name("lesson", "its name, of no other lesson in any course"),
    _name("course", "which it belongs to, for ever"),
    _column("place", SmallInteger, "in the course, from 0"),
    _column("title", Text, "for people"),
    _column("threshold_permille", SmallInteger, "how much of it completes it, in thousandths of its cells"),
    _column("revision", Integer, "the video that it has now"),
    _name("slug", "the movie of that video"),
    _column("duration_ms", Integer, "of that video"),
    _time("removed_at", "since when its course is without it", null=True),
    PrimaryKeyConstraint("lesson"),
    _foreign("lessons", "course", to="courses"),
    Index(None, "course", "place"),
    Index(None, "slug"),
    comment="lessons, as they are now",
)

lesson_revisions = Table(
    "lesson_revisions",
    metadata,
    _name("lesson", "whose video"),
    _column("revision", Integer, "counts the lesson's videos, from 1"),
    _name("slug", "the movie"),
    _column("duration_ms", Integer, "of the movie"),
    _time("made_at", "when it became the lesson's video"),
    PrimaryKeyConstraint("lesson", "revision"),
    _foreign("lesson_revisions", "lesson", to="lessons"),
    comment="every video that a lesson has had",
)

teams = Table(
    "teams",
    metadata,
    _name("team", "its name"),
    _column("title", Text, "for people"),
    _time("created_at", "when it was first put"),
    PrimaryKeyConstraint("team"),
    comment="teams",
)

team_members = Table(
    "team_members",
    metadata,
    _name("team", "which"),
    _name("user_id", "who belongs to it"),
    PrimaryKeyConstraint("team", "user_id"),
    _foreign("team_members", "team", to="teams", is_dropped_with_it=True),
    Index(None, "user_id", "team"),
    comment="who belongs to which team now",
)

assignments = Table(
    "assignments",
    metadata,
    _name("course", "what is to be watched"),
    _name("user_id", "by whom"),
    _time("first_assigned_at", "when for the first time"),
    _time("assigned_at", "when for the last time"),
    _time("unassigned_at", "since when it is not any more", null=True),
    _time("last_completed_at", "of all attempts", null=True),
    PrimaryKeyConstraint("course", "user_id"),
    _foreign("assignments", "course", to="courses"),
    Index(None, "user_id", "course"),
    postgresql_with=ROOM_FOR_UPDATES,
    comment="who was given which course; what was taken away again stays",
)

attempts = Table(
    "attempts",
    metadata,
    Column("attempt", BigInteger, Identity(), nullable=False, comment="its number, of all attempts"),
    _name("course", "at what"),
    _name("user_id", "whose"),
    _column("number", Integer, "of the user's attempts at the course, from 1"),
    _time("opened_at", "since when watching counts for it"),
    _column("opened_by", Text, "assignment, renewal (by hand) or rule"),
    _time("due_at", "the first moment that is too late", null=True),
    _time("started_at", "of the first thing that was watched", null=True),
    _time("last_viewed_at", "of the last thing that was watched", null=True),
    _time("completed_at", "when the last lesson was", null=True),
    _time("closed_at", "since when it stays as it is; open again where it goes on", null=True),
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
    postgresql_with=ROOM_FOR_UPDATES,
    comment="goes at a course: one is open, and counts, for as long as the course is assigned",
)

attempt_lessons = Table(
    "attempt_lessons",
    metadata,
    Column("attempt", BigInteger, nullable=False, autoincrement=False, comment="which attempt"),
    _name("lesson", "which lesson"),
    _column("revision", Integer, "which video of it"),
    _column("seen_cells", Integer, "how many of its cells were seen"),
    _time("started_at", "when it was first watched"),
    _time("last_viewed_at", "when it was last watched"),
    _time("completed_at", "when enough of it was seen", null=True),
    PrimaryKeyConstraint("attempt", "lesson", "revision"),
    _foreign("attempt_lessons", "attempt", to="attempts", is_dropped_with_it=True),
    _foreign("attempt_lessons", "lesson", "revision", to="lesson_revisions"),
    postgresql_with=ROOM_FOR_UPDATES,
    comment="what an attempt has of each lesson, by the video that was watched",
)
