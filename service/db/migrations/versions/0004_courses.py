"""Courses: the catalogue, teams, assignments and attempts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "courses",
        sa.Column("course", sa.Text(collation="C"), nullable=False, comment="its name"),
        sa.Column("title", sa.Text(), nullable=False, comment="for people"),
        sa.Column(
            "time_zone",
            sa.Text(),
            nullable=False,
            comment="in which its days begin and end, like Europe/Berlin",
        ),
        sa.Column(
            "skip_policy",
            sa.Text(),
            nullable=False,
            comment="about seeking past what was watched: block, flag or allow",
        ),
        sa.Column(
            "credit_window_months",
            sa.SmallInteger(),
            nullable=False,
            comment="how far back watching before an assignment counts",
        ),
        sa.Column(
            "credit_cap_permille",
            sa.SmallInteger(),
            nullable=False,
            comment="how much of a lesson may be credited, in thousandths",
        ),
        sa.Column(
            "credit_includes_flagged", sa.Boolean(), nullable=False, comment="whether flagged watching counts"
        ),
        sa.Column(
            "renewal_months",
            sa.SmallInteger(),
            nullable=True,
            comment="how long after a completion it is due again",
        ),
        sa.Column(
            "renewal_lead_days",
            sa.SmallInteger(),
            nullable=True,
            comment="how long before that the attempt is opened",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="when it was first put"),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="when it last changed"),
        sa.Column(
            "archived_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="since when it is not assigned or renewed any more",
        ),
        sa.PrimaryKeyConstraint("course", name="pk_courses"),
        comment="courses",
    )
    op.create_index(
        "ix_courses_renewed",
        "courses",
        ["course"],
        unique=False,
        postgresql_where=sa.text("renewal_months IS NOT NULL AND archived_at IS NULL"),
    )
    op.create_table(
        "teams",
        sa.Column("team", sa.Text(collation="C"), nullable=False, comment="its name"),
        sa.Column("title", sa.Text(), nullable=False, comment="for people"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="when it was first put"),
        sa.PrimaryKeyConstraint("team", name="pk_teams"),
        comment="teams",
    )
    op.create_table(
        "assignments",
        sa.Column("course", sa.Text(collation="C"), nullable=False, comment="what is to be watched"),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="by whom"),
        sa.Column(
            "first_assigned_at", sa.DateTime(timezone=True), nullable=False, comment="when for the first time"
        ),
        sa.Column(
            "assigned_at", sa.DateTime(timezone=True), nullable=False, comment="when for the last time"
        ),
        sa.Column(
            "unassigned_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="since when it is not any more",
        ),
        sa.Column("last_completed_at", sa.DateTime(timezone=True), nullable=True, comment="of all attempts"),
        sa.ForeignKeyConstraint(["course"], ["courses.course"], name="fk_assignments_courses"),
        sa.PrimaryKeyConstraint("course", "user_id", name="pk_assignments"),
        comment="who was given which course; what was taken away again stays",
        postgresql_with={"fillfactor": 80},
    )
    op.create_index("ix_assignments_user_id_course", "assignments", ["user_id", "course"], unique=False)
    op.create_table(
        "lessons",
        sa.Column(
            "lesson",
            sa.Text(collation="C"),
            nullable=False,
            comment="its name, of no other lesson in any course",
        ),
        sa.Column("course", sa.Text(collation="C"), nullable=False, comment="which it belongs to, for ever"),
        sa.Column("place", sa.SmallInteger(), nullable=False, comment="in the course, from 0"),
        sa.Column("title", sa.Text(), nullable=False, comment="for people"),
        sa.Column(
            "threshold_permille",
            sa.SmallInteger(),
            nullable=False,
            comment="how much of it completes it, in thousandths of its cells",
        ),
        sa.Column("revision", sa.Integer(), nullable=False, comment="the video that it has now"),
        sa.Column("slug", sa.Text(collation="C"), nullable=False, comment="the movie of that video"),
        sa.Column("duration_ms", sa.Integer(), nullable=False, comment="of that video"),
        sa.Column(
            "removed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="since when its course is without it",
        ),
        sa.ForeignKeyConstraint(["course"], ["courses.course"], name="fk_lessons_courses"),
        sa.PrimaryKeyConstraint("lesson", name="pk_lessons"),
        comment="lessons, as they are now",
    )
    op.create_index("ix_lessons_course_place", "lessons", ["course", "place"], unique=False)
    op.create_index("ix_lessons_slug", "lessons", ["slug"], unique=False)
    op.create_table(
        "team_members",
        sa.Column("team", sa.Text(collation="C"), nullable=False, comment="which"),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="who belongs to it"),
        sa.ForeignKeyConstraint(["team"], ["teams.team"], name="fk_team_members_teams", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("team", "user_id", name="pk_team_members"),
        comment="who belongs to which team now",
    )
    op.create_index("ix_team_members_user_id_team", "team_members", ["user_id", "team"], unique=False)
    op.create_table(
        "attempts",
        sa.Column(
            "attempt",
            sa.BigInteger(),
            sa.Identity(always=False),
            nullable=False,
            comment="its number, of all attempts",
        ),
        sa.Column("course", sa.Text(collation="C"), nullable=False, comment="at what"),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="whose"),
        sa.Column(
            "number",
            sa.Integer(),
            nullable=False,
            comment="of the user's attempts at the course, from 1",
        ),
        sa.Column(
            "opened_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="since when watching counts for it",
        ),
        sa.Column("opened_by", sa.Text(), nullable=False, comment="assignment, renewal (by hand) or rule"),
        sa.Column(
            "due_at", sa.DateTime(timezone=True), nullable=True, comment="the first moment that is too late"
        ),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="of the first thing that was watched",
        ),
        sa.Column(
            "last_viewed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="of the last thing that was watched",
        ),
        sa.Column(
            "completed_at", sa.DateTime(timezone=True), nullable=True, comment="when the last lesson was"
        ),
        sa.Column(
            "closed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="since when it stays as it is; open again where it goes on",
        ),
        sa.ForeignKeyConstraint(
            ["course", "user_id"],
            ["assignments.course", "assignments.user_id"],
            name="fk_attempts_assignments",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("attempt", name="pk_attempts"),
        comment="goes at a course: one is open, and counts, for as long as the course is assigned",
        postgresql_with={"fillfactor": 80},
    )
    op.create_index(
        "ix_attempts_renewable",
        "attempts",
        ["course", "completed_at"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL AND completed_at IS NOT NULL"),
    )
    op.create_index(
        "uq_attempts_course_user_id_number", "attempts", ["course", "user_id", "number"], unique=True
    )
    op.create_index(
        "uq_attempts_open",
        "attempts",
        ["course", "user_id"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "lesson_revisions",
        sa.Column("lesson", sa.Text(collation="C"), nullable=False, comment="whose video"),
        sa.Column("revision", sa.Integer(), nullable=False, comment="counts the lesson's videos, from 1"),
        sa.Column("slug", sa.Text(collation="C"), nullable=False, comment="the movie"),
        sa.Column("duration_ms", sa.Integer(), nullable=False, comment="of the movie"),
        sa.Column(
            "made_at", sa.DateTime(timezone=True), nullable=False, comment="when it became the lesson's video"
        ),
        sa.ForeignKeyConstraint(["lesson"], ["lessons.lesson"], name="fk_lesson_revisions_lessons"),
        sa.PrimaryKeyConstraint("lesson", "revision", name="pk_lesson_revisions"),
        comment="every video that a lesson has had",
    )
    op.create_table(
        "attempt_lessons",
        sa.Column("attempt", sa.BigInteger(), autoincrement=False, nullable=False, comment="which attempt"),
        sa.Column("lesson", sa.Text(collation="C"), nullable=False, comment="which lesson"),
        sa.Column("revision", sa.Integer(), nullable=False, comment="which video of it"),
        sa.Column("seen_cells", sa.Integer(), nullable=False, comment="how many of its cells were seen"),
        sa.Column(
            "started_at", sa.DateTime(timezone=True), nullable=False, comment="when it was first watched"
        ),
        sa.Column(
            "last_viewed_at", sa.DateTime(timezone=True), nullable=False, comment="when it was last watched"
        ),
        sa.Column(
            "completed_at", sa.DateTime(timezone=True), nullable=True, comment="when enough of it was seen"
        ),
        sa.ForeignKeyConstraint(
            ["attempt"], ["attempts.attempt"], name="fk_attempt_lessons_attempts", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["lesson", "revision"],
            ["lesson_revisions.lesson", "lesson_revisions.revision"],
            name="fk_attempt_lessons_lesson_revisions",
        ),
        sa.PrimaryKeyConstraint("attempt", "lesson", "revision", name="pk_attempt_lessons"),
        comment="what an attempt has of each lesson, by the video that was watched",
        postgresql_with={"fillfactor": 80},
    )


def downgrade() -> None:
    for table in (
        "attempt_lessons",
        "lesson_revisions",
        "lessons",
        "attempts",
        "assignments",
        "team_members",
        "teams",
        "courses",
    ):
        op.drop_table(table)
