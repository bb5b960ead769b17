"""What a failure of Postgres calls for: waiting, or looking at what was written."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import asyncpg

from service.errors import CannotStart, PostgresUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_PASSING_CLASSES: Final = frozenset(
    {
        "08",  # the connection
        "40",  # a deadlock, a lost race
        "53",  # no disk, no memory, too many connections
        "55",  # a lock not to be had in time
        "57",  # shutting down, starting, cancelled
        "58",  # input and output
    }
)

_PASSING_STATES: Final = frozenset({"25006"})  # read-only: a standby, until it is promoted


def is_passing(error: BaseException) -> bool:
    """Whether the same call may succeed later, unchanged.

    False means that it will fail whenever it is tried: what it brings cannot be stored.
    """
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return state[:2] in _PASSING_CLASSES or state in _PASSING_STATES
    if isinstance(
        error, ValueError
    ):  # a value that asyncpg cannot encode; its DataError is an InterfaceError too
        return False
    return isinstance(error, OSError | TimeoutError | asyncpg.InterfaceError | asyncpg.InternalClientError)


BROKEN: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What a connection fails with that is no good any more: the third of one that was cut off in the middle of a word."""

_DATA_CLASSES: Final = frozenset(
    {
        "22",  # a value that does not fit
        "23",  # a constraint
        "54",  # too large for an index, too many columns
    }
)


def blames_the_data(error: BaseException) -> bool:
    """Whether it is about what was to be written, and other data may well be written now.

    What is about the database (a table that is gone, a right that is missing) passes only when somebody does something
    about it, but then for all data.
    """
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in _DATA_CLASSES
    return isinstance(error, ValueError | OverflowError)  # of asyncpg, and of dates beyond the year 9999


@contextmanager
def reaching() -> Iterator[None]:
    """Raises CannotStart, in one sentence, for what opening a connection fails with."""
    try:
        yield
    except asyncpg.ClientConfigurationError as malformed:
        raise CannotStart(f"PLAYHEAD_DATABASE_URL cannot be used: {malformed}") from malformed
    except asyncpg.PostgresError as refused:
        raise CannotStart(f"Postgres refuses a connection: {refused}") from refused
    except (OSError, ValueError, asyncpg.InterfaceError) as failed:
        why = getattr(failed, "strerror", None) or str(failed) or type(failed).__name__
        raise CannotStart(f"Postgres cannot be reached: {why}") from failed


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Raises PostgresUnavailable for a question that Postgres does not answer now; `what` says what is asked there."""
    try:
        yield
    except (*BROKEN, TimeoutError) as failed:
        why = getattr(failed, "strerror", None) or failed or type(failed).__name__
        raise PostgresUnavailable(f"Postgres, {what}, does not answer: {why}") from failed
