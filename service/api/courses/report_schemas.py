"""The shapes of reports, for their description."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from service.api.courses.schemas import Assignment, Moment, NextCursor, Status
from service.api.schemas import Answer, Count
from service.limits import PAGE_MAX

Seconds = Annotated[float, Field(ge=0)]


class Pace(Answer):
    """How long something was watched at one speed."""

    speed: Annotated[float, Field(gt=0)]
    watch_seconds: Annotated[Seconds, Field(description="content time played")]
    effective_seconds: Annotated[Seconds, Field(description="wall time that took")]


class Has(Answer):
    unique_seconds: Annotated[Count, Field(description="that count: seen or credited")]
    credited_seconds: Annotated[
        Count, Field(description="of these, credited; also where they were seen as well")
    ]
    duration_seconds: Annotated[Count, Field(description="of the lessons, in whole seconds")]
    coverage_fraction: Annotated[
        float, Field(ge=0, le=1, description="`unique_seconds` of `duration_seconds`, rounded down")
    ]
    watch_seconds: Annotated[Seconds, Field(description="content time played")]
    effective_seconds: Annotated[Seconds, Field(description="wall time that took")]
    skips: Annotated[Count, Field(description="seeks more than 5 s past the limit")]
    speeds: Annotated[list[Pace], Field(description="by speed, the slowest first")]


class ReportedLesson(Has):
    """What an attempt has of a lesson."""

    lesson: str
    title: str
    revision: Annotated[int, Field(ge=1, description="the video that counts")]
    status: Status
    started_at: Moment | None
    last_viewed_at: Moment | None
    completed_at: Moment | None


class ReportedAttempt(Assignment, Has):
    """An assignment, and what its last attempt has of each lesson."""

    lessons: list[ReportedLesson]


class Totals(Has):
    """Of some assignments together, with the last attempt of each."""

    assignments: Count
    assigned: Annotated[Count, Field(description="of these, not begun")]
    in_progress: Count
    completed: Count
    overdue: Annotated[Count, Field(description="whatever their status")]
    attempts: Annotated[Count, Field(description="with the earlier ones")]


class ReportedCourse(Totals):
    """A course."""

    course: str
    title: str


class ReportedLessonOfAll(Totals):
    """A lesson: those counts are of the lesson, not of the course."""

    course: str
    lesson: str
    title: str


class ReportedTeam(Totals):
    """A team, of its members of now."""

    team: str
    title: str


class ReportedUser(Totals):
    """A user."""

    user: str


class AttemptReport(Answer):
    """A page of assignments, by name."""

    items: Annotated[list[ReportedAttempt], Field(max_length=PAGE_MAX)]
    next_cursor: NextCursor


class CourseReport(Answer):
    """A page of courses, by name."""

    items: Annotated[list[ReportedCourse], Field(max_length=PAGE_MAX)]
    next_cursor: NextCursor


class LessonReport(Answer):
    """The lessons of a course, in their order."""

    items: list[ReportedLessonOfAll]
    next_cursor: Annotated[None, Field(description="they come whole")]


class TeamReport(Answer):
    """A page of teams, by name."""

    items: Annotated[list[ReportedTeam], Field(max_length=PAGE_MAX)]
    next_cursor: NextCursor


class UserReport(Answer):
    """A page of users, by name."""

    items: Annotated[list[ReportedUser], Field(max_length=PAGE_MAX)]
    next_cursor: NextCursor
