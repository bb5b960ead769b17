"""Courses over a database of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.courses.store import Courses

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def courses(database_url: str) -> AsyncIterator[Courses]:
    made = await Courses.connect(database_url)
    yield made
    await made.close()
