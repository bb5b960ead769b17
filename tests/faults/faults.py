"""What may go wrong with the processes of a playhead, each by name."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, NamedTuple

from tests.faults import victims
from tests.integration.waiting import until

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

    from tests.integration.serving import Serving

PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 0.2, 3.0
BETWEEN_SECONDS = 0.6
"""The second of two kills comes within this after the first: before that is noticed, or while it is being mended."""

START_SECONDS = 60.0
STOP_SECONDS = 30.0

SEARCH_PAUSE_SECONDS = 0.1
"""A look through all processes of the machine takes the clients' time."""

CHILDREN = tuple(kind for kind in victims.KINDS if kind != "supervisor")


class Fault(NamedTuple):
    """`deed` is kill, kill two, pause, stop or renew; `kinds` whom it hits; the rest is chance, drawn before."""

    deed: str
    kinds: tuple[str, ...]
    seconds: float = 0.0
    choice: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.deed} {' + '.join(self.kinds)}"

    @property
    def group(self) -> str:
        """Pairs are too many to be counted one by one."""
        return "kill two at once" if self.deed == "kill two" else self.name

    @property
    def kills(self) -> int:
        return len(self.kinds) if self.deed.startswith("kill") else 0


STOP = Fault("stop", ("supervisor",))
RENEW = Fault("renew", ("http workers",))


def schedule(chance: random.Random) -> Iterator[Fault]:
    """Without end. Every kind comes up before one comes up again, in an order of its own each time."""
    while True:
        cycle = [*_kills(chance), _two(chance, victims.KINDS), _two(chance, victims.KINDS), STOP, RENEW]
        cycle += _pauses(chance, 3, PAUSE_SECONDS_MAX)
        chance.shuffle(cycle)
        yield from cycle


def short_schedule(chance: random.Random) -> list[Fault]:
    """A kill of each kind, two at once, an orderly stop, and four pauses: half a minute."""
    faults = [*_kills(chance), _two(chance, CHILDREN), STOP, *_pauses(chance, 4, PAUSE_SECONDS_MAX / 3)]
    chance.shuffle(faults)
    return faults


def _kills(chance: random.Random) -> list[Fault]:
    return [Fault("kill", (kind,), choice=chance.random()) for kind in victims.KINDS]


def _two(chance: random.Random, kinds: Sequence[str]) -> Fault:
    return Fault(
        "kill two", tuple(chance.sample(kinds, 2)), chance.uniform(0, BETWEEN_SECONDS), chance.random()
    )


def _pauses(chance: random.Random, count: int, seconds_max: float) -> list[Fault]:
    return [
        Fault("pause", (kind,), chance.uniform(PAUSE_SECONDS_MIN, seconds_max), chance.random())
        for kind in chance.sample(victims.KINDS, count)
    ]


async def commit(fault: Fault, serving: Serving) -> None:
    """Do it; over once every process is there again."""
    if fault.deed == "pause":
        await pause(serving, fault)
    elif fault.deed == "renew":
        await renew(serving)
    else:
        number = signal.SIGTERM if fault.deed == "stop" else signal.SIGKILL
        for place, kind in enumerate(fault.kinds):
            if place:
                await asyncio.sleep(fault.seconds)
            await end(serving, kind, number, fault.choice)
    for kind in victims.KINDS:
        await victims.appeared(serving.pid, kind)


async def end(serving: Serving, kind: str, number: signal.Signals, choice: float) -> None:
    """Whoever is not brought back by the supervisor, which is only itself, is started again here."""
    victims.send(await _chosen(serving, kind, choice), number)
    if kind == "supervisor":
        await start_again(serving)


async def pause(serving: Serving, fault: Fault) -> None:
    pid = await _chosen(serving, fault.kinds[0], fault.choice)
    victims.send(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(fault.seconds)
    finally:
        victims.send(pid, signal.SIGCONT)


async def renew(serving: Serving) -> None:
    """Other HTTP workers in the place of those that are there, without a gap."""
    old = set(await victims.appeared(serving.pid, "http worker"))
    victims.send(serving.pid, signal.SIGHUP)

    async def are_renewed() -> bool:
        now = set(victims.find(serving.pid, "http worker"))
        return bool(now) and not now & old

    await until(are_renewed, "other HTTP workers", START_SECONDS, SEARCH_PAUSE_SECONDS)


async def start_again(serving: Serving) -> None:
    """As soon as the old one is gone, whatever of its children still is there."""

    async def is_gone() -> bool:
        return serving.poll() is not None

    async def is_ready() -> bool:
        assert serving.poll() is None, f"playhead did not start again: {serving.text()[-2000:]}"
        return bool(serving.said("ready"))

    await until(is_gone, "the end of the supervisor", STOP_SECONDS)
    serving.launch()
    await until(is_ready, "playhead to be ready", START_SECONDS)


async def _chosen(serving: Serving, kind: str, choice: float) -> int:
    found = await victims.appeared(serving.pid, kind)
    return found[int(choice * len(found))]
