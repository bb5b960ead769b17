"""Moving in: what the old system called things, and who answers reads in its shapes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def name_of(name: str, comment: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=False, comment=comment)


def upgrade() -> None:
    op.create_index(
        "ix_assignments_course_first_assigned_at_user_id",
        "assignments",
        ["course", "first_assigned_at", "user_id"],
    )
    add_user_courses()
    add_user_lessons()
    op.create_table(
        "moving",
        sa.Column("is_one", sa.Boolean(), nullable=False, comment="there is one row at most"),
        sa.Column(
            "reads", sa.Text(), nullable=False, comment="who answers reads in the old shapes: old or new"
        ),
        sa.Column("switched_at", TIME, nullable=False, comment="since when"),
        sa.PrimaryKeyConstraint("is_one", name="pk_moving"),
        sa.CheckConstraint("is_one", name="ck_moving_is_one"),
        sa.CheckConstraint("reads IN ('old', 'new')", name="ck_moving_reads"),
        comment="how far moving in has come",
    )


def add_user_courses() -> None:
    op.create_table(
        "user_courses",
        name_of("user_course", "its id in the old system"),
        name_of("course", "which course"),
        name_of("user_id", "whose"),
        sa.Column(
            "attempt",
            sa.BigInteger(),
            nullable=True,
            comment="the closed attempt that it shows; NULL: whichever is the last one",
        ),
        sa.Column("created_at", TIME, nullable=False, comment="when it was made in the old system"),
        sa.PrimaryKeyConstraint("user_course", name="pk_user_courses"),
        sa.ForeignKeyConstraint(
            ["course", "user_id"],
            ["assignments.course", "assignments.user_id"],
            name="fk_user_courses_assignments",
            ondelete="CASCADE",
        ),
        comment="what the old system called a course that a user was given",
    )
    op.create_index(
        "uq_user_courses_last",
        "user_courses",
        ["course", "user_id"],
        unique=True,
        postgresql_where=sa.text("attempt IS NULL"),
    )
    op.create_index(
        "ix_user_courses_closed",
        "user_courses",
        ["course", "created_at"],
        postgresql_where=sa.text("attempt IS NOT NULL"),
    )
    op.create_index("ix_user_courses_user_id_course", "user_courses", ["user_id", "course"])


def add_user_lessons() -> None:
    op.create_table(
        "user_lessons",
        name_of("user_lesson", "its id in the old system"),
        name_of("user_course", "of what"),
        name_of("lesson", "which lesson"),
        name_of("user_id", "whose"),
        sa.PrimaryKeyConstraint("user_lesson", name="pk_user_lessons"),
        sa.ForeignKeyConstraint(
            ["user_course"],
            ["user_courses.user_course"],
            name="fk_user_lessons_user_courses",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["lesson"], ["lessons.lesson"], name="fk_user_lessons_lessons"),
        comment="what the old system called a lesson that a user was given",
    )
    op.create_index(
        "uq_user_lessons_user_course_lesson", "user_lessons", ["user_course", "lesson"], unique=True
    )
    op.create_index("ix_user_lessons_user_id", "user_lessons", ["user_id"])


def downgrade() -> None:
    for table in ("moving", "user_lessons", "user_courses"):
        op.drop_table(table)
    op.drop_index("ix_assignments_course_first_assigned_at_user_id", "assignments")
