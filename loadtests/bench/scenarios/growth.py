"""Whether an event costs more once there is more: ten times the users, movies, history, or stream backlog.

Two playheads, one with little and one with ten times as much, take turns. Compared is CPU an event of all processes;
with a backlog, that of HTTP processes and Valkey, since the flusher is held meanwhile.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from loadtests.bench.audience import MOVIES, Moment, audience
from loadtests.bench.books import imbalances
from loadtests.bench.figures import Result
from loadtests.bench.processor import running
from loadtests.bench.scenarios.batches import BATCH_EVENTS, CONNECTIONS, take_turns_in_batches
from loadtests.bench.systems.playhead import Playhead
from loadtests.bench.turns import Player, load, paired, take_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadtests.bench.laboratory import Laboratory
    from loadtests.bench.turns import Turn

AIM = 1.1
TIMES = 10

VIEWERS, ROUNDS, ROUNDS_TURNS_MAX = 5_000, 6, 3
FEW_CONNECTIONS = 4
"""For 5,000 viewers: so many batches of 1,000 leave each of them one event under way, as players do; of two at once the
second may be counted first, and both take the long way."""
ROUNDS_SNAPSHOT_SECONDS = 1.0
"""About as long as six rounds of so few viewers take: people, who say something every 10 s, get a snapshot a minute."""


class Size(NamedTuple):
    """`before` events of `history` are there, then those of `story` are measured."""

    history: Iterator[Moment]
    before: int
    story: Iterator[Moment]
    movies: int = MOVIES
    connections: int = CONNECTIONS


def growth(laboratory: Laboratory) -> Result:
    """CPU an event with ten times the users, movies, history, or stream backlog, to that without."""
    result = Result()
    _compare_users(laboratory, result)
    for what, size_of in {"movies": _movies, "history": _history}.items():
        _compare(laboratory, result, what, size_of)
    _compare_backlogs(laboratory, result)
    return result


def _movies(times: int) -> Size:
    story = audience(movies=MOVIES * times)
    return Size(story, 20_000, story, movies=MOVIES * times)


def _history(times: int) -> Size:
    """So many movies, which each viewer has watched before."""
    each = 10 * times
    seen = (
        Moment(f"v-{number:07}", f"movie-{movie:05}", "before", 1, "heartbeat", 10_000 * movie)
        for movie in range(each)
        for number in range(VIEWERS)
    )
    return Size(seen, VIEWERS * each, audience(VIEWERS), connections=FEW_CONNECTIONS)


def _compare_users(laboratory: Laboratory, result: Result) -> None:
    """Everybody says as much in a turn, so it is as many rounds of all viewers, whatever their number.

    Ten times the viewers take ten times as long for it: to them, snapshots are as far apart as to the others when there
    is ten times the time between. All pairs are there before; a hundredth of the events begins another.
    """
    laboratory.say("growth: users")
    viewers = {times: VIEWERS * times for times in (1, TIMES)}
    kinds = [
        lambda folder, times=times: Playhead(
            folder / f"users-{times}",
            name=f"{times}x users",
            snapshot_interval_seconds=ROUNDS_SNAPSHOT_SECONDS * times,
        )
        for times in viewers
    ]
    with laboratory.running(*kinds) as systems:
        players = [
            Player(system, audience(number), BATCH_EVENTS)
            for system, number in zip(systems.values(), viewers.values(), strict=True)
        ]
        for player, number in zip(players, viewers.values(), strict=True):
            load(player, laboratory.folder, number // BATCH_EVENTS, FEW_CONNECTIONS)
        for _ in range(min(laboratory.turns, ROUNDS_TURNS_MAX)):
            for player, number in zip(players, viewers.values(), strict=True):
                batches = ROUNDS * number // BATCH_EVENTS
                player.turns.append(take_turn(player, laboratory.folder, FEW_CONNECTIONS, 600, batches))
        _conclude(result, "users", players, _cpu_us)


def _compare(laboratory: Laboratory, result: Result, what: str, size_of: Callable[[int], Size]) -> None:
    laboratory.say(f"growth: {what}")
    sizes = {1: size_of(1), TIMES: size_of(TIMES)}
    kinds = [
        lambda folder, times=times: Playhead(
            folder / f"{what}-{times}", sizes[times].movies, f"{times}x {what}"
        )
        for times in sizes
    ]
    with laboratory.running(*kinds) as systems:
        players = []
        for system, size in zip(systems.values(), sizes.values(), strict=True):
            player = Player(system, chain(islice(size.history, size.before), size.story), BATCH_EVENTS)
            load(player, laboratory.folder, size.before // BATCH_EVENTS, size.connections)
            players.append(player)
        take_turns_in_batches(laboratory, *players, connections=sizes[1].connections)
        _conclude(result, what, players, _cpu_us)


def _compare_backlogs(laboratory: Laboratory, result: Result) -> None:
    """The flusher is stopped while the turns are taken; the backlog at their end is what they and the filling left."""
    laboratory.say("growth: stream backlog")
    filled = {1: 30, TIMES: 300}
    kinds = [
        lambda folder, times=times: Playhead(folder / f"backlog-{times}", MOVIES, f"{times}x backlog")
        for times in filled
    ]
    with laboratory.running(*kinds) as systems:
        players = [Player(system, audience(), BATCH_EVENTS) for system in systems.values()]
        for player in players:
            load(player, laboratory.folder, 20)
        with _held_flushers(*(player.system.roots()[0] for player in players)):
            for player, batches in zip(players, filled.values(), strict=True):
                take_turn(player, laboratory.folder, CONNECTIONS, 600, batches, is_settling=False)
            for _ in range(laboratory.turns):
                for player in players:
                    turn = take_turn(player, laboratory.folder, CONNECTIONS, 600, 30, is_settling=False)
                    player.turns.append(turn)
        _conclude(result, "stream backlog", players, _cpu_us_ahead_of_the_flusher)


def _conclude(result: Result, what: str, players: list[Player], of: Callable[[Turn], float]) -> None:
    small, large = players
    result.show(f"growth: {TIMES} times the {what}", small, large)
    result.add(
        f"{TIMES} times the {what}: CPU an event", paired(large, small, of), "x", aim=AIM, is_upper=True
    )
    result.imbalances += [said for player in players for said in imbalances(player)]


def _cpu_us(turn: Turn) -> float:
    return sum(turn.cpu_us_per_event(role) for role in turn.cpu_seconds if role != "generator")


def _cpu_us_ahead_of_the_flusher(turn: Turn) -> float:
    return turn.cpu_us_per_event("http") + turn.cpu_us_per_event("valkey")


@contextmanager
def _held_flushers(*supervisors: int) -> Iterator[None]:
    """Stopped within, by SIGSTOP."""
    flushers = [
        process.pid
        for process in running()
        if process.parent in supervisors and "workers.flushing" in process.command
    ]
    assert len(flushers) == len(supervisors)
    for pid in flushers:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in flushers:
            os.kill(pid, signal.SIGCONT)
