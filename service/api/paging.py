"""Pages of lists: how many items, and from where on."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING

from service.errors import BadRequest
from service.limits import PAGE_DEFAULT, PAGE_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

LIMIT_DIGITS_MAX = 9
"""Far more than a limit has: what is longer need not be read to be refused."""

_BETWEEN = "\0"  # which no name holds


def limit_of(request: web.Request) -> int:
    given = request.query.get("limit")
    if given is None:
        return PAGE_DEFAULT
    return checked_limit(int(given) if is_number(given, LIMIT_DIGITS_MAX) else 0, given)


def checked_limit(limit: int, given: str) -> int:
    """Raises BadRequest for what is no length of a page."""
    if not 1 <= limit <= PAGE_MAX:
        raise BadRequest(
            400, "bad_limit", f"limit: got {given[:40]!r}, expected a whole number from 1 to {PAGE_MAX}"
        )
    return limit


def names_after(request: web.Request, count: int) -> tuple[str, ...]:
    """The names with which the page before ended, in the order of the list; empty ones on the first page."""
    given = request.query.get("cursor")
    return ("",) * count if given is None else names_in(given, count)


def names_in(given: str, count: int) -> tuple[str, ...]:
    """Those in a cursor. Raises BadRequest where it is none."""
    try:
        names = urlsafe_b64decode(given.encode()).decode().split(_BETWEEN)
    except ValueError:
        raise bad_cursor(given) from None
    if len(names) != count or not all(names):
        raise bad_cursor(given)
    return tuple(names)


def spell_names(names: Sequence[str]) -> str:
    """The cursor of the page that follows this item."""
    return urlsafe_b64encode(_BETWEEN.join(names).encode()).decode()


def bad_cursor(given: str) -> BadRequest:
    return BadRequest(
        400, "bad_cursor", f"cursor: got {given[:40]!r}, expected the next_cursor of the page before"
    )


def is_number(text: str, digits_max: int) -> bool:
    """Digits and nothing else: Python's `int` takes signs, underscores, spaces and other scripts as well."""
    return text.isascii() and text.isdigit() and len(text) <= digits_max
