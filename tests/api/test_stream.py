"""`/v1/stream`: events over a WebSocket, acknowledged in order."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

import orjson
import pytest
from structlog.testing import capture_logs

from service.api import inbox
from service.limits import BODY_BYTES_MAX, EVENT_BYTES_MAX, EVENTS_PER_BODY_MAX
from service.settings import Settings
from tests.api.client import Api, event
from tests.api.conftest import serving
from tests.api.deadline import until
from tests.api.streams import BINARY, CLOSE, PING, PONG, TEXT, frame, head, opened, read_frames, streaming
from tests.api.test_broken_clients import connected
from tests.api.test_partly import FULL, ROOMY, users_of

if TYPE_CHECKING:
    from tests.api.conftest import Serve
    from tests.api.streams import Client
    from tests.api.test_broken_clients import Line
    from tests.api.valkey import OwnValkey

EVENT = orjson.dumps(event())


async def test_an_event_is_counted_and_acknowledged(api: Api) -> None:
    async with streaming(api) as client:
        await client.send(event())
        await client.answered(1)
        assert client.books.acknowledgements == [
            {"received": 1, "accepted": 1, "duplicates": 0, "rejected": []}
        ]
        assert (await api.pair("ann", "dune")).json["watch_seconds"] == 10


async def test_an_answer_covers_all_that_waited_and_comes_in_order(api: Api) -> None:
    """The books hold each acknowledgement against the one before."""
    async with streaming(api) as client:
        await client.send(*(event(user=f"user {number % 100}", id=str(number)) for number in range(5000)))
        books = await client.answered(5000)
        await client.send(*(event(user=f"user {number % 100}", id=str(number)) for number in range(500)))
        await client.answered(5500)
    assert (books.accepted, books.duplicates, books.rejected) == (5000, 500, [])
    assert len(books.acknowledgements) < 500
    assert await api.events() == 5000


async def test_events_of_one_user_are_applied_in_the_order_they_were_sent(api: Api) -> None:
    async with streaming(api) as client:
        await client.send(*(event(at=at) for at in range(10, 20010, 10)))
        await client.answered(2000)
    pair = (await api.pair("ann", "dune")).json
    assert (pair["watch_seconds"], pair["latest"]["at"], pair["verified"]) == (20000, 20000, 20000)


async def test_a_message_is_an_event_or_an_array_as_text_or_as_bytes(api: Api) -> None:
    async with streaming(api) as client:
        await client.send(event(), [event(), event()], EVENT, b" \n[" + EVENT + b"]\n", [], EVENT + b"\n")
        books = await client.answered(6)
    assert (books.accepted, books.rejected) == (6, [])


async def test_a_wrong_message_is_rejected_at_its_index_and_spoils_no_other(api: Api) -> None:
    async with streaming(api) as client:
        await client.send(
            event(),
            "{",
            "",
            event(at=-1),
            [event(), event(user=""), event()],
            "[1",
            "5",
            b"\xff\xfe",
            EVENT + b"\n" + EVENT,
            "[" + ",".join("1" * (EVENTS_PER_BODY_MAX + 1)) + "]",
            event(id="x" * EVENT_BYTES_MAX),
            event(),
        )
        books = await client.answered(14)
    assert books.accepted == 4
    assert books.reasons == [
        (1, "not_json"),
        (2, "not_json"),
        (3, "out_of_range"),
        (5, "empty"),
        (7, "not_json"),
        (8, "not_an_object"),
        (9, "not_json"),
        (10, "not_json"),
        (11, "too_many_events"),
        (12, "too_long"),
    ]


async def test_what_cannot_be_counted_now_is_rejected_and_the_connection_goes_on(
    serve: Serve, valkey: OwnValkey
) -> None:
    api = await serve(Settings(redis_timeout_seconds=0.5, shutdown_seconds=1), valkey.url)
    async with streaming(api) as client:
        valkey.kill()
        await client.send(event(id="1"), event(at=-1), [event(id="2")])
        books = await client.answered(3)
        assert books.reasons == [(0, "unavailable"), (1, "out_of_range"), (2, "unavailable")]
        assert all(said["retry_after_seconds"] >= 1 for said in books.acknowledgements)
        valkey.start()
        await until(lambda: _is_ready(api), equals=True)
        await client.send(event(id="1"), event(id="2"))
        await client.answered(5)
    assert (books.accepted, await api.events()) == (2, 2)


async def _is_ready(api: Api) -> bool:
    return (await api.get("/readyz")).status == 200


async def test_a_part_that_cannot_be_counted_is_named_and_the_rest_counts(serve: Serve) -> None:
    api = await serve(Settings(backlog_events_max=20, partitions=2, shutdown_seconds=1))
    await api.post([event(user=user) for user in users_of(FULL, 8)])
    full, roomy = users_of(FULL, 13)[8:], users_of(ROOMY, 5)
    async with streaming(api) as client:
        await client.send([event(user=user) for pair in zip(full, roomy, strict=True) for user in pair])
        books = await client.answered(10)
    assert books.accepted == 5
    assert books.reasons == [(index, "unavailable") for index in range(0, 10, 2)]
    assert books.acknowledgements[0]["retry_after_seconds"] == 5


async def test_who_sends_more_than_is_applied_has_to_wait(serve: Serve, valkey: OwnValkey) -> None:
    """Redis is frozen: soon nothing more is read, the sockets fill, and the client cannot send."""
    api = await serve(Settings(redis_timeout_seconds=30, shutdown_seconds=1), valkey.url)
    message, sent = event(session="s" * 200), 0

    async def flood(client: Client) -> None:
        nonlocal sent
        while sent < 1_000_000:
            sent += 100
            await client.send([message] * 100)

    async with streaming(api) as client:
        valkey.freeze()
        flooding = asyncio.create_task(flood(client))
        before = -1
        while sent != before:
            before = sent
            await asyncio.wait([flooding], timeout=0.3)
        assert not flooding.done()
        flooding.cancel()
        await asyncio.wait([flooding])
        assert 0 < sent < 100_000
        valkey.thaw()
        books = await client.answered(sent)
    assert books.accepted == sent == await api.events()


async def test_who_reads_no_acknowledgements_is_cut_off_and_delays_nobody(serve: Serve) -> None:
    api = await serve(Settings(body_timeout_seconds=0.5, shutdown_seconds=1))
    wrong = frame(TEXT, b"[" + b"1," * 19_999 + b"1]")
    async with opened(api) as deaf:
        flooding = asyncio.create_task(_flood(deaf, wrong))
        async with streaming(api) as client:
            for number in range(50):
                await client.send(event())
                await client.answered(number + 1, seconds=5)
        async with asyncio.timeout(20):
            await flooding


async def _flood(line: Line, data: bytes) -> None:
    """Until the connection is lost."""
    with suppress(ConnectionError):
        while True:
            await line.send(data)


async def test_whoever_says_farewell_is_answered_first(api: Api) -> None:
    async with opened(api) as line:
        await line.send(frame(TEXT, EVENT) * 3 + frame(CLOSE, b"\x03\xe8bye"))
        frames = read_frames(await line.rest())
    assert sum(orjson.loads(payload)["accepted"] for opcode, payload in frames if opcode == TEXT) == 3
    assert frames[-1] == (CLOSE, b"\x03\xe8")


async def test_events_count_also_where_their_sender_is_gone_at_once(api: Api) -> None:
    """A page that is left: nobody hears the acknowledgement."""
    async with opened(api) as line:
        await line.send(frame(TEXT, EVENT) * 2500)
    await until(api.events, equals=2500)


async def test_a_message_that_is_too_large_is_1009_after_what_came_before(api: Api) -> None:
    async with streaming(api) as client:
        await client.send(event(), event(), b"[" + b" " * BODY_BYTES_MAX + b"]", event())
        assert await client.closed() == (1009, f"a message has at most {BODY_BYTES_MAX} bytes")
        assert client.books.accepted == 2
    assert await api.events() == 2


async def test_who_is_still_sending_hears_the_farewell(api: Api) -> None:
    """A connection closed with unread data would be reset, and what was said last be lost."""
    huge = b"\x81\xff" + (4 * BODY_BYTES_MAX).to_bytes(8) + bytes(4 + 4 * BODY_BYTES_MAX)
    async with opened(api) as line:
        await line.send(frame(TEXT, EVENT) + huge)
        (_, answer), (opcode, words) = read_frames(await line.rest())
    assert (orjson.loads(answer)["accepted"], opcode, words[:2]) == (1, CLOSE, b"\x03\xf1")


@pytest.mark.parametrize(
    "wrong",
    [
        frame(TEXT, EVENT, first_bits=0xC0),
        frame(0x3, EVENT),
        frame(0x0, EVENT),
        frame(PING, b"x" * 200),
        frame(CLOSE, b"x"),
    ],
    ids=["compressed", "unknown opcode", "no beginning", "long ping", "half a code"],
)
async def test_what_is_no_frame_is_1002_after_what_came_before(api: Api, wrong: bytes) -> None:
    async with opened(api) as line:
        await line.send(frame(BINARY, EVENT) + wrong)
        first, *_, last = read_frames(await line.rest())
    assert (first[0], orjson.loads(first[1])["accepted"]) == (TEXT, 1)
    assert (last[0], last[1][:2]) == (CLOSE, b"\x03\xea")


async def test_messages_may_come_in_parts_and_torn(api: Api) -> None:
    parts = (
        frame(TEXT, EVENT[:9], first_bits=0)
        + frame(PING, b"hello")
        + frame(0x0, EVENT[9:20], first_bits=0)
        + frame(0x0, EVENT[20:])
    )
    async with opened(api) as line:
        for byte in parts:
            await line.send(bytes([byte]))
            await asyncio.sleep(0)
        await line.send(frame(CLOSE))
        frames = dict(read_frames(await line.rest()))
    assert (frames[PONG], orjson.loads(frames[TEXT])["accepted"]) == (b"hello", 1)


async def test_a_silent_client_is_asked_whether_it_lives(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "PING_SECONDS", 0.2)
    async with opened(api) as silent, streaming(api) as living:
        listening = asyncio.create_task(living.answered(1))
        assert read_frames(await silent.rest()) == [(PING, b""), (CLOSE, b"\x03\xe9no answer to a ping")]
        await asyncio.wait([listening], timeout=0.5)
        await living.send(event())
        assert (await listening).accepted == 1


@pytest.mark.usefixtures("redis")
async def test_a_stop_answers_what_came_and_closes_with_1001(redis_url: str) -> None:
    """Whatever was acknowledged was counted, and what was counted was acknowledged."""

    async def flood(client: Client) -> tuple[int | None, str]:
        reading, sent = asyncio.create_task(client.closed()), 0
        with suppress(ConnectionError):
            while not reading.done():
                if sent - client.books.received < 500:
                    await client.send(*[event()] * 20)
                    sent += 20
                await asyncio.sleep(0.001)
        return await reading

    async with serving(Settings(), redis_url) as other, AsyncExitStack() as stack:
        async with serving(Settings(shutdown_seconds=10), redis_url) as stopping:
            api = Api(other.session, stopping.port)
            clients = [await stack.enter_async_context(streaming(api)) for _ in range(4)]
            floods = [asyncio.create_task(flood(client)) for client in clients]

            async def has_begun() -> bool:
                return all(client.books.received > 100 for client in clients)

            await until(has_begun, equals=True)
        assert [await flooding for flooding in floods] == [(1001, "playhead is stopping")] * 4
        assert await other.events() == sum(client.books.accepted for client in clients)


async def test_what_asks_for_no_websocket_is_426(api: Api) -> None:
    for method in ("GET", "HEAD"):
        answer = await api.call(method, "/v1/stream")
        assert (answer.status, answer.headers["Upgrade"]) == (426, "websocket")
    async with connected(api) as line:
        await line.send(head("X-A: b").replace(b"Version: 13", b"Version: 99"))
        assert await line.status() == 426


async def test_no_subprotocol_and_no_compression_is_spoken(api: Api) -> None:
    async with connected(api) as line:
        await line.send(head("Sec-WebSocket-Protocol: playhead_secret"))
        assert await line.status() == 400
    async with connected(api) as line:
        await line.send(head("Sec-WebSocket-Extensions: permessage-deflate"))
        answer = await line.answer()
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"deflate" not in answer


async def test_metrics_tell_of_streams(api: Api) -> None:
    async def shown(name: str) -> float:
        lines = (await api.get("/metrics")).body.decode().splitlines()
        return sum(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    names = ("playhead_stream_messages_total", "playhead_stream_acknowledgements_total")
    before = [await shown(name) for name in names]
    open_before = await shown("playhead_streams")
    async with streaming(api) as client:
        await client.send(event(), [event(), event()])
        await client.answered(3)
        assert await shown("playhead_streams") == open_before + 1
    after = [await shown(name) for name in names]
    assert after[0] - before[0] == 2
    assert after[1] - before[1] == len(client.books.acknowledgements)
    await until(lambda: shown("playhead_streams"), equals=open_before)


@pytest.mark.parametrize("seed", range(3))
async def test_rubbish_harms_only_its_sender(api: Api, seed: int) -> None:
    """Frames with bytes changed, left out and made up, on many connections; then all is as before."""
    chance = random.Random(seed)
    with capture_logs() as logs:
        for _ in range(40):
            data = bytearray(b"".join(_some_frame(chance) for _ in range(chance.randrange(1, 20))))
            for _ in range(chance.randrange(4)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            async with opened(api) as line:
                await line.send(bytes(data))
                if chance.random() < 0.5:
                    await line.send(frame(CLOSE))
                if chance.random() < 0.3:
                    line.hang_up()
    assert [line for line in logs if line["log_level"] == "error"] == []
    async with streaming(api) as client:
        await client.send(event(slug="heat"))
        await client.answered(1)
    assert await api.events("heat") == 1


def _some_frame(chance: random.Random) -> bytes:
    opcode = chance.choice((TEXT, TEXT, TEXT, BINARY, 0x0, PING, PONG, CLOSE, 0x5))
    content = chance.choice((EVENT, EVENT[:20], b"[" + EVENT + b"]", b"", chance.randbytes(130)))
    return frame(opcode, content, chance.choice((0x80, 0x80, 0x80, 0x00, 0xF0)))
