"""No statement of moving in reads a whole table, however it is asked."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest

from service.moving.queries import query
from tests.courses.test_plans import filled, plan_of, scanned

if TYPE_CHECKING:
    import asyncpg

NAMES = sorted(
    path.name.removesuffix(".sql")
    for path in files("service.moving.queries").iterdir()
    if path.name.endswith(".sql") and path.name.startswith("select_")
)

FILL = """
INSERT INTO user_courses SELECT 'uc ' || attempt, course, user_id, CASE WHEN closed_at IS NOT NULL THEN attempt END,
    now() FROM attempts;
INSERT INTO user_lessons SELECT 'ul ' || attempt, 'uc ' || attempt, 'lesson ' || split_part(course, ' ', 2), user_id
    FROM attempts;
ANALYZE user_courses, user_lessons
"""

ONE_ROW = {"moving"}


@pytest.fixture(scope="module")
async def moved(filled: asyncpg.Connection[Any]) -> asyncpg.Connection[Any]:
    for statement in FILL.split(";"):
        await filled.execute(statement)
    return filled


@pytest.mark.parametrize("name", NAMES)
async def test_a_statement_finds_its_rows_by_an_index(moved: asyncpg.Connection[Any], name: str) -> None:
    assert scanned(await plan_of(moved, query(name))) - ONE_ROW == set()


__all__ = ["filled"]
