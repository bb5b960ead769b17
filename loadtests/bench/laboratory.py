"""Where a scenario runs: a folder of its own, and systems that are there while it needs them."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from loadtests.bench.systems.playhead import Playhead
from loadtests.bench.systems.system import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from loadtests.bench.systems.system import System

SNAPSHOT_TURNS = 4 / 3
"""How many turns pass between snapshots: a turn has as many, however short it is, and nobody waits for one for long."""

VIEWERS_A_SECOND = 20_000 / 3

SINGLES_TIMES = 4
"""How many times as long the same viewers take to say as much where each event is a request of its own."""


@dataclass(slots=True)
class Laboratory:
    """`seconds` is how long a turn takes, `turns` how many each system gets; `say` tells how it goes on."""

    folder: Path
    seconds: float
    turns: int
    say: Callable[[str], None]
    is_quick: bool = False
    absent: list[str] = field(default_factory=list)
    slowness: int = 1

    @property
    def viewers(self) -> int:
        """Fewer in a shorter turn, so that each says as much in it, and a snapshot stands for as many events."""
        return round(VIEWERS_A_SECOND * self.seconds / self.slowness)

    def for_singles(self) -> Laboratory:
        """The same for single events: longer turns, or in a hurry fewer viewers. So each viewer says about six things
        in a turn, too: as many as people do between two snapshots, one every 10 s and one a minute.
        """
        times = 1 if self.is_quick else SINGLES_TIMES
        return replace(self, seconds=self.seconds * times, slowness=SINGLES_TIMES)

    def playhead(self, folder: Path) -> Playhead:
        return Playhead(folder, snapshot_interval_seconds=SNAPSHOT_TURNS * self.seconds)

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
                stack.callback(system.stop)
                system.start()
                systems[system.name] = system
            yield systems
