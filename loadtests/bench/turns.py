"""Systems take short turns, one after another and again, so that what disturbs this machine disturbs them alike."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from itertools import islice
from statistics import median
from typing import TYPE_CHECKING

from loadtests.bench.generator import ANSWER_SECONDS_MAX, Job, Outcome, read_requests, write_requests
from loadtests.bench.processor import cpu_by_role, difference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from loadtests.bench.audience import Moment
    from loadtests.bench.systems.system import System

MARGIN = 1.6
"""How many more requests are written than the last turn took. One that runs out of them ends early, and is right."""


LOAD_SECONDS_MAX = 600.0

GUESS_EVENTS_PER_SECOND = 20_000
"""How many a first turn may want; with fewer than it would take it only is shorter."""


@dataclass(slots=True)
class Turn:
    """What one turn measured. CPU is until everything is stored, of the system's processes and the generator's."""

    outcome: Outcome
    events: int
    cpu_seconds: dict[str, float]
    settle_seconds: float

    @property
    def events_per_second(self) -> float:
        return self.events / self.outcome.seconds if self.outcome.seconds else 0.0

    def cpu_us_per_event(self, role: str) -> float:
        return self.cpu_seconds.get(role, 0.0) / self.events * 1e6 if self.events else 0.0


def speed(turn: Turn) -> float:
    return turn.events_per_second


def p99(turn: Turn) -> float:
    return turn.outcome.latencies_ms["p99"]


@dataclass(slots=True)
class Player:
    """A system, the story that it is sent, and the turns that it took. `batch` is the events of a request.

    `left` are requests that were written for a turn and not sent in it: the next turn begins with them, or else each
    viewer would leap forward in between.

    `spell` writes a request in place of the system, `expected` is then how its answer begins; `is_reading` leaves
    the books alone.
    """

    system: System
    story: Iterator[Moment]
    batch: int = 1
    turns: list[Turn] = field(default_factory=list)
    acknowledged: int = 0
    failures: list[str] = field(default_factory=list)
    requests_per_second: float = 0.0
    spell: Callable[[Sequence[Moment]], bytes] | None = None
    expected: str = ""
    is_reading: bool = False
    is_stream: bool = False
    left: list[bytes] = field(default_factory=list)

    def requests(self) -> Iterator[bytes]:
        yield from self.left
        while moments := list(islice(self.story, self.batch)):
            yield (self.spell or self.system.request)(moments)

    def keep_unsent(self, path: Path, count: int) -> None:
        """The last ones of those that were written there."""
        written = [*read_requests(path)]
        self.left = written[len(written) - count :] + self.left[len(written) :]

    def median(self, of: Callable[[Turn], float]) -> float:
        return median(map(of, self.turns)) if self.turns else 0.0

    @property
    def events_per_second(self) -> float:
        return self.median(lambda turn: turn.events_per_second)

    def cpu_us_per_event(self) -> dict[str, float]:
        """By role, medians over the turns; `all` is the system without the generator."""
        roles = sorted({role for turn in self.turns for role in turn.cpu_seconds})
        told = {role: self.median(lambda turn, role=role: turn.cpu_us_per_event(role)) for role in roles}  # type: ignore[misc]
        told["all"] = self.median(
            lambda turn: sum(turn.cpu_us_per_event(role) for role in turn.cpu_seconds if role != "generator")
        )
        return {role: round(us, 2) for role, us in told.items()}

    def latencies_ms(self) -> dict[str, float]:
        names = self.turns[0].outcome.latencies_ms if self.turns else {}
        return {name: self.median(lambda turn, name=name: turn.outcome.latencies_ms[name]) for name in names}  # type: ignore[misc]


def paired(ours: Player, theirs: Player | None, of: Callable[[Turn], float]) -> float | None:
    """The median of the ratios of neighbouring turns: what lasts longer than a turn disturbs both alike."""
    if theirs is None:
        return None
    return median(of(our) / of(their) for our, their in zip(ours.turns, theirs.turns, strict=True))


def take_turns(
    players: Sequence[Player],
    folder: Path,
    *,
    connections: int,
    seconds: float,
    turns: int,
    warm_seconds: float = 1.0,
) -> None:
    """A short turn that does not count, at most half a turn, then `turns` each, closed loop."""
    warm_seconds = min(warm_seconds, seconds / 2)
    for player in players:
        guess = player.requests_per_second or GUESS_EVENTS_PER_SECOND / player.batch
        warm = take_turn(player, folder, connections, warm_seconds, round(guess * warm_seconds) + 1)
        player.requests_per_second = warm.events / player.batch / max(warm.outcome.seconds, 0.001)
    for _ in range(turns):
        for player in players:
            count = round(player.requests_per_second * seconds * MARGIN) + connections
            turn = take_turn(player, folder, connections, seconds, count)
            player.turns.append(turn)
            player.requests_per_second = turn.events / player.batch / turn.outcome.seconds


def take_turn(
    player: Player,
    folder: Path,
    connections: int,
    seconds: float,
    requests: int,
    *,
    rate: float | None = None,
    is_settling: bool = True,
) -> Turn:
    """Write the requests, post them, wait until everything is stored."""
    path = folder / "requests"
    job = job_of(player, path, connections, seconds, requests, rate=rate)
    with Generator(job) as generator:
        before = cpu_by_role([*player.system.roots(), generator.pid])
        outcome = generator.run()
        settle_seconds = player.system.settle() if is_settling else 0.0
        after = cpu_by_role([*player.system.roots(), generator.pid])
    player.keep_unsent(path, outcome.left)
    return Turn(outcome, book(player, outcome), difference(before, after), settle_seconds)


def job_of(
    player: Player, path: Path, connections: int, seconds: float, requests: int, *, rate: float | None = None
) -> Job:
    """With its requests written to `path`."""
    write_requests(path, islice(player.requests(), requests))
    expected = player.expected or player.system.expected(player.batch)
    port = player.system.port
    return Job(port, str(path), connections, seconds, expected, rate, player.batch if player.is_stream else 0)


def book(player: Player, outcome: Outcome) -> int:
    """Note what was acknowledged; gives how many events that were."""
    if not outcome.answered:
        raise RuntimeError(f"{player.system.name} took nothing: {outcome.failures}")
    events = outcome.answered * player.batch
    player.failures += outcome.failures
    if not player.is_reading:
        player.acknowledged += events
    return events


def load(player: Player, folder: Path, requests: int, connections: int = 8) -> None:
    """So many requests, as fast as they are taken: what must be there before something else is measured."""
    take_turn(player, folder, connections, LOAD_SECONDS_MAX, requests)


class Generator:
    """The process that posts: started and connected before anything is measured, and there until it is measured."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def __enter__(self) -> Generator:
        words = [sys.executable, "-m", "loadtests.bench.generator"]
        self._popen = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        self._say(json.dumps(asdict(self._job)))
        assert self._hear() == "ready\n", "the generator could not connect"
        return self

    @property
    def pid(self) -> int:
        return self._popen.pid

    def start(self) -> None:
        self._say("go")

    def finish(self) -> Outcome:
        return Outcome(**json.loads(self._hear()))

    def run(self) -> Outcome:
        self.start()
        return self.finish()

    def __exit__(self, *_: object) -> None:
        assert self._popen.stdin
        assert self._popen.stdout
        self._popen.stdin.close()
        self._popen.wait(ANSWER_SECONDS_MAX)
        self._popen.stdout.close()

    def _say(self, line: str) -> None:
        assert self._popen.stdin
        self._popen.stdin.write(line + "\n")
        self._popen.stdin.flush()

    def _hear(self) -> str:
        assert self._popen.stdout
        return self._popen.stdout.readline()
