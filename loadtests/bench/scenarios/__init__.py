"""The rows of the table, in its order. Each is a function of a `Laboratory` that gives a `Result`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtests.bench.scenarios.batches import batches
from loadtests.bench.scenarios.singles import singles

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtests.bench.figures import Result
    from loadtests.bench.laboratory import Laboratory

SCENARIOS: dict[str, Callable[[Laboratory], Result]] = {"singles": singles, "batches": batches}
