"""What clients write about courses, and what it means inside."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from service import limits
from service.courses.assigning.assigning import UNSAID, Due, DueDay, Wish
from service.courses.dates import end_of_day_us
from service.courses.model import (
    CREDIT_WINDOW_MONTHS,
    RENEWAL_LEAD_DAYS,
    THRESHOLD_PERMILLE,
    WHOLE_PERMILLE,
    CreditPolicy,
    LessonDraft,
    Renewal,
    SkipPolicy,
    Terms,
)
from service.courses.zones import zone_of
from service.events.quantities import microseconds, thousandths

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME_MAX_US = limits.TIME_MAX_S * 1_000_000
_TIME_MIN_US = limits.TIME_MIN_S * 1_000_000

DUE_EXPECTED = (
    "a date like 2026-12-31, or a time as RFC 3339 with offset like 2026-12-31T18:00+01:00, from 2000 to 2100"
)


def plain(text: str) -> str:
    """Refuses what Postgres' text cannot hold."""
    if "\0" in text:
        raise PydanticCustomError("invalid_string", "holds the character U+0000, which cannot be stored")
    return text


def _zone(name: str) -> str:
    try:
        zone_of(name)
    except ValueError as unknown:
        raise PydanticCustomError("unknown_time_zone", "{why}", {"why": str(unknown)}) from None
    return name


def _due(text: str) -> str:
    try:
        due = due_of(text, None)
        last = end_of_day_us(due.day, zone_of("UTC")) if isinstance(due, DueDay) else due
    except (ValueError, OverflowError) as unreadable:
        message = "{text} is no time ({why}), expected " + DUE_EXPECTED
        context = {"text": repr(text), "why": str(unreadable)}
        raise PydanticCustomError("invalid_time", message, context) from None
    if not isinstance(last, int) or not _TIME_MIN_US <= last <= _TIME_MAX_US:
        raise PydanticCustomError("out_of_range", "expected " + DUE_EXPECTED)
    return text


def _name(chars_max: int) -> tuple[StringConstraints, AfterValidator]:
    return StringConstraints(min_length=1, max_length=chars_max), AfterValidator(plain)


CourseName = Annotated[str, *_name(limits.COURSE_CHARS_MAX)]
LessonName = Annotated[str, *_name(limits.LESSON_CHARS_MAX)]
TeamName = Annotated[str, *_name(limits.TEAM_CHARS_MAX)]
UserName = Annotated[str, *_name(limits.USER_CHARS_MAX)]
Slug = Annotated[str, *_name(limits.SLUG_CHARS_MAX)]
Title = Annotated[str, *_name(limits.TITLE_CHARS_MAX)]
TimeZone = Annotated[
    str, StringConstraints(min_length=1, max_length=limits.TIME_ZONE_CHARS_MAX), AfterValidator(_zone)
]
DueText = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_due)]
Months = Annotated[int, Field(ge=1, le=limits.MONTHS_MAX)]


class Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class LessonBody(Body):
    """A lesson: a movie, and how much of it has to be seen."""

    lesson: LessonName = Field(description="its name, of no other lesson in any course", examples=["intro"])
    slug: Slug = Field(description="the movie that it shows", examples=["intro-2026"])
    title: Title = Field(description="for people", examples=["Introduction"])
    duration_seconds: Annotated[float, Field(ge=0.001, le=limits.POSITION_MAX_S, allow_inf_nan=False)] = (
        Field(description="of the movie, exact to the millisecond", examples=[600])
    )
    threshold_permille: Annotated[int, Field(ge=1, le=WHOLE_PERMILLE)] = Field(
        THRESHOLD_PERMILLE, description="how many thousandths of its seconds complete it"
    )
    revision: Annotated[int, Field(ge=1, le=limits.REVISIONS_MAX)] | None = Field(
        None,
        description="counts its videos, from 1. Left out, another slug or duration is the next one. The next number:"
        " another video, also under the same slug. The same number: a corrected duration",
    )

    def draft(self) -> LessonDraft:
        return LessonDraft(
            self.lesson,
            self.slug,
            self.title,
            thousandths(self.duration_seconds),
            self.threshold_permille,
            self.revision,
        )


class CreditBody(Body):
    """What watching before an assignment is worth."""

    window_months: Annotated[int, Field(ge=0, le=limits.MONTHS_MAX)] = Field(
        CREDIT_WINDOW_MONTHS, description="how far back it counts; 0: not at all"
    )
    cap_permille: Annotated[int, Field(ge=0, le=WHOLE_PERMILLE)] = Field(
        WHOLE_PERMILLE, description="how many thousandths of a lesson may be credited"
    )
    includes_flagged: bool = Field(False, description="whether flagged watching counts")


class RenewalBody(Body):
    """When a course that was completed is due again."""

    every_months: Months = Field(description="so long after each completion", examples=[12])
    lead_days: Annotated[int, Field(ge=0, le=limits.LEAD_DAYS_MAX)] = Field(
        RENEWAL_LEAD_DAYS, description="how long before that the next attempt is opened"
    )


class CourseBody(Body):
    """A course as it is to be: all of it."""

    title: Title = Field(description="for people", examples=["Safety at work"])
    lessons: Annotated[list[LessonBody], Field(max_length=limits.LESSONS_MAX)] = Field(
        description="in their order"
    )
    time_zone: TimeZone = Field(
        "UTC", description="in which its days begin and end", examples=["Europe/Berlin"]
    )
    skip_policy: Literal["block", "flag", "allow"] = Field(
        "flag", description="what is done about seeking past what was watched, of those who are assigned"
    )
    credit: CreditBody = Field(default_factory=CreditBody)
    renewal: RenewalBody | None = Field(None, description="null: it is never due again by itself")

    def terms(self) -> Terms:
        credit, renewal = self.credit, self.renewal
        return Terms(
            self.title,
            self.time_zone,
            SkipPolicy(self.skip_policy),
            CreditPolicy(credit.window_months, credit.cap_permille, credit.includes_flagged),
            Renewal(renewal.every_months, renewal.lead_days) if renewal else None,
        )


class TeamBody(Body):
    """A team as it is to be, but for its members."""

    title: Title = Field(description="for people", examples=["Warehouse"])


class MembersBody(Body):
    """Users who are to belong to a team, beside those who do."""

    users: Annotated[list[UserName], Field(max_length=limits.MEMBERS_PER_BODY_MAX)] = Field(
        examples=[["ann", "bob"]]
    )


class DueBody(Body):
    """When it is due: a moment, or the end of a day."""

    due: DueText | None = Field(
        None,
        description="a date, whose whole day is still in time, or a moment as RFC 3339 with offset",
        examples=["2026-12-31"],
    )
    time_zone: TimeZone | None = Field(
        None, description="of a date; the course's where it is left out", examples=["Europe/Berlin"]
    )

    def meant(self) -> Due:
        """Left out, nothing is said; null says that it is never due."""
        if "due" not in self.model_fields_set:
            return UNSAID
        return None if self.due is None else due_of(self.due, self.time_zone)


class AssignmentBody(DueBody):
    """A course for a user. Without `due` one that is there stays due when it was; null makes it never due."""

    course: CourseName = Field(examples=["safety"])
    user: UserName = Field(examples=["ann"])

    def wish(self) -> Wish:
        return Wish(self.course, self.user, self.meant())


class AttemptBody(DueBody):
    """A renewal by hand."""

    after: Annotated[int, Field(ge=1, le=2**31 - 1)] = Field(
        description="the number of the attempt that it comes after, so that nobody renews twice", examples=[1]
    )


class GivingBody(Body):
    """What is to be credited: to an attempt, or to the open one of a course and a user."""

    attempt: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = Field(None, examples=[1])
    course: CourseName | None = Field(None, examples=["safety"])
    user: UserName | None = Field(None, examples=["ann"])
    lessons: Annotated[list[LessonName], Field(max_length=limits.LESSONS_MAX)] | None = Field(
        None, description="only these; all of the course where it is left out", examples=[["intro"]]
    )
    dry_run: bool = Field(False, description="say what would be credited, and change nothing")


def due_of(text: str, time_zone: str | None) -> Due:
    """Raises ValueError, with a reason fit to be shown, for what is neither a date nor a time."""
    if _DAY.fullmatch(text):
        return DueDay(date.fromisoformat(text), zone_of(time_zone) if time_zone else None)
    return microseconds(text)
