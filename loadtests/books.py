"""Balances the books of a running playhead, over HTTP only: what it acknowledged must be what it then tells.

    python loadtests/books.py --connections 50 --events 20000

Many connections post spans with known ids for a few hot pairs of user and movie. Some are posted twice, and
what got no answer is posted again under its id, so playhead may be killed and restarted meanwhile. Then each
number of each pair, user and movie is read and compared with sums kept here. Exit code 1 on a difference.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
from collections import Counter
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

USERS, MOVIES = 8, 3
MOVIE_MS = 7_200_000
SPAN_MS_MAX = 120_000
SPEEDS_THOUSANDTHS = (500, 1000, 1250, 1500, 2000)
POSTED_TWICE_FRACTION = 0.1
BATCH_EVENTS_MAX = 20
RETRY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a movie that was played, posted as a `segment`: exact, and right in any order of arrival."""

    id: str
    user: str
    slug: str
    from_ms: int
    to_ms: int
    speed_thousandths: int

    def as_event(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "user": self.user,
            "slug": self.slug,
            "kind": "segment",
            "from": self.from_ms / 1000,
            "at": self.to_ms / 1000,
            "speed": self.speed_thousandths / 1000,
        }


@dataclass(slots=True)
class Sums:
    """What playhead has to tell about a pair."""

    events: int = 0
    watch_ms: int = 0
    effective_ms: int = 0
    furthest_ms: int = 0
    cells: set[int] = field(default_factory=set)

    def add(self, span: Span) -> None:
        length_ms = span.to_ms - span.from_ms
        self.events += 1
        self.watch_ms += length_ms
        self.effective_ms += (2 * length_ms * 1000 + span.speed_thousandths) // (2 * span.speed_thousandths)
        self.furthest_ms = max(self.furthest_ms, span.to_ms)
        self.cells.update(range(span.from_ms // 1000, -(-span.to_ms // 1000)))


class Books:
    """Posts spans until each is acknowledged, and keeps the sums of those that are."""

    def __init__(self, http: aiohttp.ClientSession, url: str, patience_seconds: float) -> None:
        self.http, self.url, self.patience_seconds = http, url, patience_seconds
        self.pairs: dict[tuple[str, str], Sums] = {}
        self.answers: Counter[str] = Counter()
        self.differences: list[str] = []

    async def post(self, spans: list[Span]) -> None:
        """Post until answered. What is answered for is counted here once, as playhead has to count it."""
        told = await self._insist([span.as_event() for span in spans])
        self.answers["accepted"] += told["accepted"]
        self.answers["duplicates"] += told["duplicates"]
        if told["rejected"] or told["accepted"] + told["duplicates"] != len(spans):
            self.differences.append(f"{len(spans)} events posted, answered {told}")
        for span in spans:
            self.pairs.setdefault((span.user, span.slug), Sums()).add(span)

    async def post_again(self, spans: list[Span]) -> None:
        """Post what was acknowledged before: all of it has to be known as duplicates."""
        told = await self._insist([span.as_event() for span in spans])
        self.answers["duplicates"] += told["duplicates"]
        if told["duplicates"] != len(spans):
            self.differences.append(f"{len(spans)} events posted a second time, answered {told}")

    async def _insist(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        patient_until = loop.time() + self.patience_seconds
        while True:
            failure: object
            try:
                async with self.http.post(f"{self.url}/v1/events", json=events) as response:
                    if response.status in (200, 422):
                        told: dict[str, Any] = await response.json(content_type=None)
                        return told
                    failure = f"{response.status} {await response.text()}"
            except (aiohttp.ClientError, TimeoutError) as lost:
                failure = lost
            if loop.time() > patient_until:
                raise SystemExit(f"books: gave up, so they cannot balance: {failure}")
            self.answers["posted again without an answer"] += 1
            await asyncio.sleep(RETRY_SECONDS)

    async def compare(self) -> None:
        """Read every pair, user and movie, and note each number that is not what it should be."""
        for (user, slug), sums in self.pairs.items():
            expected = _totals([sums]) | {
                "furthest": sums.furthest_ms / 1000,
                "verified": next(cell for cell in range(MOVIE_MS) if cell not in sums.cells),
                "coverage": _runs(sorted(sums.cells)),
            }
            await self._compare(f"/v1/users/{user}/movies/{slug}", expected)
        for user in {user for user, _ in self.pairs}:
            own = [sums for (name, _), sums in self.pairs.items() if name == user]
            await self._compare(f"/v1/users/{user}", _totals(own) | {"movies": len(own)})
        for slug in {slug for _, slug in self.pairs}:
            own = [sums for (_, name), sums in self.pairs.items() if name == slug]
            await self._compare(f"/v1/movies/{slug}", _totals(own) | {"viewers": len(own)})

    async def _compare(self, path: str, expected: dict[str, Any]) -> None:
        async with self.http.get(self.url + path) as response:
            told = await response.json(content_type=None)
        for name, value in expected.items():
            if name in told or name != "events":
                self._note(path, name, value, told.get(name))

    def _note(self, path: str, name: str, expected: object, told: object) -> None:
        if told != expected:
            self.differences.append(f"{path} {name}: expected {str(expected)[:100]}, told {str(told)[:100]}")


def _totals(several: Iterable[Sums]) -> dict[str, Any]:
    parts = list(several)
    return {
        "watch_seconds": sum(sums.watch_ms for sums in parts) / 1000,
        "effective_seconds": sum(sums.effective_ms for sums in parts) / 1000,
        "unique_seconds": sum(len(sums.cells) for sums in parts),
        "events": sum(sums.events for sums in parts),
    }


def _runs(cells: list[int]) -> list[list[int]]:
    """Neighbouring cells as spans [from, to)."""
    runs: list[list[int]] = []
    for cell in cells:
        if runs and runs[-1][1] == cell:
            runs[-1][1] = cell + 1
        else:
            runs.append([cell, cell + 1])
    return runs


def _spans(run: str, events: int, seed: int) -> Iterator[list[Span]]:
    """Batches of one event or more, over few pairs: each pair is written to from many connections at once."""
    chance = random.Random(seed)
    pairs = list(
        product([f"books-{run}-{n}" for n in range(USERS)], [f"books-{run}-{n}" for n in range(MOVIES)])
    )
    numbers = iter(range(events))
    while batch := [
        _span(f"{run}-{number}", *chance.choice(pairs), chance)
        for _, number in zip(range(chance.randint(1, BATCH_EVENTS_MAX)), numbers, strict=False)
    ]:
        yield batch


def _span(name: str, user: str, slug: str, chance: random.Random) -> Span:
    from_ms = chance.randrange(MOVIE_MS - SPAN_MS_MAX)
    to_ms = from_ms + chance.randint(1, SPAN_MS_MAX)
    return Span(name, user, slug, from_ms, to_ms, chance.choice(SPEEDS_THOUSANDTHS))


async def balance(arguments: argparse.Namespace) -> int:
    """Post everything, compare everything, print what came of it; the exit code."""
    run, seed = uuid4().hex[:8], arguments.seed
    timeout = aiohttp.ClientTimeout(total=30)
    connector = aiohttp.TCPConnector(limit=arguments.connections)
    key = os.environ.get("PLAYHEAD_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as http:
        books = Books(http, arguments.url.rstrip("/"), arguments.patience_seconds)
        batches = _spans(run, arguments.events, seed)
        chance = random.Random(seed + 1)

        async def connection() -> None:
            for batch in batches:
                await books.post(batch)
                if chance.random() < POSTED_TWICE_FRACTION:
                    await books.post_again(batch)

        await asyncio.gather(*(connection() for _ in range(arguments.connections)))
        await books.compare()
    print(f"books of run {run}, seed {seed}: {dict(books.answers)}, {len(books.pairs)} pairs compared")
    for difference in books.differences:
        print(f"DIFFERENCE {difference}")
    print("The books do not balance" if books.differences else "The books balance")
    return 1 if books.differences else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="where playhead listens")
    parser.add_argument("--connections", type=int, default=50, help="that post at once (%(default)s)")
    parser.add_argument("--events", type=int, default=20_000, help="to post in all (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the spans; names are new in each run")
    parser.add_argument(
        "--patience-seconds", type=float, default=60, help="how long an answer is insisted on (%(default)s)"
    )
    return asyncio.run(balance(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
