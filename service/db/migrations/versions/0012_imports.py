"""Imports: what is staged of the old system's exports, and how far each user lesson has come."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
TABLES = (
    "move_imports",
    "staged_courses",
    "staged_lessons",
    "staged_points",
    "staged_stints",
    "staged_ways",
    "staged_targets",
    "imported_lessons",
)


def upgrade() -> None:
    add_move_imports()
    add_staged_courses()
    add_staged_lessons()
    add_staged_points()
    add_staged_stints()
    add_staged_ways()
    add_staged_targets()
    add_imported_lessons()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def add_move_imports() -> None:
    op.create_table(
        "move_imports",
        sa.Column("import", sa.BigInteger(), sa.Identity(), nullable=False, comment="its number"),
        sa.Column("began_at", TIME, nullable=False, comment="when its command was started"),
        sa.Column(
            "finished_at",
            TIME,
            nullable=True,
            comment="when it was through; without it the staged rows are its",
        ),
        sa.Column("files", sa.Text(), nullable=False, comment="what it read, as JSON"),
        sa.Column(
            "books",
            sa.Text(),
            nullable=False,
            comment="what became of its rows up to their staging, or in the end, as JSON",
        ),
        sa.PrimaryKeyConstraint("import", name="pk_move_imports"),
        comment="imports out of the old system whose rows are all staged",
    )


def add_staged_courses() -> None:
    op.create_table(
        "staged_courses",
        sa.Column("user_course", sa.Text(collation="C"), nullable=False, comment="its id in the old system"),
        sa.Column("course", sa.Text(collation="C"), nullable=False, comment="which course"),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="whose"),
        sa.Column("is_completed", sa.Boolean(), nullable=False, comment="whether its status says so"),
        sa.Column("created_us", sa.BigInteger(), nullable=False, comment="when it was made; us since 1970"),
        sa.Column(
            "updated_us", sa.BigInteger(), nullable=False, comment="when it last changed; us since 1970"
        ),
        sa.Column("due_us", sa.BigInteger(), nullable=True, comment="when it is due; us since 1970"),
        sa.Column("started_us", sa.BigInteger(), nullable=True, comment="when it was started; us since 1970"),
        sa.Column(
            "completed_us", sa.BigInteger(), nullable=True, comment="when it was completed; us since 1970"
        ),
        sa.Column(
            "viewed_us", sa.BigInteger(), nullable=True, comment="when it was last viewed; us since 1970"
        ),
        sa.Column(
            "last_completed_us",
            sa.BigInteger(),
            nullable=True,
            comment="when it had last been completed, before it was set back; us since 1970",
        ),
        sa.Column(
            "file", sa.SmallInteger(), nullable=False, comment="in which file of the import it was, from 0"
        ),
        sa.Column("line", sa.BigInteger(), nullable=False, comment="in which line, from 1"),
        comment="rows of UserCourse as they were read",
    )


def add_staged_lessons() -> None:
    op.create_table(
        "staged_lessons",
        sa.Column("user_lesson", sa.Text(collation="C"), nullable=False, comment="its id in the old system"),
        sa.Column("user_course", sa.Text(collation="C"), nullable=False, comment="of what"),
        sa.Column("lesson", sa.Text(collation="C"), nullable=False, comment="which lesson"),
        sa.Column(
            "user_id",
            sa.Text(collation="C"),
            nullable=True,
            comment="whose; the course's where it does not say",
        ),
        sa.Column("progress", sa.Double(), nullable=False, comment="where the user was, in the old unit"),
        sa.Column("furthest", sa.Double(), nullable=False, comment="how far the user came, in the old unit"),
        sa.Column("is_completed", sa.Boolean(), nullable=False, comment="whether its status says so"),
        sa.Column("created_us", sa.BigInteger(), nullable=False, comment="when it was made; us since 1970"),
        sa.Column(
            "updated_us", sa.BigInteger(), nullable=False, comment="when it last changed; us since 1970"
        ),
        sa.Column("started_us", sa.BigInteger(), nullable=True, comment="when it was started; us since 1970"),
        sa.Column(
            "completed_us", sa.BigInteger(), nullable=True, comment="when it was completed; us since 1970"
        ),
        sa.Column(
            "viewed_us", sa.BigInteger(), nullable=True, comment="when it was last viewed; us since 1970"
        ),
        sa.Column(
            "file", sa.SmallInteger(), nullable=False, comment="in which file of the import it was, from 0"
        ),
        sa.Column("line", sa.BigInteger(), nullable=False, comment="in which line, from 1"),
        comment="rows of UserLesson as they were read",
    )


def add_staged_points() -> None:
    op.create_table(
        "staged_points",
        sa.Column("user_lesson", sa.Text(collation="C"), nullable=False, comment="of what"),
        sa.Column("point", sa.Text(collation="C"), nullable=False, comment="its id in the old system"),
        sa.Column("created_us", sa.BigInteger(), nullable=False, comment="when it was made; us since 1970"),
        sa.Column("progress", sa.Double(), nullable=False, comment="where the user was, in the old unit"),
        sa.Column("owner", sa.Text(collation="C"), nullable=True, comment="whose it says to be"),
        sa.Column(
            "file", sa.SmallInteger(), nullable=False, comment="in which file of the import it was, from 0"
        ),
        sa.Column("line", sa.BigInteger(), nullable=False, comment="in which line, from 1"),
        comment="rows of UserLessonProgress as they were read",
    )


def add_staged_stints() -> None:
    op.create_table(
        "staged_stints",
        sa.Column("course", sa.Text(collation="C"), nullable=False, comment="at what"),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="whose"),
        sa.Column(
            "stint",
            sa.Integer(),
            nullable=False,
            comment="counts the attempts that the import has to do with, from 1, of each user and course",
        ),
        sa.Column("user_course", sa.Text(collation="C"), nullable=True, comment="that shows it from then on"),
        sa.Column("attempt", sa.BigInteger(), nullable=True, comment="which it is; NULL until it is opened"),
        sa.Column("is_opened", sa.Boolean(), nullable=False, comment="whether the import opened it"),
        sa.Column(
            "created_us",
            sa.BigInteger(),
            nullable=True,
            comment="when the user course was made; us since 1970",
        ),
        sa.Column(
            "opened_us",
            sa.BigInteger(),
            nullable=False,
            comment="since when the attempt was there; us since 1970",
        ),
        sa.Column("due_us", sa.BigInteger(), nullable=True, comment="when it is due; us since 1970"),
        sa.Column("started_us", sa.BigInteger(), nullable=True, comment="when it was started; us since 1970"),
        sa.Column(
            "viewed_us", sa.BigInteger(), nullable=True, comment="when it was last viewed; us since 1970"
        ),
        sa.Column(
            "completed_us", sa.BigInteger(), nullable=True, comment="when it was completed; us since 1970"
        ),
        sa.Column(
            "last_completed_us",
            sa.BigInteger(),
            nullable=True,
            comment="when any attempt was, at last; us since 1970",
        ),
        sa.Column(
            "closes_us",
            sa.BigInteger(),
            nullable=True,
            comment="when the next one took its place; us since 1970",
        ),
        sa.PrimaryKeyConstraint("stint", "course", "user_id", name="pk_staged_stints"),
        comment="attempts that an import opens or goes on with, one after the other",
    )
    op.create_index("ix_staged_stints_user_id_course", "staged_stints", ["user_id", "course"])


def add_staged_ways() -> None:
    op.create_table(
        "staged_ways",
        sa.Column("user_course", sa.Text(collation="C"), nullable=False, comment="its id in the old system"),
        sa.Column("course", sa.Text(collation="C"), nullable=False, comment="which course"),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="whose"),
        sa.Column(
            "stint",
            sa.Integer(),
            nullable=False,
            comment="in which stint its points count; 0: in none, since its attempt is closed",
        ),
        sa.Column(
            "until_us",
            sa.BigInteger(),
            nullable=True,
            comment="points up to then count in another one; us since 1970",
        ),
        sa.Column("stint_before", sa.Integer(), nullable=False, comment="in that one; 0: in none"),
        sa.PrimaryKeyConstraint("user_course", name="pk_staged_ways"),
        comment="to which attempts the points of a user course belong",
    )
    op.create_index("ix_staged_ways_user_id", "staged_ways", ["user_id"])


def add_staged_targets() -> None:
    op.create_table(
        "staged_targets",
        sa.Column("user_lesson", sa.Text(collation="C"), nullable=False, comment="its id in the old system"),
        sa.Column("user_course", sa.Text(collation="C"), nullable=False, comment="of what"),
        sa.Column("course", sa.Text(collation="C"), nullable=False, comment="which course"),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="whose"),
        sa.Column("lesson", sa.Text(collation="C"), nullable=False, comment="which lesson"),
        sa.Column("revision", sa.Integer(), nullable=False, comment="the video that it has now"),
        sa.Column("slug", sa.Text(collation="C"), nullable=False, comment="the movie of that video"),
        sa.Column("duration_ms", sa.Integer(), nullable=False, comment="of that video"),
        sa.Column("stint", sa.Integer(), nullable=False, comment="as of its user course"),
        sa.Column("until_us", sa.BigInteger(), nullable=True, comment="as of its user course; us since 1970"),
        sa.Column("stint_before", sa.Integer(), nullable=False, comment="as of its user course"),
        sa.Column("position_ms", sa.Integer(), nullable=True, comment="where the user was, as it says"),
        sa.Column("furthest_ms", sa.Integer(), nullable=True, comment="how far the user came, as it says"),
        sa.Column("told_us", sa.BigInteger(), nullable=True, comment="as of when it says so; us since 1970"),
        sa.Column("started_us", sa.BigInteger(), nullable=True, comment="when it was started; us since 1970"),
        sa.Column(
            "completed_us", sa.BigInteger(), nullable=True, comment="when it was completed; us since 1970"
        ),
        sa.Column(
            "viewed_us", sa.BigInteger(), nullable=True, comment="when it was last viewed; us since 1970"
        ),
        sa.PrimaryKeyConstraint("user_lesson", name="pk_staged_targets"),
        comment="where the points of a user lesson go, and what it says itself",
    )
    op.create_index("ix_staged_targets_user_course", "staged_targets", ["user_course"])
    op.create_index("ix_staged_targets_user_id", "staged_targets", ["user_id"])


def add_imported_lessons() -> None:
    op.create_table(
        "imported_lessons",
        sa.Column("user_lesson", sa.Text(collation="C"), nullable=False, comment="its id in the old system"),
        sa.Column("course", sa.Text(collation="C"), nullable=False, comment="of which course"),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False, comment="whose"),
        sa.Column("points", sa.BigInteger(), nullable=False, comment="how many of its points were counted"),
        sa.Column(
            "last_us",
            sa.BigInteger(),
            nullable=True,
            comment="when the last of those was made; us since 1970",
        ),
        sa.Column("last_point", sa.Text(collation="C"), nullable=True, comment="which that is"),
        sa.Column("position_ms", sa.Integer(), nullable=True, comment="and where it was"),
        sa.Column(
            "known",
            sa.LargeBinary(),
            nullable=False,
            comment="eight bytes for each of those points, by which it is known again",
        ),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="of its last event"),
        sa.Column(
            "is_told",
            sa.Boolean(),
            nullable=False,
            comment="whether what the lesson says itself was brought in",
        ),
        sa.PrimaryKeyConstraint("user_lesson", name="pk_imported_lessons"),
        sa.ForeignKeyConstraint(
            ["course", "user_id"],
            ["assignments.course", "assignments.user_id"],
            name="fk_imported_lessons_assignments",
            ondelete="CASCADE",
        ),
        comment="how far the points of a user lesson were counted and acknowledged",
    )
    op.create_index("ix_imported_lessons_course_user_id", "imported_lessons", ["course", "user_id"])
