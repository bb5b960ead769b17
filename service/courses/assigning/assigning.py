"""What it means to assign a course to somebody, who may have it or have had it already."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from service.courses.dates import end_of_day_us

if TYPE_CHECKING:
    from datetime import date, tzinfo


class Unsaid(Enum):
    """Nothing was said of when it is due."""

    UNSAID = auto()


UNSAID = Unsaid.UNSAID


class DueDay(NamedTuple):
    """The last day, in a time zone; in the course's where there is none."""

    day: date
    zone: tzinfo | None


Due: TypeAlias = int | DueDay | Unsaid | None
"""When a course is due: the first moment that is too late, in us; a day; nothing said; or never."""


class Effect(StrEnum):
    """What became of an assignment that was asked for."""

    ASSIGNED = "assigned"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Wish:
    course: str
    user: str
    due: Due = UNSAID


@dataclass(frozen=True, slots=True)
class Standing:
    """What is there of an assignment: whether it holds, and its open attempt; none while it is brand new."""

    is_assigned: bool = True
    attempt: int | None = None
    number: int = 0
    due_us: int | None = None
    is_completed: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done about it."""

    effect: Effect
    due_us: int | None
    opens: bool = False
    """A next attempt is opened, and the one that is open is closed."""


def step_of(standing: Standing, due: int | Unsaid | None) -> Step:
    """Assigned again, an attempt that was not completed goes on: nothing of it is lost.

    Who has the course keeps it; only when it is due may change.
    """
    said_us = None if due is UNSAID else due
    if standing.attempt is None:
        return Step(Effect.ASSIGNED, said_us, opens=True)
    if not standing.is_assigned:
        return Step(Effect.ASSIGNED, said_us, opens=standing.is_completed)
    if due is UNSAID or said_us == standing.due_us:
        return Step(Effect.UNCHANGED, standing.due_us)
    return Step(Effect.CHANGED, said_us)


def due_us_of(due: Due, home: tzinfo) -> int | Unsaid | None:
    """A day ends where the wish says, or else where the course is at home."""
    if not isinstance(due, DueDay):
        return due
    return end_of_day_us(due.day, due.zone or home)
