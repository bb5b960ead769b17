"""The short way of requests (`service.api.shortcut`) beside aiohttp's own: the same answers to the byte, in order."""

from __future__ import annotations

import asyncio
import gzip
import re
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from service.access.keyring import Scope
from service.api import server
from service.api.shortcut import Shortcut
from service.counters.writer import Writer
from service.settings import Settings
from tests.api.conftest import serving
from tests.api.deadline import until
from tests.api.keys import LINES, TOKENS, line_of
from tests.api.test_broken_clients import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from tests.api.client import Api
    from tests.api.conftest import Serve
    from tests.api.test_broken_clients import Line
    from tests.api.valkey import OwnValkey

AT = "2026-11-20T20:15:00Z"
JSON = {"Content-Type": "application/json"}
LIMITED = "limited-" + "a" * 40


class Ways(list[bool]):
    """Of each request that came whole: whether it went the short way. `parsed` of them were parsed for it."""

    parsed = 0

    def clear(self) -> None:
        super().clear()
        self.parsed = 0


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    taken = Ways()
    begin, take = Shortcut.begin, server._Connection._take

    def watched_begin(self: Shortcut, *request: Any) -> None:
        taken.append(True)
        begin(self, *request)

    def watched_take(self: server._Connection, *request: Any) -> bool:
        taken.parsed += 1
        if not (is_taken := take(self, *request)):
            taken.append(False)
        return is_taken

    monkeypatch.setattr(Shortcut, "begin", watched_begin)
    monkeypatch.setattr(server._Connection, "_take", watched_take)
    return taken


async def begun(ways: list[bool], count: int) -> None:
    async def taken() -> list[bool]:
        return ways

    await until(taken, [True] * count)


def spell(
    method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = JSON, version: str = "1.1"
) -> bytes:
    head = {"Host": "playhead", **headers} | ({"Content-Length": str(len(body))} if method == "POST" else {})
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"{method} {path} HTTP/{version}\r\n{lines}\r\n".encode() + body


def event(**changed: object) -> bytes:
    return orjson.dumps({"user": "USER", "slug": "dune", "at": 4500, "ts": AT} | changed)


def post(
    body: bytes | None = None, headers: Mapping[str, str] | None = None, path: str = "/v1/events"
) -> bytes:
    return spell("POST", path, event() if body is None else body, {**JSON, **(headers or {})})


def get(path: str, headers: Mapping[str, str] | None = None) -> bytes:
    return spell("GET", path, headers=headers or {})


def dateless(answer: bytes) -> bytes:
    return re.sub(rb"Date: [^\r]+\r\n", b"", answer)


async def both_ways(api: Api, request: bytes) -> tuple[bytes, bytes]:
    """The answers, without what must differ. aiohttp's own way is that of a request which is a connection's last.

    What comes again on the connection, with a head that is known by then, is answered as at first.
    """
    last = request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    async with connected(api) as line:
        await line.send(request.replace(b"USER", b"ann1"))
        short = dateless(await line.answer()).replace(b"ann1", b"USER")
        await line.send(request.replace(b"USER", b"cat1"))
        again = dateless(await line.answer()).replace(b"cat1", b"USER")
        await line.send(last.replace(b"USER", b"bob1"))
        own = dateless(await line.rest()).replace(b"bob1", b"USER")
    assert again == short
    return short, own.replace(b"Connection: close\r\n", b"")


SHORT = {
    "an event": post(),
    "at /events": post(path="/events"),
    "at /": post(path="/"),
    "a beacon": post(event(kind="pause"), {"Content-Type": "text/plain;charset=UTF-8"}),
    "no content type": spell("POST", "/v1/events", event(), {}),
    "a span": post(event(kind="segment", **{"from": 4490.5}, speed=1.25)),
    "a claim": post(event(kind="claim", segments=[[0, 12.5], [10, 20]], session="s")),
    "only opened": post(event(kind="load", at=0, duration=7200)),
    "any names": post(event(slug="Düne: Part Two/😀")),
    "with an id": post(event(id="USER-1", session="s", seq=3)),
    "many": post(b"[" + event() + b"," + event(at=4510) + b"]"),
    "a wrong one among many": post(b"[" + event(at=-1) + b"," + event(at=4510) + b"]"),
    "none": post(b"[]"),
    "a field missing": post(b'{"user":"USER","slug":"dune"}'),
    "an unknown field": post(event(volume=11)),
    "a wrong user": post(event(user="", at="here")),
    "a misplaced field": post(event(**{"from": 3})),
    "nothing": post(b""),
    "no JSON": post(b'{"user":"USER",'),
    "no object": post(b"4500"),
    "a byte order mark": post(b"\xef\xbb\xbf" + event()),
    "a movie": get("/v1/movies/arrival"),
    "a user": get("/v1/users/USER0"),
    "a pair": get("/v1/users/USER0/movies/arrival"),
    "no movie": get("/v1/movies/none"),
    "no user": get("/v1/users/nobody"),
    "no pair": get("/v1/users/USER0/movies/none"),
    "odd letters": get("/v1/movies/a-b_c.d~e"),
}
OTHERS = {
    "lines": post(event() + b"\n" + event(at=-1), {"Content-Type": "application/x-ndjson"}),
    "lines by parameter": post(event(), {"Content-Type": "application/ndjson; charset=utf-8"}),
    "gzip": post(gzip.compress(event(), mtime=0), {"Content-Encoding": "gzip"}),
    "an unknown encoding": post(headers={"Content-Encoding": "br"}),
    "a query": post(path="/v1/events?key=none"),
    "another method": spell("DELETE", "/v1/events"),
    "another path": get("/v1/nothing"),
    "an escaped name": get("/v1/movies/a%20b"),
    "a slug with a slash": get("/v1/movies/a/b"),
    "a dot": get("/v1/movies/.."),
    "a page of movies": get("/v1/users/USER0/movies?limit=1"),
    "alive": get("/healthz"),
}


@pytest.fixture
async def watched(api: Api, ways: list[bool]) -> Api:
    """Three users have seen the same."""
    for user in ("ann10", "bob10", "cat10"):
        for at in (10, 20):
            await api.post({"user": user, "slug": "arrival", "at": at, "ts": AT})
    await api.post({"user": "carl", "slug": "a-b_c.d~e", "at": 10})
    ways.clear()
    return api


@pytest.mark.parametrize("request_", SHORT.values(), ids=SHORT)
async def test_both_ways_answer_the_same(watched: Api, ways: Ways, request_: bytes) -> None:
    short, own = await both_ways(watched, request_)
    assert short == own
    assert ways == [True, True, False]
    assert ways.parsed == 2, "the head was known when it came again"


READS = ("/v1/movies/arrival", "/v1/movies/nothing", "/v1/users/bob10", "/v1/users/cat10/movies/arrival")


@pytest.mark.parametrize("first", READS)
async def test_reads_whose_heads_differ_in_their_first_line_are_parsed_once(
    watched: Api, ways: Ways, first: str
) -> None:
    """Those of the same headers, be it on another connection."""
    async with connected(watched) as line:
        await line.send(get(first))
        await line.answer()
    assert ways.parsed == 1
    for path in READS:
        async with connected(watched) as line, connected(watched) as other:
            await line.send(get(path))
            await other.send(get(path, {"X-Other": path}))
            assert dateless(await line.answer()) == dateless(await other.answer())
    assert ways.parsed == 1 + len(READS), "of those with other headers each once"
    assert False not in ways


LINES_OF_NO_READ = (
    *("GET /v1/users/ann10 HTTP/1.0", "GET /v1/users/ann10 HTTP/1.2", "GET /v1/users/ann10"),
    *("GET  /v1/users/ann10 HTTP/1.1", "GET /v1/users/ann10 HTTP/1.1 ", "GET /v1/users/ann10  HTTP/1.1"),
    *("get /v1/users/ann10 HTTP/1.1", "PUT /v1/users/ann10 HTTP/1.1", "POST /v1/users/ann10 HTTP/1.1"),
    *("GET /v1/users/ann10?x=1 HTTP/1.1", "GET /v1/users/ann10/ HTTP/1.1", "GET /v1/users/ HTTP/1.1"),
    *("GET /v1/users/%61nn10 HTTP/1.1", "GET /v1/users/\xe4nn HTTP/1.1", "GET /v1/users/a\0nn HTTP/1.1"),
    *("GET http://playhead/v1/users/ann10 HTTP/1.1", "GET /healthz HTTP/1.1", "GET /v1/users/.. HTTP/1.1"),
    *("GET /v1/users/ann10\nX: HTTP/1.1", f"GET /v1/users/{'a' * 20_000} HTTP/1.1", "GET ", ""),
)


@pytest.mark.parametrize("line_of_head", LINES_OF_NO_READ, ids=lambda line: line[:40])
async def test_a_first_line_of_no_read_is_read_by_aiohttp_before_headers_that_are_known(
    watched: Api, ways: Ways, line_of_head: str
) -> None:
    def request_with(headers: Mapping[str, str]) -> bytes:
        return (
            line_of_head.encode("latin-1") + b"\r\n" + get("/v1/users/ann10", headers).partition(b"\r\n")[2]
        )

    async with connected(watched) as line:
        await line.send(get("/v1/users/ann10"))
        await line.answer()
    ways.clear()
    async with connected(watched) as known, connected(watched) as unknown:
        await known.send(request_with({}))
        await unknown.send(request_with({"X-Other": "1"}))
        assert dateless(await known.answer()) == dateless(await unknown.answer())
    assert ways.parsed in (0, 2), "aiohttp reads both, or refuses both"


@pytest.mark.parametrize("request_", OTHERS.values(), ids=OTHERS)
async def test_what_is_special_goes_aiohttp_s_way(watched: Api, ways: list[bool], request_: bytes) -> None:
    first, second = await both_ways(watched, request_)
    assert first == second
    assert ways == [False, False, False]


async def test_a_repeated_event_is_a_duplicate_on_both_ways(api: Api, ways: list[bool]) -> None:
    request = post(event(session="s", seq=1))
    counted = await both_ways(api, request)
    repeated = await both_ways(api, request)
    assert counted[0] == counted[1]
    assert repeated[0] == repeated[1]
    assert b'{"accepted":0,"duplicates":1,' in repeated[0]
    assert ways == [True, True, False] * 2


async def test_old_http_and_expectations_go_aiohttp_s_way(api: Api, ways: list[bool]) -> None:
    async with connected(api) as line:
        await line.send(post(headers={"Expect": "100-continue"}))
        assert (await line.answer()).startswith(b"HTTP/1.1 100 ")
        assert await line.status() == 200
        await line.send(spell("POST", "/v1/events", event(), version="1.0"))
        assert (await line.rest()).startswith(b"HTTP/1.0 200 ")
    assert ways == [False, False]


KEYED = {
    "none": ({}, False),
    "the key": ({"Authorization": f"Bearer {TOKENS[Scope.INGEST]}"}, True),
    "the key, another way": ({"X-Api-Key": f" {TOKENS[Scope.INGEST]} "}, True),
    "the key of all": ({"X-Api-Key": TOKENS[Scope.ADMIN]}, True),
    "another key": ({"Authorization": f"Bearer {TOKENS[Scope.READ]}"}, False),
    "no key": ({"Authorization": "Bearer none"}, False),
    "a key with a limit": ({"X-Api-Key": LIMITED}, False),
}


@pytest.mark.parametrize(("headers", "is_short"), KEYED.values(), ids=KEYED)
async def test_the_short_way_is_for_keys_without_a_limit(
    serve: Serve, ways: list[bool], headers: dict[str, str], is_short: bool
) -> None:
    limited = line_of("limited", LIMITED, Scope.INGEST, Scope.READ, events=1000)
    api = await serve(Settings(keys=f"{LINES};{limited}", shutdown_seconds=1))
    short, own = await both_ways(api, post(headers=headers))
    assert short == own
    assert ways == [is_short, is_short, False]
    assert (b" 200 OK" in short) == (is_short or LIMITED in headers.values())


async def test_a_key_that_may_not_read_reads_nothing(serve: Serve, ways: list[bool]) -> None:
    api = await serve(Settings(keys=LINES, shutdown_seconds=1))
    for scope, status in ((Scope.INGEST, 403), (Scope.READ, 404)):
        short, own = await both_ways(api, get("/v1/movies/dune", {"X-Api-Key": TOKENS[scope]}))
        assert short == own
        assert short.startswith(f"HTTP/1.1 {status} ".encode())
    assert ways == [False, False, False, True, True, False]


@pytest.mark.parametrize("origins", ["*", "https://watch.example"])
@pytest.mark.parametrize("origin", ["https://watch.example", "https://evil.example", None])
async def test_pages_of_other_origins_are_told_the_same(
    serve: Serve, ways: list[bool], origins: str, origin: str | None
) -> None:
    api = await serve(Settings(cors_origins=origins, shutdown_seconds=1))
    headers = {"Origin": origin} if origin else {}
    for request in (post(headers=headers), post(b"{}", headers), get("/v1/movies/none", headers)):
        short, own = await both_ways(api, request)
        assert short == own
    assert ways == [True, True, False] * 3


def together(requests: list[bytes]) -> list[bytes]:
    return [b"".join(requests)]


def each(requests: list[bytes]) -> list[bytes]:
    return requests


def cut_within(requests: list[bytes]) -> list[bytes]:
    """The end of one with the beginning of the next."""
    sizes = [len(request) // 2 for request in requests]
    ends = [request[size:] for request, size in zip(requests, sizes, strict=True)]
    beginnings = [request[:size] for request, size in zip(requests[1:], sizes[1:], strict=True)]
    return [
        requests[0][: sizes[0]],
        *(end + next_ for end, next_ in zip(ends, [*beginnings, b""], strict=True)),
    ]


def in_crumbs(requests: list[bytes]) -> list[bytes]:
    sent = b"".join(requests)
    return [sent[start : start + 7] for start in range(0, len(sent), 7)]


@pytest.mark.parametrize("pieces", [together, each, cut_within, in_crumbs])
async def test_answers_come_in_the_order_of_their_requests(
    api: Api, ways: list[bool], pieces: Callable[[list[bytes]], list[bytes]]
) -> None:
    positions = list(range(0, 200, 10))
    read = get("/v1/users/ann/movies/dune")
    requests = [request for at in positions for request in (post(event(user="ann", at=at)), read)]
    async with connected(api) as line:
        answering = asyncio.create_task(answers_of(line, len(requests)))
        for piece in pieces(requests):
            await line.send(piece)
            await asyncio.sleep(0.0005)  # the next one comes while the last one is under way
        answers = await answering
    assert [answer["accepted"] for answer in answers[::2]] == [1] * len(positions)
    assert [answer["latest"]["at"] for answer in answers[1::2]] == positions
    assert (True in ways) == (pieces is not together)


async def test_what_needs_no_waiting_waits_for_what_came_before_it(
    serve: Serve, valkey: OwnValkey, ways: list[bool]
) -> None:
    api = await serve(Settings(shutdown_seconds=1), valkey.url)
    async with connected(api) as line:
        valkey.freeze()
        await line.send(post())
        await begun(ways, 1)
        await line.send(get("/healthz"))
        await asyncio.sleep(0.1)
        valkey.thaw()
        assert b'"accepted":1' in await line.answer()
        assert b'"accepted"' not in await line.answer()


async def answers_of(line: Line, count: int) -> list[dict[str, Any]]:
    return [orjson.loads((await line.answer()).partition(b"\r\n\r\n")[2]) for _ in range(count)]


async def test_a_head_that_does_not_end_is_cut_behind_an_answer_and_not_before(serve: Serve) -> None:
    api = await serve(Settings(head_timeout_seconds=0.3, shutdown_seconds=1))
    request = post()
    async with connected(api) as line, connected(api) as idle:
        await idle.send(request[:30])
        await asyncio.sleep(0.05)
        await idle.send(request[30:])
        assert await idle.status() == 200
        await line.send(request)
        assert await line.status() == 200
        await line.send(request[:30])
        assert b"408" in await line.rest()
        await idle.send(request)
        assert await idle.status() == 200, "its own head was whole in time"


@pytest.mark.parametrize("missing", [1, 2, 3, 4, 10])
async def test_a_known_head_without_its_end_is_not_answered_yet(
    watched: Api, ways: list[bool], missing: int
) -> None:
    request = get("/v1/movies/arrival")
    async with connected(watched) as line, connected(watched) as other:
        for _ in range(2):
            await line.send(request)
            assert await line.status() == 200
        ways.clear()
        await other.send(request[:-missing])
        await asyncio.sleep(0.05)
        assert ways == []
        await other.send(request[-missing:])
        assert await other.status() == 200


async def test_whoever_waits_for_an_answer_is_not_idle(
    serve: Serve, valkey: OwnValkey, monkeypatch: pytest.MonkeyPatch, ways: list[bool]
) -> None:
    monkeypatch.setattr(server, "KEEPALIVE_SECONDS", 0.4)
    api = await serve(Settings(shutdown_seconds=1), valkey.url)
    async with connected(api) as line:
        valkey.freeze()
        await line.send(post())
        await asyncio.sleep(1)  # longer than anybody may be idle
        valkey.thaw()
        assert await line.status() == 200
        assert await line.rest() == b"", "now it was idle, and is let go"
    assert ways == [True]


async def test_what_redis_does_not_take_is_503_as_ever(
    serve: Serve, valkey: OwnValkey, ways: list[bool]
) -> None:
    api = await serve(Settings(shutdown_seconds=1, redis_timeout_seconds=0.3), valkey.url)
    valkey.freeze()
    short, own = await both_ways(api, post())
    assert short == own
    assert b" 503 " in short
    assert b"Retry-After: " in short
    assert ways == [True, True, False]


async def test_a_full_queue_is_503_on_both_ways(serve: Serve, valkey: OwnValkey, ways: list[bool]) -> None:
    api = await serve(Settings(shutdown_seconds=1, queue_events_max=1), valkey.url)
    async with connected(api) as waiting, connected(api) as line:
        valkey.freeze()
        await waiting.send(post(event(user="first")))
        await begun(ways, 1)
        await line.send(post(event(user="second")))
        assert b"events wait already (PLAYHEAD_QUEUE_EVENTS_MAX)" in await line.answer()
        valkey.thaw()
        assert await waiting.status() == 200
    assert ways == [True, True]


@asynccontextmanager
async def until_stopped(url: str) -> AsyncIterator[tuple[Api, asyncio.Event, asyncio.Task[None]]]:
    """Serves until the event is set; the task ends when playhead has stopped."""
    started: asyncio.Future[Api] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()

    async def serve_until_stopped() -> None:
        async with serving(Settings(shutdown_seconds=5), url) as api:
            started.set_result(api)
            await stop.wait()

    stopping = asyncio.create_task(serve_until_stopped())
    yield await started, stop, stopping
    await stopping


async def test_a_request_that_is_under_way_is_answered_before_playhead_stops(
    valkey: OwnValkey, ways: list[bool]
) -> None:
    async with until_stopped(valkey.url) as (api, stop, stopping), connected(api) as line:
        valkey.freeze()
        await line.send(post())
        await begun(ways, 1)
        stop.set()
        await asyncio.sleep(
            server.LEAVE_SECONDS + 0.3
        )  # nobody is waited for any more but who is owed an answer
        assert not stopping.done()
        valkey.thaw()
        assert await line.status() == 200
        assert await line.rest() == b""


async def test_who_asks_while_playhead_stops_is_told_to_leave(valkey: OwnValkey, ways: list[bool]) -> None:
    async with until_stopped(valkey.url) as (api, stop, _), connected(api) as line:
        await line.send(post())
        assert await line.status() == 200
        stop.set()
        await asyncio.sleep(server.LEAVE_SECONDS_MIN / 2)
        await line.send(post())
        assert b"Connection: close" in await line.rest()
    assert ways == [True, False]


async def test_who_hangs_up_harms_nobody(serve: Serve, valkey: OwnValkey, ways: list[bool]) -> None:
    api = await serve(Settings(shutdown_seconds=1), valkey.url)
    async with connected(api) as gone, connected(api) as line:
        valkey.freeze()
        await gone.send(post(event(user="gone")))
        await line.send(post(event(user="there")))
        await begun(ways, 2)
        gone.hang_up()
        await asyncio.sleep(0.05)
        valkey.thaw()
        assert await line.status() == 200
    assert (await api.user("gone")).status == 200, "what came is counted"


async def test_who_hangs_up_counts_as_a_connection_until_answered(
    serve: Serve, valkey: OwnValkey, ways: list[bool]
) -> None:
    """Else what is under way would have no bound while Redis is slow."""
    api = await serve(Settings(shutdown_seconds=1, connections_max=5), valkey.url)
    valkey.freeze()
    for number in range(20):
        async with connected(api) as gone:
            with suppress(ConnectionError):
                await gone.send(get("/v1/users/USER") if number % 2 else post())
                await asyncio.sleep(0.01)
            gone.hang_up()
        await asyncio.sleep(0.005)
    assert 1 <= len(ways) <= 5
    valkey.thaw()

    async def status() -> int:
        async with connected(api) as line:
            await line.send(get("/v1/users/USER"))
            return await line.status()

    await until(status, 200)


@pytest.mark.parametrize("failure", [RuntimeError, ConnectionResetError])
async def test_what_nobody_foresaw_is_a_500_on_both_ways(
    api: Api, ways: list[bool], monkeypatch: pytest.MonkeyPatch, failure: type[Exception]
) -> None:
    """A connection that failed and is not the client's is no reason to leave the client without an answer."""

    def fail(*_: object) -> None:
        raise failure("nobody foresaw this")

    monkeypatch.setattr(Writer, "begin_one", fail)
    short, own = await both_ways(api, post())
    assert short == own
    assert short.startswith(b"HTTP/1.1 500 ")
    assert ways == [True, True, False]
