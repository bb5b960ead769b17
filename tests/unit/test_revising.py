"""What putting a course again does to a lesson, and what an assignment does to the one that is there."""

from __future__ import annotations

from datetime import UTC, date
from zoneinfo import ZoneInfo

import pytest

from service.courses.assigning.assigning import (
    UNSAID,
    DueDay,
    Effect,
    Standing,
    Step,
    Unsaid,
    due_us_of,
    step_of,
)
from service.courses.catalogue.revising import revise
from service.courses.model import Lesson, LessonDraft
from service.errors import Conflict


def known(revision: int = 2, slug: str = "b", duration_ms: int = 1000) -> Lesson:
    return Lesson("intro", slug, "Title", duration_ms, 950, revision)


def draft(slug: str = "b", duration_ms: int = 1000, revision: int | None = None) -> LessonDraft:
    return LessonDraft("intro", slug, "Title", duration_ms, 950, revision)


@pytest.mark.parametrize(
    ("wanted", "there", "revision"),
    [
        (draft(), None, 1),
        (draft(revision=1), None, 1),
        (draft(), known(), 2),
        (draft(slug="c"), known(), 3),
        (draft(duration_ms=999), known(), 3),
        (draft(revision=2), known(), 2),
        (draft(duration_ms=999, revision=2), known(), 2),
        (draft(revision=3), known(), 3),
        (draft(slug="c", revision=3), known(), 3),
    ],
)
def test_a_lesson_is_revised(wanted: LessonDraft, there: Lesson | None, revision: int) -> None:
    made = revise(wanted, there)
    assert made == known(revision, wanted.slug, wanted.duration_ms)
    assert revise(wanted, made) == made


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        (draft(revision=0), None),
        (draft(revision=2), None),
        (draft(revision=1), known()),
        (draft(revision=4), known()),
        (draft(slug="c", revision=2), known()),
    ],
)
def test_a_revision_that_cannot_be_is_refused(wanted: LessonDraft, there: Lesson | None) -> None:
    with pytest.raises(Conflict) as refused:
        revise(wanted, there)
    assert refused.value.reason == "wrong_revision"


HAS = Standing(True, 7, 1, due_us=50)
HAD = Standing(False, 7, 1, due_us=50)
HAD_DONE = Standing(False, 7, 1, due_us=50, is_completed=True)


@pytest.mark.parametrize(
    ("standing", "due", "step"),
    [
        (Standing(), UNSAID, Step(Effect.ASSIGNED, None, opens=True)),
        (Standing(), 60, Step(Effect.ASSIGNED, 60, opens=True)),
        (HAS, UNSAID, Step(Effect.UNCHANGED, 50)),
        (HAS, 50, Step(Effect.UNCHANGED, 50)),
        (HAS, 60, Step(Effect.CHANGED, 60)),
        (HAS, None, Step(Effect.CHANGED, None)),
        (HAD, UNSAID, Step(Effect.ASSIGNED, None)),
        (HAD, 60, Step(Effect.ASSIGNED, 60)),
        (HAD_DONE, 60, Step(Effect.ASSIGNED, 60, opens=True)),
    ],
)
def test_a_step_of_assigning(standing: Standing, due: int | Unsaid | None, step: Step) -> None:
    assert step_of(standing, due) == step


def test_a_day_that_is_due_ends_in_its_own_zone_or_at_home() -> None:
    day, berlin = date(2026, 12, 31), ZoneInfo("Europe/Berlin")
    home = due_us_of(DueDay(day, None), berlin)
    assert (home, due_us_of(DueDay(day, berlin), UTC)) == (1_798_758_000_000_000, home)
    assert [due_us_of(due, berlin) for due in (7, None, UNSAID)] == [7, None, UNSAID]
