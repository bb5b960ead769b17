"""Events line by line (NDJSON), applied while the body is still being sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
import pytest

from service.limits import BODY_BYTES_MAX, EVENT_BYTES_MAX, RUN_EVENTS_MAX, STREAM_REJECTIONS_MAX
from service.settings import Settings
from tests.api.client import JSON, NDJSON, event, lines
from tests.api.deadline import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.client import Api
    from tests.api.conftest import Serve

EVENT = orjson.dumps(event())
LONG = orjson.dumps(event(id="x" * EVENT_BYTES_MAX))


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/x-ndjson; charset=utf-8",
        "Application/X-NDJSON",
    ],
)
async def test_each_name_of_the_format_is_known(api: Api, content_type: str) -> None:
    answer = await api.send(EVENT + b"\n" + EVENT, {"Content-Type": content_type})
    assert (answer.status, answer.json["accepted"]) == (200, 2)


@pytest.mark.parametrize(
    "body",
    [
        EVENT + b"\n" + EVENT + b"\n",
        EVENT + b"\n" + EVENT,
        EVENT + b"\r\n" + EVENT + b"\r\n",
        b"\n\n" + EVENT + b"\n \t\r\n\n" + EVENT + b"\n\n",
        b"\xef\xbb\xbf" + EVENT + b"\n" + EVENT,
        b"  " + EVENT + b" \n\t" + EVENT + b"\t\n",
    ],
    ids=["plain", "no final newline", "CRLF", "blank lines", "byte order mark", "white space"],
)
async def test_line_ends_and_blank_lines_mean_nothing(api: Api, body: bytes) -> None:
    assert (await api.send(body, NDJSON)).json == {"accepted": 2, "duplicates": 0, "rejected": []}


@pytest.mark.parametrize("body", [b"", b"\n", b" \r\n\r\n"])
async def test_no_line_is_no_event_and_no_mistake(api: Api, body: bytes) -> None:
    answer = await api.send(body, NDJSON)
    assert (answer.status, answer.json) == (200, {"accepted": 0, "duplicates": 0, "rejected": []})


async def test_a_single_line_is_still_many(api: Api) -> None:
    """It is answered without `state`: a stream has no one pair."""
    assert "state" not in (await api.send(EVENT, NDJSON)).json


async def test_lines_may_be_torn_anywhere(api: Api) -> None:
    body = lines(*(event(user="Zoë 🎬", at=at) for at in (10, 20, 30)))

    async def torn() -> AsyncIterator[bytes]:
        for byte in body:
            yield bytes([byte])
            await asyncio.sleep(0)

    assert (await api.send(torn(), NDJSON)).json["accepted"] == 3
    assert (await api.pair("Zoë 🎬", "dune")).json["watch_seconds"] == 30


async def test_a_wrong_line_spoils_no_other(api: Api) -> None:
    body = b"\n".join(
        [
            EVENT,
            b"{",
            b"",
            b"5",
            EVENT + EVENT,
            b'{"user":"\xff"}',
            b'{"user":"\\ud800"}',
            orjson.dumps(event(at=-1)),
            EVENT,
        ]
    )
    answer = await api.send(body, NDJSON)
    assert (answer.status, answer.json["accepted"]) == (200, 2)
    reasons = [(one["index"], one["reason"]) for one in answer.json["rejected"]]
    assert reasons == [
        (1, "not_json"),
        (2, "not_an_object"),
        (3, "not_json"),
        (4, "not_json"),
        (5, "invalid_string"),
        (6, "out_of_range"),
    ]


async def test_a_line_that_is_too_long_spoils_no_other(api: Api) -> None:
    async def sent() -> AsyncIterator[bytes]:
        yield EVENT + b"\n" + LONG + b"\n" + EVENT + b"\n"
        for start in range(0, len(LONG), 1000):
            yield LONG[start : start + 1000]
        yield b"\n" + EVENT + b"\n" + LONG

    answer = await api.send(sent(), NDJSON)
    assert answer.json["accepted"] == 3
    assert [(one["index"], one["reason"]) for one in answer.json["rejected"]] == [
        (1, "too_long"),
        (3, "too_long"),
        (5, "too_long"),
    ]


async def test_all_lines_rejected_is_422(api: Api) -> None:
    answer = await api.send(b"a\nb\n", NDJSON)
    assert (answer.status, answer.json["reason"], len(answer.json["rejected"])) == (422, "not_json", 2)
    assert answer.is_problem


async def test_what_is_not_events_at_all_is_cut_off(api: Api) -> None:
    answer = await api.send(b"x\n" * (2 * STREAM_REJECTIONS_MAX), NDJSON)
    assert (answer.status, answer.json["reason"]) == (413, "too_many_rejections")
    assert answer.is_problem
    assert STREAM_REJECTIONS_MAX < len(answer.json["rejected"]) <= STREAM_REJECTIONS_MAX + RUN_EVENTS_MAX


async def test_a_stream_may_be_longer_than_a_body_and_than_an_array(api: Api) -> None:
    piece = lines(*(event(user=f"user {number}", session="s" * 200) for number in range(1000)))
    pieces = BODY_BYTES_MAX // len(piece) + 2

    async def sent() -> AsyncIterator[bytes]:
        for _ in range(pieces):
            yield piece

    assert (await api.send(sent(), NDJSON)).json["accepted"] == 1000 * pieces


async def test_lines_count_while_the_body_is_still_being_sent(api: Api) -> None:
    counted = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield lines(event(), event()) + EVENT[:10]
        await counted.wait()
        yield EVENT[10:]

    sending = asyncio.create_task(api.send(slowly(), NDJSON))
    await until(api.events, equals=2)
    assert not sending.done()
    counted.set()
    assert (await sending).json["accepted"] == 3
    assert await api.events() == 3


async def test_a_stream_that_falls_silent_is_408_and_says_what_counted(serve: Serve) -> None:
    api = await serve(Settings(body_timeout_seconds=0.2, shutdown_seconds=1))

    async def silent() -> AsyncIterator[bytes]:
        yield lines(event(), event(at=-1))
        await asyncio.Event().wait()

    answer = await api.send(silent(), NDJSON)
    assert (answer.status, answer.json["reason"]) == (408, "body_timeout")
    assert (answer.json["accepted"], len(answer.json["rejected"])) == (1, 1)
    assert answer.json["detail"].endswith("events from index 2 on were not read")


async def test_a_body_that_falls_silent_is_408_and_counts_nothing(serve: Serve) -> None:
    api = await serve(Settings(body_timeout_seconds=0.2, shutdown_seconds=1))

    async def silent() -> AsyncIterator[bytes]:
        yield EVENT[:-1]
        await asyncio.Event().wait()

    answer = await api.send(silent(), JSON)
    assert (answer.status, answer.json["reason"]) == (408, "body_timeout")
    assert answer.is_problem
    assert await api.events() == 0


async def test_a_stream_that_is_slow_is_not_silent(serve: Serve) -> None:
    """It may take longer in all than a client may be silent: here ten pauses, each a third of that."""
    api = await serve(Settings(body_timeout_seconds=0.3, shutdown_seconds=1))

    async def slowly() -> AsyncIterator[bytes]:
        for number in range(10):
            yield lines(event(user=f"user {number}"))
            await until(api.events, equals=number + 1)
            await asyncio.sleep(0.1)  # the pause is what is tried

    assert (await api.send(slowly(), NDJSON)).json["accepted"] == 10
