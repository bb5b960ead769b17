"""The chance of a run, and a playhead that may be hurt."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.storm import REDIS_TIMEOUT_SECONDS, Storm
from tests.integration.serving import Serving, ended

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def seed() -> int:
    """Another one each time; FAULTS_SEED repeats one. A failure says which it was."""
    return int(os.environ.get("FAULTS_SEED") or time.time_ns() % 1_000_000)


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory, seed: int) -> Iterator[Storm]:
    """A playhead with clients and books, of all tests of a module."""
    serving = Serving(
        tmp_path_factory.mktemp("storm") / "data",
        redis_timeout_seconds=REDIS_TIMEOUT_SECONDS,
        follow_interval_seconds=0.5,
    )
    with ended(serving):
        serving.start()
        yield Storm(serving, seed)
