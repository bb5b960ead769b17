"""Who may open a stream, how fast a key may send over it, and what streams may take of the queue."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from aiohttp import WSServerHandshakeError

from service.access.files import add_key, remove_key
from service.access.keyring import Key, Scope, digest_of, new_token
from service.api import guard
from service.api.room import Room
from service.errors import QueueFull
from service.settings import Settings
from tests.api.client import Api, event
from tests.api.conftest import serving
from tests.api.deadline import until
from tests.api.keys import LINES, TOKENS, bearer, line_of
from tests.api.streams import streaming

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.api.conftest import Serve

OURS, THEIRS = "https://watch.example", "https://watch.example.evil.example"


async def status(api: Api, query: str = "", headers: Mapping[str, str] | None = None) -> int:
    """Of opening a stream, over which then an event is acknowledged."""
    try:
        async with streaming(api, query, headers) as client:
            await client.send(event())
            await client.answered(1)
            return 101
    except WSServerHandshakeError as refused:
        return refused.status


async def test_a_stream_needs_a_key_that_may_ingest(serve: Serve) -> None:
    api = await serve(Settings(keys=LINES, shutdown_seconds=1))
    token = TOKENS[Scope.INGEST]
    for query, headers, expected in (
        ("", {}, 401),
        ("", bearer(new_token()), 401),
        ("", bearer(TOKENS[Scope.READ]), 403),
        ("", bearer(token), 101),
        ("", {"X-Api-Key": token}, 101),
        (f"?key={token}", {}, 101),
        (f"?key={new_token()}", {}, 401),
    ):
        assert await status(api, query, headers) == expected


async def test_the_stream_of_a_revoked_key_ends_with_its_next_event(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "RELOAD_SECONDS", 0.05)
    path, token, other = tmp_path / "keys", new_token(), new_token()
    for name, one in (("web", token), ("other", other)):
        add_key(path, Key(name, frozenset((Scope.INGEST,)), digest_of(one)))
    api = await serve(Settings(keys_file=path, shutdown_seconds=1))
    async with streaming(api, headers=bearer(token)) as client:
        await client.send(event())
        await client.answered(1)
        remove_key(path, "web")
        await until(lambda: _posting(api, token), equals=401)
        await client.send(event())
        assert await client.closed() == (
            1008,
            "the API key is none of this playhead's, or was revoked",
        )
        assert client.books.received == 1


async def _posting(api: Api, token: str) -> int:
    """Of a post with this key; a stream that is opened in the moment in which it is revoked ends in another way."""
    return (await api.send(b"[]", bearer(token))).status


async def test_a_limited_key_is_read_no_faster_than_it_may_send(serve: Serve) -> None:
    """Nothing is refused; what comes too fast waits. Two seconds' worth may come at once."""
    line = line_of("web", TOKENS[Scope.INGEST], Scope.INGEST, events=500)
    api = await serve(Settings(keys=line, shutdown_seconds=1))
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with streaming(api, headers=bearer(TOKENS[Scope.INGEST])) as client:
        await client.send(*[event()] * 500, [event()] * 1200)
        books = await client.answered(1700)
    assert books.accepted == 1700
    assert loop.time() - started > 0.1
    assert max(said["accepted"] for said in books.acknowledgements) <= 500


async def test_a_limited_stream_holds_up_no_stop(serve: Serve, redis_url: str) -> None:
    """What had to wait is not answered: its client sends it again."""
    token = TOKENS[Scope.INGEST]
    settings = Settings(keys=line_of("web", token, Scope.INGEST, events=1), shutdown_seconds=10)
    other = await serve()
    async with AsyncExitStack() as stack:
        async with serving(settings, redis_url) as stopping:
            client = await stack.enter_async_context(
                streaming(Api(other.session, stopping.port), headers=bearer(token))
            )
            await client.send(*[event()] * 100)
            reading = asyncio.create_task(client.closed())
            await until(lambda: _any_event(other), equals=True)
        assert await reading == (1001, "playhead is stopping")
    assert client.books.received == await other.events() < 10


async def _any_event(api: Api) -> bool:
    """Two may be counted at once, and time goes on between looks: no exact number has to be seen."""
    return await api.events() > 0


async def test_pages_of_other_origins_open_none_unless_they_are_listed(serve: Serve) -> None:
    """Browsers ask nobody before they open a WebSocket: here the service has to look."""
    api = await serve(Settings(cors_origins=OURS, shutdown_seconds=1))
    for origin, expected in (
        (OURS, 101),
        (f"http://127.0.0.1:{api.port}", 101),
        (f"https://127.0.0.1:{api.port}", 101),
        (THEIRS, 403),
        ("null", 403),
        ("", 403),
        ("http://127.0.0.1:1", 403),
        ("http://[", 403),
        (f"http://x@127.0.0.1:{api.port}", 403),
    ):
        assert await status(api, headers={"Origin": origin}) == expected, origin
    assert await api.events() == 3


@pytest.mark.parametrize(("origins", "expected"), [(None, 403), ("*", 101)])
async def test_by_default_no_other_origin_may_and_by_an_explicit_word_all(
    serve: Serve, origins: str | None, expected: int
) -> None:
    api = await serve(Settings(cors_origins=origins, shutdown_seconds=1))
    assert await status(api, headers={"Origin": THEIRS}) == expected


async def test_a_key_opens_no_stream_to_a_page_that_is_not_listed(serve: Serve) -> None:
    api = await serve(Settings(keys=LINES, shutdown_seconds=1))
    assert await status(api, headers=bearer(TOKENS[Scope.INGEST]) | {"Origin": THEIRS}) == 403


async def test_room_is_given_in_the_order_it_was_asked_for() -> None:
    room, entered = Room(10), list[str]()

    async def stay(name: str, events: int, until_set: asyncio.Event) -> None:
        async with room.taken(events, 5):
            entered.append(name)
            await until_set.wait()

    leave, stay_on = asyncio.Event(), asyncio.Event()
    tasks = [asyncio.create_task(stay("first", 6, leave))]
    tasks += [
        asyncio.create_task(stay(name, events, stay_on)) for name, events in (("large", 99), ("small", 1))
    ]
    await asyncio.wait(tasks, timeout=0.05)
    assert entered == ["first"]
    leave.set()
    await asyncio.wait(tasks[:1])
    await asyncio.wait(tasks[1:], timeout=0.05)
    assert entered == ["first", "large"]
    stay_on.set()
    await asyncio.gather(*tasks)
    assert entered == ["first", "large", "small"]


async def test_who_waits_for_room_in_vain_leaves_no_trace() -> None:
    """Neither by the end of its patience nor by being cancelled."""
    room = Room(10)
    async with room.taken(8, 1):
        cancelled = asyncio.create_task(_enter(room, 9))
        with pytest.raises(QueueFull):
            await _enter(room, 5, wait_seconds=0.05)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        await _enter(room, 2)
    await _enter(room, 10)


async def _enter(room: Room, events: int, wait_seconds: float = 1) -> None:
    async with room.taken(events, wait_seconds):
        pass


async def test_streams_leave_a_part_of_the_queue_to_those_who_post(serve: Serve) -> None:
    """More streams than the queue has room for: none is refused, they take turns."""
    api = await serve(Settings(queue_events_max=100, shutdown_seconds=1))

    async def stream(number: int) -> None:
        async with streaming(api) as client:
            for _ in range(5):
                await client.send([event(user=f"user {number}")] * 50)
            assert (await client.answered(250)).accepted == 250

    streams = asyncio.gather(*(stream(number) for number in range(10)))
    posted = 0
    while not streams.done():
        assert (await api.post([event(user="poster")] * 10)).status == 200
        posted += 10
    await streams
    assert await api.events() == 2500 + posted
