"""What tests of courses start from: times by the day, lessons, and a course to be assigned."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from service.courses.assigning.assigning import UNSAID, Effect, Wish
from service.courses.assigning.noting import Progress
from service.courses.cells import all_of
from service.courses.model import LessonDraft, Renewal, Terms

if TYPE_CHECKING:
    from service.courses.assigning.assigning import Due
    from service.courses.model import Assignment, Attempt, Course
    from service.courses.store import Courses

DAY_US = 86_400_000_000


def at(text: str) -> int:
    """`2026-03-01` or `2026-03-01T10:00`, in UTC, in us since 1970."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


NOW = at("2026-03-01T10:00")
YEARLY = Renewal(every_months=12, lead_days=30)
INTRO = LessonDraft("intro", "intro-v1", "Introduction", duration_ms=100_000)
RULES = LessonDraft("rules", "rules-v1", "The rules", duration_ms=60_500)


async def put(
    courses: Courses,
    course: str = "safety",
    *drafts: LessonDraft,
    renewal: Renewal | None = None,
    now_us: int = NOW,
) -> Course:
    terms = Terms("Safety", renewal=renewal)
    return await courses.catalogue.put(course, terms, drafts or (INTRO, RULES), now_us)


async def assign(
    courses: Courses, user: str = "ann", due: Due = UNSAID, *, course: str = "safety", now_us: int = NOW
) -> Assignment:
    """Whatever becomes of it, it must not be refused."""
    [effect] = await courses.assignments.assign([Wish(course, user, due)], now_us)
    assert isinstance(effect, Effect)
    return await courses.assignments.get(course, user)


def seen(
    lesson: str, cells: int, at_us: int = NOW, *, revision: int = 1, since_us: int | None = None
) -> Progress:
    """So many cells from the first one on, at double speed; of whichever attempt it is noted for."""
    started_us = at_us if since_us is None else since_us
    return Progress(0, lesson, revision, all_of(cells), cells * 1000, cells * 500, started_us, at_us)


async def note(courses: Courses, attempt: int, *progress: Progress) -> Attempt:
    """None of it may be refused. Gives the attempt as it is then."""
    refused = await courses.attempts.note([one._replace(attempt=attempt) for one in progress])
    assert refused == [None] * len(progress)
    return (await courses.attempts.get(attempt))[0]


async def complete(courses: Courses, attempt: int, at_us: int = NOW) -> Attempt:
    """All lessons of `put`, to the last cell."""
    return await note(courses, attempt, seen("intro", 100, at_us), seen("rules", 61, at_us))
