"""The shapes of answers about courses, for their description; `shapes` writes them, and tests hold one to the other."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from service.api.courses.bodies import CreditBody, RenewalBody  # noqa: TC001 - pydantic reads annotations
from service.api.schemas import Answer, Count, Problem, Rejection
from service.limits import PAGE_MAX

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"}, description="UTC")]
Status = Annotated[
    Literal["Assigned", "InProgress", "Completed"], Field(description="how far the attempt has come")
]
Overdue = Annotated[
    bool, Field(description="whether it should have been completed by now; beside the status")
]
DueAt = Annotated[Moment | None, Field(description="the first moment that is too late; null: never")]
NextCursor = Annotated[
    str | None, Field(description="`cursor` of the page that follows; null on the last one")
]


class Lesson(Answer):
    """A lesson as it is now."""

    lesson: str
    slug: Annotated[str, Field(description="the movie of its latest revision")]
    title: str
    duration_seconds: float
    threshold_permille: int
    revision: Annotated[int, Field(ge=1)]


class Revision(Answer):
    """One video of a lesson."""

    revision: Annotated[int, Field(ge=1)]
    slug: str
    duration_seconds: float
    made_at: Moment


class LessonHistory(Lesson):
    """A lesson, and every video that it has had."""

    course: str
    removed_at: Annotated[Moment | None, Field(description="when it left its course")]
    revisions: list[Revision]


class Course(Answer):
    """A course as it is now."""

    course: str
    title: str
    time_zone: str
    skip_policy: Literal["block", "flag", "allow"]
    credit: CreditBody
    renewal: RenewalBody | None
    lessons: list[Lesson]
    created_at: Moment
    updated_at: Moment
    archived_at: Moment | None


class CoursePage(Answer):
    """A page of courses, by name."""

    items: Annotated[list[Course], Field(max_length=PAGE_MAX)]
    next_cursor: NextCursor


class Team(Answer):
    """A team, without its members."""

    team: str
    title: str
    created_at: Moment


class TeamPage(Answer):
    """A page of teams, by name."""

    items: Annotated[list[Team], Field(max_length=PAGE_MAX)]
    next_cursor: NextCursor


class MemberPage(Answer):
    """A page of a team's members, by name."""

    items: Annotated[list[str], Field(max_length=PAGE_MAX)]
    next_cursor: NextCursor


class Added(Answer):
    added: Annotated[int, Field(ge=0, description="how many of them were no members")]


class Assignment(Answer):
    """A course that a user was given, with the dates of the last attempt."""

    course: str
    user: str
    status: Status
    overdue: Overdue
    first_assigned_at: Moment
    assigned_at: Annotated[Moment, Field(description="for the last time")]
    unassigned_at: Moment | None
    due_at: DueAt
    started_at: Moment | None
    last_viewed_at: Moment | None
    completed_at: Annotated[Moment | None, Field(description="of the last attempt")]
    last_completed_at: Annotated[Moment | None, Field(description="of all attempts")]
    attempt: Annotated[int, Field(description="names the last attempt")]
    number: Annotated[int, Field(ge=1, description="of the user's attempts at the course")]


class AssignmentPage(Answer):
    """A page of assignments, by name."""

    items: Annotated[list[Assignment], Field(max_length=PAGE_MAX)]
    next_cursor: NextCursor


class Attempt(Answer):
    """One go of a user at a course."""

    attempt: int
    course: str
    user: str
    number: Annotated[int, Field(ge=1)]
    status: Status
    overdue: Overdue
    opened_at: Moment
    opened_by: Annotated[
        Literal["assignment", "renewal", "rule"], Field(description="`renewal` is one by hand")
    ]
    due_at: DueAt
    started_at: Moment | None
    last_viewed_at: Moment | None
    completed_at: Moment | None
    closed_at: Annotated[Moment | None, Field(description="since when it stays as it is; null: it is open")]


class LessonRecord(Answer):
    """What an attempt has of one video of a lesson."""

    lesson: str
    revision: int
    unique_seconds: Annotated[int, Field(ge=0, description="that count: seen or credited")]
    watch_seconds: Annotated[float, Field(ge=0, description="content time played")]
    effective_seconds: Annotated[float, Field(ge=0, description="wall time that took")]
    started_at: Annotated[Moment, Field(description="when it was first watched, or credited")]
    last_viewed_at: Annotated[
        Moment | None, Field(description="null: it was credited, and not watched since")
    ]
    completed_at: Moment | None


class AttemptWithLessons(Attempt):
    """One go of a user at a course, and what it has of each lesson."""

    lessons: list[LessonRecord]


class AttemptPage(Answer):
    """A page of a user's attempts at a course, the last one first."""

    items: Annotated[list[Attempt], Field(max_length=PAGE_MAX)]
    next_cursor: NextCursor


class LineRejection(Answer):
    """A line of a CSV that was refused, and why."""

    line: Annotated[int, Field(ge=2, description="its number in the file; the header is line 1")]
    field: Annotated[str, Field(description="which field was wrong; empty for the line as a whole")]
    reason: Annotated[str, Field(pattern="^[a-z_]+$", description="a short word for programs")]
    detail: Annotated[str, Field(description="a sentence for people")]


class Counted(Answer):
    assigned: Annotated[Count, Field(description="newly, or again")]
    changed: Annotated[Count, Field(description="assigned already, and due at another time now")]
    unchanged: Annotated[Count, Field(description="assigned already, just so")]


class Assigned(Counted):
    """What became of the assignments: each is in exactly one of the four."""

    rejected: list[Rejection]


class AssignedLines(Counted):
    """What became of a CSV: each line is in exactly one of the four."""

    rejected: list[LineRejection]


class AssignedOne(Assigned):
    """What became of one assignment, and what it is now."""

    assignment: Assignment


class FieldRejection(Answer):
    """A field that was refused, and why."""

    field: Annotated[str, Field(description="like `lessons[3].slug`; empty for the body as a whole")]
    reason: Annotated[str, Field(pattern="^[a-z_]+$", description="a short word for programs")]
    detail: Annotated[str, Field(description="a sentence for people")]


class BodyProblem(Problem):
    """A body that was read, and says what nobody can mean."""

    rejected: list[FieldRejection]


class AssigningProblem(Problem, Assigned):
    """All assignments were refused, or an array was not done to its end."""


class LinesProblem(Problem, AssignedLines):
    """All lines were refused, or a CSV was not done to its end."""
