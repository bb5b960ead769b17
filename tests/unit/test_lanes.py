"""Lanes: whose calls follow each other, whose may overlap, and that nobody is left waiting."""

from __future__ import annotations

import asyncio
from random import Random

from service.counters.lanes import CALLS_MAX, Lane, Lanes


class Server:
    """Takes what waits in a lane, at most `at_once`, and has each call wait until it is let go."""

    def __init__(self, patience_seconds: float | None, at_once: int = 100) -> None:
        self.lanes: Lanes[int] = Lanes(lambda _: "home", self._serve, patience_seconds=patience_seconds)
        self.calls: list[list[int]] = []
        self.under_way: list[asyncio.Event] = []
        self.most = 0
        self._at_once = at_once

    async def _serve(self, lane: Lane[int]) -> None:
        taken: list[int] = []
        for partition, queue in list(lane.waiting.items()):
            while queue and len(taken) < self._at_once:
                taken.append(queue.popleft())
            if not queue:
                del lane.waiting[partition]
        self.calls.append(taken)
        let_go = asyncio.Event()
        self.under_way.append(let_go)
        self.most = max(self.most, len(self.under_way))
        await let_go.wait()
        self.under_way.remove(let_go)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def until_calls(server: Server, count: int) -> None:
    async with asyncio.timeout(5):
        while len(server.calls) < count:
            await asyncio.sleep(0.001)


async def test_what_comes_during_a_call_shares_the_next_one() -> None:
    server = Server(None)
    server.lanes.add(0, 1)
    await turns()
    server.lanes.add(0, 2)
    server.lanes.add(1, 3)
    await asyncio.sleep(0.02)
    assert server.calls == [[1]]
    server.under_way[0].set()
    await turns()
    assert server.calls == [[1], [2, 3]]
    server.under_way[0].set()
    await server.lanes.empty()


async def test_who_has_waited_long_enough_gets_a_call_of_its_own() -> None:
    server = Server(0.001)
    for item in range(CALLS_MAX):
        server.lanes.add(0, item)
        await until_calls(server, item + 1)
    server.lanes.add(0, 99)
    await asyncio.sleep(0.02)
    assert server.calls == [[item] for item in range(CALLS_MAX)], "no more than so many are under way"
    server.under_way[2].set()
    await until_calls(server, CALLS_MAX + 1)
    assert server.calls[-1] == [99]
    for let_go in list(server.under_way):
        let_go.set()
    await server.lanes.empty()
    assert server.most == CALLS_MAX


async def test_a_call_that_ends_in_time_takes_those_who_waited_along() -> None:
    server = Server(0.05)
    server.lanes.add(0, 1)
    await turns()
    server.lanes.add(0, 2)
    server.lanes.add(0, 3)
    server.under_way[0].set()
    await turns()
    assert server.calls == [[1], [2, 3]]
    server.under_way[0].set()
    await server.lanes.empty()
    await asyncio.sleep(0.1)
    assert server.calls == [[1], [2, 3]], "and the timer finds nobody"


async def test_nobody_is_left_waiting_whenever_calls_end() -> None:
    chance, added = Random(7), 0
    server = Server(0.0005, at_once=3)
    for _ in range(300):
        for _ in range(chance.randrange(4)):
            server.lanes.add(chance.randrange(3), added)
            added += 1
        if server.under_way and chance.random() < 0.7:
            chance.choice(server.under_way).set()
        await asyncio.sleep(chance.choice((0, 0, 0.001)))
    async with asyncio.timeout(10):
        while server.under_way or sum(map(len, server.calls)) < added:
            for let_go in list(server.under_way):
                let_go.set()
            await asyncio.sleep(0.001)
        await server.lanes.empty()
    assert sorted(item for call in server.calls for item in call) == list(range(added))
    assert server.most <= CALLS_MAX
