"""Many at once, on few users and movies: every counter comes out as the model says (see `tests.api.crowd`)."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson
import pytest

from service.events.decode import decode_body
from service.events.event import Event
from service.rules.model import Model
from tests.api.client import NDJSON, lines
from tests.api.crowd import make_crowd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.rules.model import Totals
    from tests.api.client import Api, Document

CONNECTIONS = 64
EVENTS = 200_000
SEED = 2026
SINGLE_FRACTION = 0.75
"""Of the requests, not of the events: about a hundred a connection."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.timeout(300)
async def test_every_counter_comes_out_right_whoever_comes_first(api: Api) -> None:
    made, sent = make_crowd(CONNECTIONS, EVENTS, SEED)
    told = await asyncio.gather(*(send_all(api, number, stream) for number, stream in enumerate(sent)))
    assert sum(accepted for accepted, _ in told) == EVENTS
    assert sum(duplicates for _, duplicates in told) == sum(map(len, sent)) - EVENTS > EVENTS // 11

    model = counted(made)
    for slug, movie in model.movies.items():
        document = {
            "slug": slug,
            **clocks(movie.totals),
            "viewers": movie.viewers,
            "events": movie.totals.events,
        }
        assert (await api.movie(slug)).json == document
    for name, user in model.users.items():
        document = {"user": name, **clocks(user.totals), "movies": user.movies, "events": user.totals.events}
        assert (await api.user(name)).json == document
    for name, slug in model.pairs:
        assert (await api.pair(name, slug)).json == pair_document(model, name, slug)


async def send_all(api: Api, number: int, stream: list[Document]) -> tuple[int, int]:
    """One request after the other, each an event, an array, or lines; gives how many were accepted, and duplicates."""
    draw, accepted, duplicates = random.Random(number), 0, 0
    for batch in batches(draw, stream):
        if len(batch) == 1:
            answer = await api.post(batch[0])
        elif draw.random() < 0.5:
            answer = await api.post(batch)
        else:
            answer = await api.send(lines(*batch), NDJSON)
        assert (answer.status, answer.json["rejected"]) == (200, [])
        accepted += answer.json["accepted"]
        duplicates += answer.json["duplicates"]
    return accepted, duplicates


def batches(draw: random.Random, stream: list[Document]) -> Iterator[list[Document]]:
    place = 0
    while place < len(stream):
        size = 1 if draw.random() < SINGLE_FRACTION else draw.randrange(20, 200)
        yield stream[place : place + size]
        place += size


def counted(streams: list[list[Document]]) -> Model:
    """One connection after the other: one order of many, all of which end in the same."""
    model, received_us = Model(), int(datetime.now(UTC).timestamp() * 1_000_000)
    for stream in streams:
        for start in range(0, len(stream), 1000):
            decoded, _ = decode_body(orjson.dumps(stream[start : start + 1000]), received_us)
            for event in decoded:
                assert isinstance(event, Event)
                model.apply(event)
    return model


def clocks(totals: Totals) -> Document:
    return {
        "watch_seconds": totals.watch_ms / 1000,
        "effective_seconds": totals.effective_ms / 1000,
        "unique_seconds": totals.unique_cells,
    }


def pair_document(model: Model, name: str, slug: str) -> Document:
    pair = model.pairs[name, slug]
    latest = None
    if pair.latest_us is not None and pair.latest_ms is not None:
        moment = EPOCH + timedelta(microseconds=pair.latest_us)
        latest = {"at": pair.latest_ms / 1000, "updated_at": f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"}
    return {
        "user": name,
        "slug": slug,
        "latest": latest,
        "furthest": pair.furthest_ms / 1000,
        "verified": pair.verified_cells,
        **clocks(pair.totals),
        "implausible_seconds": pair.implausible_ms / 1000,
        "coverage": list(spans(pair.seen)),
    }


def spans(seen: set[int]) -> Iterator[list[int]]:
    starts = (cell for cell in sorted(seen) if cell - 1 not in seen)
    ends = (cell + 1 for cell in sorted(seen) if cell + 1 not in seen)
    return (list(span) for span in zip(starts, ends, strict=True))
