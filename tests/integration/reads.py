"""What the reads over HTTP must say, by the model of all that was sent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from service.api import shapes
from service.events.decode import decode_body
from service.events.event import Event
from tests.lua.book import cells_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from service.rules.model import Model, Pair, Totals

Document = dict[str, Any]


def count(model: Model, sent: Sequence[Document]) -> None:
    """Apply events as clients write them."""
    received_us = time.time_ns() // 1000
    for start in range(0, len(sent), 10_000):
        decoded, _ = decode_body(orjson.dumps(sent[start : start + 10_000]), received_us)
        for event in decoded:
            assert isinstance(event, Event)
            model.apply(event)


async def wrong_reads(url: str, model: Model) -> list[str]:
    """A sentence for each user, movie and pair of which the service says something else than the model."""
    wrong = []
    async with aiohttp.ClientSession(url) as http:
        for path, expected in expected_reads(model):
            async with http.get(path) as response:
                told = await response.json()
            if (response.status, told) != (200, expected):
                wrong.append(f"{path} says {_difference(told, expected)}")
    return wrong


def expected_reads(model: Model) -> Iterator[tuple[str, Document]]:
    """Each path with its document."""
    for user, counted in model.users.items():
        yield f"/v1/users/{user}", {"user": user, **_clocks(counted.totals), "movies": counted.movies}
    for slug, movie in model.movies.items():
        yield f"/v1/movies/{slug}", {"slug": slug, **_clocks(movie.totals), "viewers": movie.viewers}
    for (user, slug), pair in model.pairs.items():
        yield f"/v1/users/{user}/movies/{slug}", {"user": user, "slug": slug, **_pair(pair)}


def _pair(pair: Pair) -> Document:
    latest = None
    if pair.latest_ms is not None and pair.latest_us is not None:
        latest = {"at": shapes.seconds(pair.latest_ms), "updated_at": shapes.moment(pair.latest_us)}
    return {
        **{name: value for name, value in _clocks(pair.totals).items() if name != "events"},
        "latest": latest,
        "furthest": shapes.seconds(pair.furthest_ms),
        "verified": pair.verified_cells,
        "implausible_seconds": shapes.seconds(pair.implausible_ms),
        "coverage": _spans(cells_of(pair.seen)),
    }


def _clocks(totals: Totals) -> Document:
    return {
        "watch_seconds": shapes.seconds(totals.watch_ms),
        "effective_seconds": shapes.seconds(totals.effective_ms),
        "unique_seconds": totals.unique_cells,
        "events": totals.events,
    }


def _spans(cells: frozenset[int]) -> list[list[int]]:
    spans: list[list[int]] = []
    for cell in sorted(cells):
        if spans and spans[-1][1] == cell:
            spans[-1][1] += 1
        else:
            spans.append([cell, cell + 1])
    return spans


def _difference(told: Document, expected: Document) -> str:
    """Only the members that differ, so that a person can read it."""
    names = [name for name in {**told, **expected} if told.get(name) != expected.get(name)]
    said = [f"{name} {str(told.get(name))[:200]} for {str(expected.get(name))[:200]}" for name in names]
    return ", ".join(said)
