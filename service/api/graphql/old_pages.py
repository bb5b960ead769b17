"""Pages of lists as the old system had them: `limit`, and `nextToken` to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from service.api.graphql.old_inputs import SortDirection
from service.api.paging import bad_cursor, is_number, names_in, spell_names
from service.errors import BadRequest
from service.limits import PAGE_MAX
from service.moving.history import NEWEST, EventPlace
from service.moving.reading import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.moving.model import UserCourse

Item = TypeVar("Item")

_DIGITS_MAX = 18
"""What fits into 64 bits."""

_FIRST = "-"
"""Stands for an empty name: a token holds none."""


def page_limit(given: int | None) -> int:
    """As many as are asked for, within bounds: the old system, too, gave fewer where it liked."""
    if given is None:
        return PAGE_MAX
    if given < 1:
        raise BadRequest(400, "bad_limit", f"limit: got {given}, expected a whole number from 1 on")
    return min(given, PAGE_MAX)


def refuse_ascending(direction: SortDirection | None) -> None:
    if direction is SortDirection.ASC:
        raise BadRequest(400, "not_supported", "sortDirection: the latest come first here")


def slice_of(
    items: Sequence[Item], limit: int | None, token: str | None
) -> tuple[Sequence[Item], str | None]:
    """Of what is there as a whole."""
    (first,) = _numbers(token, 1) if token else (0,)
    end = first + page_limit(limit)
    return items[first:end], spell_names([str(end)]) if end < len(items) else None


def before_in(token: str | None) -> EventPlace:
    return EventPlace(*_numbers(token, 4)) if token else NEWEST


def spell_place(place: EventPlace | None) -> str | None:
    return spell_names(list(map(str, place))) if place else None


def place_in(token: str | None) -> Place | None:
    """Of a list by when things were made."""
    if token is None:
        return None
    listed, user, shown = names_in(token, 3)
    if not is_number(listed, _DIGITS_MAX):
        raise bad_cursor(token)
    return Place(int(listed), user, "" if shown == _FIRST else shown)


def spell_listed(place: Place) -> str:
    return spell_names([str(place.listed_us), place.user, place.shown or _FIRST])


def course_in(token: str | None) -> tuple[str, str]:
    """Of a list by course."""
    if token is None:
        return "", ""
    course, shown = names_in(token, 2)
    return course, "" if shown == _FIRST else shown


def spell_course(last: UserCourse) -> str:
    return spell_names([last.course, _FIRST if last.is_last else last.user_course])


def _numbers(token: str, count: int) -> list[int]:
    given = names_in(token, count)
    if not all(is_number(one, _DIGITS_MAX + 1) and int(one) < 2**63 for one in given):
        raise bad_cursor(token)
    return list(map(int, given))
