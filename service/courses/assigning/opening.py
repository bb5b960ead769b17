"""Opening and closing attempts: the steps of a transaction, for many assignments at once.

Whoever takes one of these steps has locked the assignments before, and reads their attempts after that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from service.courses.queries import query
from service.courses.rows import attempt_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from service.courses.model import Attempt, Opening
    from service.db.connections import Connection

Pair: TypeAlias = tuple[str, str]
"""Course and user."""


async def lock(connection: Connection, pairs: Iterable[Pair]) -> dict[Pair, bool]:
    """Until the transaction ends nobody else changes these assignments. Gives of each that exists whether it holds."""
    rows = await connection.fetch(query("lock_assignments"), *columns(pairs))
    return {(row["course"], row["user_id"]): row["unassigned_at"] is None for row in rows}


async def last_attempts(connection: Connection, pairs: Iterable[Pair]) -> dict[Pair, Attempt]:
    rows = await connection.fetch(query("select_last_attempts"), *columns(pairs))
    return {(row["course"], row["user_id"]): attempt_of(row) for row in rows}


async def open_attempts(
    connection: Connection, opened: Mapping[Pair, tuple[int, int | None]], why: Opening, now_us: int
) -> None:
    """`opened` has the number of each, and when it is due."""
    numbers = [number for number, _ in opened.values()]
    due_us = [due for _, due in opened.values()]
    await connection.execute(query("open_attempts"), *columns(opened), numbers, due_us, str(why), now_us)


async def close_attempts(connection: Connection, attempts: Collection[int], now_us: int) -> set[int]:
    """Gives those that were open: all others were closed by somebody else."""
    rows = await connection.fetch(query("close_attempts"), list(attempts), now_us)
    return {row["attempt"] for row in rows}


def columns(pairs: Iterable[Pair]) -> tuple[list[str], list[str]]:
    pairs = list(pairs)
    return [course for course, _ in pairs], [user for _, user in pairs]
