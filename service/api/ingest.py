"""POST of events: one, many, or a stream of lines."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from service import clock, metrics
from service.api import shapes
from service.api.body import Patience, pieces, read_whole
from service.api.context import BUCKET, SETTINGS, STREAMS, WRITER
from service.api.persons import refuse_foreign
from service.api.problems import answering, problem, refused, unavailable
from service.errors import BadRequest, RateExceeded, Unavailable
from service.events.decode import decode_body, decode_lines
from service.events.event import Event
from service.events.rejection import Rejection
from service.limits import EVENT_BYTES_MAX, RUN_EVENTS_MAX, STREAM_REJECTIONS_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.counters.records import PairRecord
    from service.counters.writer import Writer

NDJSON = frozenset(
    ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
)
"""Content types read line by line. Every other one is read as JSON: beacons say text/plain, curl says form data."""


LARGE_BYTES_MIN = 256 * 1024
"""Bodies from here on take some milliseconds to decode, much longer than it takes to wake a thread."""


@dataclass(slots=True)
class Tally:
    """What became of a request's events: each is in exactly one of the three."""

    accepted: int = 0
    duplicates: int = 0
    rejected: list[Rejection] = field(default_factory=list)
    retry_after_seconds: int = 0
    """When to send those again that were rejected as `unavailable`; 0 where none was."""

    def as_json(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "rejected": [rejection.as_json() for rejection in self.rejected],
        }

    def refuse_flood(self) -> None:
        """A stream of nothing but mistakes is cut off, since every one of them is listed."""
        if len(self.rejected) > STREAM_REJECTIONS_MAX:
            detail = "so many lines were refused that the rest was not read"
            raise BadRequest(413, "too_many_rejections", detail)

    async def add(self, decoded: list[Event | Rejection], writer: Writer, first_index: int = 0) -> None:
        """Apply the events among these and count what became of each; `first_index` is the index of the first one.

        Those that could not be counted now, while others of them were, are rejected as `unavailable`.
        """
        places = [place for place, item in enumerate(decoded) if isinstance(item, Event)]
        refused = [item for item in decoded if isinstance(item, Rejection)]
        if places:
            applied = await writer.apply([item for item in decoded if isinstance(item, Event)])
            refused += [
                uncounted(first_index + places[place], failure) for place, failure in applied.failures.items()
            ]
            for failure in applied.failures.values():
                self.retry_after_seconds = max(self.retry_after_seconds, failure.retry_after_seconds)
            self.duplicates += applied.duplicates
            self.accepted += len(places) - applied.duplicates - len(applied.failures)
        for rejection in refused:
            metrics.REJECTIONS.labels(rejection.reason).inc()
        self.rejected += sorted(refused, key=attrgetter("index"))


def uncounted(index: int, failure: Unavailable) -> Rejection:
    return Rejection(index, "", "unavailable", f"event {index}: {failure}; send it again")


@answering
async def post_events(request: web.Request) -> web.StreamResponse:
    if request.content_type in NDJSON:
        return await _post_lines(request)
    body = await read_whole(request, request.app[SETTINGS].body_timeout_seconds)
    if len(body) > LARGE_BYTES_MIN:
        # In a thread, so that the requests of others get their turn in between.
        decoded, is_single = await asyncio.to_thread(decode_body, body, clock.now_us())
    else:
        decoded, is_single = decode_body(body, clock.now_us())
    _draw(request, len(decoded) - 1)
    refuse_foreign(request, decoded)
    return await _post_decoded(decoded, request.app[WRITER], is_single=is_single)


async def post_body(body: bytes, writer: Writer) -> web.Response:
    """What a JSON body is answered with whose sender may post anything. Raises BadRequest, Unavailable."""
    decoded, is_single = decode_body(body, clock.now_us())
    return await _post_decoded(decoded, writer, is_single=is_single)


async def _post_decoded(decoded: list[Event | Rejection], writer: Writer, *, is_single: bool) -> web.Response:
    if is_single and isinstance(decoded[0], Event):
        answer = outcome_of_one(decoded[0], *await writer.apply_one(decoded[0]))
        return web.Response(body=answer, content_type="application/json")
    tally = Tally()
    await tally.add(decoded, writer)
    return _answer(tally)


def _draw(request: web.Request, events: int) -> None:
    """From the bucket of the request's key, if it has one, which gave one event at the door."""
    bucket = request.get(BUCKET)
    if bucket is not None and events > 0:
        bucket.draw(events)


def outcome_of_one(event: Event, is_duplicate: bool, record: PairRecord) -> bytes:
    """The answer to a body that is one event."""
    return orjson.dumps(
        {
            "accepted": 0 if is_duplicate else 1,
            "duplicates": 1 if is_duplicate else 0,
            "rejected": [],
            "state": shapes.pair(event.user, event.slug, record),
        }
    )


def _answer(tally: Tally) -> web.Response:
    if tally.rejected and not tally.accepted and not tally.duplicates:
        first = tally.rejected[0]
        detail = f"no event was accepted; the first one: {first.detail}"
        return problem(422, first.reason, detail, **tally.as_json())
    return web.Response(body=orjson.dumps(tally.as_json()), content_type="application/json")


async def _post_lines(request: web.Request) -> web.Response:
    """Lines are applied as they arrive, some at a time; the client is read no faster than they are applied.

    When it ends early, the answer still says what became of the events until then.
    """
    writer, tally, index = request.app[WRITER], Tally(), 0
    patience = Patience(request.app[SETTINGS].body_timeout_seconds)
    request.app[STREAMS].add(patience)
    try:
        async for lines in _lines(request, patience):
            for start in range(0, len(lines), RUN_EVENTS_MAX):
                batch = lines[start : start + RUN_EVENTS_MAX]
                _draw_lines(request, len(batch), is_first=index == 0)
                decoded = decode_lines(batch, index, clock.now_us())
                refuse_foreign(request, decoded, index)
                await tally.add(decoded, writer, index)
                index += len(batch)
                tally.refuse_flood()
    except BadRequest as error:
        detail = f"{error}; events from index {index} on were not read"
        return problem(error.status, error.reason, detail, **tally.as_json())
    except RateExceeded as error:
        detail = f"{error}, with the events from index {index} on"
        return refused(error, detail, **tally.as_json())
    except Unavailable as error:
        stopped = type(error)(f"{error}; send the events from index {index} on again")
        return unavailable(stopped, **tally.as_json())
    return _answer(tally)


def _draw_lines(request: web.Request, events: int, *, is_first: bool) -> None:
    """Raises RateExceeded where the lines before have used up what may come."""
    if is_first:
        _draw(request, events - 1)
    elif (bucket := request.get(BUCKET)) is not None:
        bucket.check()
        bucket.draw(events)


async def _lines(request: web.Request, patience: Patience) -> AsyncIterator[list[bytes]]:
    """The whole lines that each piece of the body completes; blank ones are no events.

    Of a line past its bound only as much is kept as shows that it is.
    """
    rest = b""
    async for piece in pieces(request, patience):
        *complete, tail = piece.split(b"\n")
        if complete:
            complete[0] = rest + complete[0]
            rest = tail
            if lines := _stripped(complete):
                patience.renew()
                yield lines
        else:
            rest += tail
        if len(rest) > EVENT_BYTES_MAX:
            rest = rest[: EVENT_BYTES_MAX + 1]
    if lines := _stripped([rest]):
        yield lines


def _stripped(lines: list[bytes]) -> list[bytes]:
    return [stripped for line in lines if (stripped := line.strip())]
