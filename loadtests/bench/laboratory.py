"""Where a scenario runs: a folder of its own, and systems that are there while it needs them."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from loadtests.bench.systems.playhead import Playhead
from loadtests.bench.systems.system import Unavailable
from loadtests.bench.systems.webdis import StoredWebdis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from loadtests.bench.systems.system import System

VIEWERS = 20_000
ROUNDS = 6
"""How often a viewer says something between two snapshots: of people one every 10 s, and a snapshot a minute."""

BATCHED, SINGLES = 100_000, 25_000
"""About how many events a second come in batches, and one a request."""


def snapshot_interval_seconds(viewers: int, events_per_second: float) -> float:
    """The audience lives faster than people do: so its snapshots come faster, too."""
    return ROUNDS * viewers / events_per_second


@dataclass(slots=True)
class Laboratory:
    """`seconds` is how long a turn takes, `turns` how many each system gets; `say` tells how it goes on.

    `settings` are those of every playhead that is measured, by their names without prefix.
    """

    folder: Path
    seconds: float
    turns: int
    say: Callable[[str], None]
    is_quick: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    events_per_second: int = BATCHED

    @property
    def viewers(self) -> int:
        """Fewer in a short turn, so that each says as much in it as between two snapshots."""
        return min(VIEWERS, round(self.seconds * self.events_per_second / ROUNDS))

    def for_singles(self) -> Laboratory:
        """The same for single events: turns in which as many come, or in a hurry fewer viewers."""
        seconds = self.seconds if self.is_quick else self.seconds * BATCHED / SINGLES
        return replace(self, seconds=seconds, events_per_second=SINGLES)

    @property
    def snapshot_interval_seconds(self) -> float:
        return snapshot_interval_seconds(self.viewers, self.events_per_second)

    def playhead(self, folder: Path) -> Playhead:
        return Playhead(folder, snapshot_interval_seconds=self.snapshot_interval_seconds)

    def stored_webdis(self, folder: Path) -> StoredWebdis:
        return StoredWebdis(folder, self.snapshot_interval_seconds)

    @contextmanager
    def running(self, *kinds: Callable[[Path], System]) -> Iterator[dict[str, System]]:
        """Systems by name, all running. Comparators that are not installed are left out, and noted in `absent`."""
        with ExitStack() as stack:
            systems: dict[str, System] = {}
            for kind in kinds:
                try:
                    system = kind(self.folder)
                except Unavailable as missing:
                    self.absent.append(str(missing))
                    self.say(str(missing))
                    continue
                if isinstance(system, Playhead):
                    system.set(self.settings)
                stack.callback(system.stop)
                system.start()
                systems[system.name] = system
            yield systems
