"""The rows of the table, in its order. Each is a function of a `Laboratory` that gives a `Result`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtests.bench.scenarios.batches import batches
from loadtests.bench.scenarios.growth import growth
from loadtests.bench.scenarios.hold import hold
from loadtests.bench.scenarios.memory import memory
from loadtests.bench.scenarios.reads import reads
from loadtests.bench.scenarios.ready import ready
from loadtests.bench.scenarios.singles import singles
from loadtests.bench.scenarios.stream import stream
from loadtests.bench.scenarios.upserts import upserts

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtests.bench.figures import Result
    from loadtests.bench.laboratory import Laboratory

SCENARIOS: dict[str, Callable[[Laboratory], Result]] = {
    scenario.__name__: scenario
    for scenario in (singles, batches, hold, stream, upserts, reads, growth, memory, ready)
}
QUICK = ("singles", "batches")
