"""Clients that remember what was acknowledged, and send again, as it is, what was not."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from tests.faults.answers import ANSWER_SECONDS, REPEAT_SECONDS, Answers, Pulse
from tests.faults.learners import Learner
from tests.integration.viewers import START_S, Viewer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Document = dict[str, Any]

FINISH_SECONDS = 45.0
"""Within this a writer must have everything acknowledged, once no more faults are made."""

SIZES = (1, 1, 1, 2, 3, 16)
PROBE = "probe"


class Client:
    """One connection after the other, or one for all its requests."""

    def __init__(self, url: str, answers: Answers, pulse: Pulse, *, keeps_alive: bool) -> None:
        self._url, self.answers, self._pulse, self._keeps_alive = url, answers, pulse, keeps_alive
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Client:
        self._http = aiohttp.ClientSession(
            self._url,
            connector=aiohttp.TCPConnector(force_close=not self._keeps_alive),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._http
        await self._http.close()

    async def post(self, events: list[Document]) -> list[Document]:
        """Gives those that were not acknowledged, for whatever reason."""
        assert self._http
        body = orjson.dumps(events[0] if len(events) == 1 else events)
        try:
            async with self._http.post("/v1/events", data=body) as response:
                told = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as failed:
            self.answers.unanswered += 1
            self.answers.last_failure = f"{type(failed).__name__}: {failed}"
            return events
        return self._left(events, response, told)

    def _left(self, events: list[Document], response: aiohttp.ClientResponse, told: Any) -> list[Document]:
        answers = self.answers
        if response.status == 503:
            answers.refused += 1
            if "Retry-After" not in response.headers:
                answers.unexpected.append(f"503 without Retry-After: {told}")
            return events
        if response.status != 200:
            answers.unexpected.append(f"{response.status}: {told}")
            return events
        rejected = [rejection["index"] for rejection in told["rejected"]]
        if any(rejection["reason"] != "unavailable" for rejection in told["rejected"]):
            answers.unexpected.append(f"rejected: {told}")
        if told["accepted"] + told["duplicates"] + len(rejected) != len(events):
            answers.unexpected.append(f"{len(events)} events sent, answered {told}")
        answers.refused += bool(rejected)
        answers.acknowledged += told["accepted"] + told["duplicates"]
        answers.duplicates += told["duplicates"]
        self._pulse.beat()
        return [events[index] for index in rejected]


class Writer:
    """Sends events with `session` and `seq`, one request at a time, each until it is acknowledged.

    So everything it sent is acknowledged at last, in the order in which it was made, and has one right result.
    """

    def __init__(
        self, client: Client, number: int, of: int, chance: random.Random, pause_seconds: float
    ) -> None:
        self.sent: list[Document] = []
        self._client = client
        self._numbers = count(number, of)
        self._viewer = Viewer(number, chance)
        self._seqs: dict[tuple[str, str], int] = {}
        self._chance, self._pause_seconds = chance, pause_seconds

    async def write(self, stop: asyncio.Event) -> None:
        async with self._client:
            while not stop.is_set():
                events = [self._next() for _ in range(self._chance.choice(SIZES))]
                await self._send(events)
                await asyncio.sleep(self._chance.uniform(0, 2 * self._pause_seconds))

    async def _send(self, events: list[Document]) -> None:
        answers = self._client.answers
        known = answers.duplicates
        left = await self._client.post(events)
        if answers.duplicates > known:
            answers.unexpected.append(f"some of these were never sent before: {events}")
        while left:
            await asyncio.sleep(REPEAT_SECONDS)
            left = await self._client.post(left)
        self.sent += events

    def _next(self) -> Document:
        event = self._viewer.next(next(self._numbers))
        pair = (event["user"], event["slug"])
        event["seq"] = self._seqs[pair] = self._seqs.get(pair, 0) + 1
        if self._chance.random() < 0.5:
            del event["id"]
        return event


class AnonymousWriter:
    """Sends events that cannot be told apart by the service, and never sends one again.

    Each has a `ts` of its own, so that the books can tell: `acknowledged` must be there once, `uncertain` at most once.
    """

    def __init__(self, client: Client, number: int, chance: random.Random, pause_seconds: float) -> None:
        self.user = f"anonymous {number}"
        self.acknowledged: dict[int, Document] = {}
        self.uncertain: dict[int, Document] = {}
        self._client = client
        self._chance, self._pause_seconds = chance, pause_seconds
        self._seconds = 0

    async def write(self, stop: asyncio.Event) -> None:
        async with self._client:
            while not stop.is_set():
                event = self._next()
                left = await self._client.post([event])
                (self.uncertain if left else self.acknowledged)[event["ts"]] = event
                await asyncio.sleep(self._chance.uniform(0, 2 * self._pause_seconds))

    def _next(self) -> Document:
        self._seconds += 1
        start = self._chance.randrange(7000)
        return {
            "user": self.user,
            "slug": "anonymous",
            "kind": "segment",
            "from": start,
            "at": start + self._chance.randrange(1, 100),
            "ts": START_S + self._seconds,
        }


class Crowd:
    """All clients of one playhead. They write while a `writing` block runs, and rest in between."""

    def __init__(self, url: str, seed: int, writers: int = 6, pause_seconds: float = 0.02) -> None:
        self.pulse = Pulse()
        self.answers: list[Answers] = []
        self.probed: list[Document] = []
        self._probes = 0
        self._url = url
        self._probing = Answers()
        self.answers.append(self._probing)
        self.writers = [
            Writer(
                self._client(keeps_alive=number % 2 == 0),
                number,
                writers,
                random.Random(f"{seed} {number}"),
                pause_seconds,
            )
            for number in range(writers)
        ]
        self.anonymous = [
            AnonymousWriter(
                self._client(keeps_alive=False),
                number,
                random.Random(f"{seed} anonymous {number}"),
                pause_seconds,
            )
            for number in range(2)
        ]
        self.learners = [
            Learner(
                url,
                self._answers(),
                self.pulse,
                number,
                random.Random(f"{seed} learner {number}"),
                pause_seconds,
            )
            for number in range(2)
        ]

    def _client(self, *, keeps_alive: bool) -> Client:
        self.answers.append(Answers())
        return Client(self._url, self.answers[-1], self.pulse, keeps_alive=keeps_alive)

    def _answers(self) -> Answers:
        self.answers.append(Answers())
        return self.answers[-1]

    @property
    def acknowledged(self) -> int:
        return sum(answers.acknowledged for answers in self.answers)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """At the end of the block everything that was sent is acknowledged."""
        stop = asyncio.Event()
        tasks = [asyncio.create_task(writer.write(stop)) for writer in self.writers]
        tasks += [asyncio.create_task(writer.write(stop)) for writer in self.anonymous]
        tasks += [asyncio.create_task(learner.write(stop)) for learner in self.learners]
        try:
            yield
            stop.set()
            async with asyncio.timeout(FINISH_SECONDS):
                await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def probe(self) -> Document:
        """One event, over new connections, until it is acknowledged."""
        self._probes += 1
        number = self._probes
        event = {
            "user": PROBE,
            "slug": PROBE,
            "at": number % 7000,
            "session": str(number),
            "seq": 1,
            "ts": START_S + number,
        }
        self.probed.append(event)
        async with Client(self._url, self._probing, self.pulse, keeps_alive=False) as client:
            while await client.post([event]):
                await asyncio.sleep(REPEAT_SECONDS)
        return event
