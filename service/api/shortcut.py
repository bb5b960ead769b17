"""The short way of the commonest requests: small bodies of events, and reads of counters.

aiohttp's own way of a request (an object for it, a task, a router, an object for the answer and one for its headers)
takes longer than all that playhead does for it. So what aiohttp's parser made of a request is looked at here first, and
where nothing about it is special, it is answered from here, in the same bytes, by the same code. Everything else goes
aiohttp's way. Tests hold both ways against each other (`tests/api/test_shortcut.py`).
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

from aiohttp import HttpVersion11, web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE

from service import clock
from service.access.keyring import Scope
from service.api.context import GATE, READER, SETTINGS, WRITER
from service.api.headers import NO_SNIFFING, shared_headers
from service.api.ingest import outcome_of_one, post_body
from service.api.problems import answer_to
from service.api.reads import read_movie, read_pair, read_user
from service.counters.writer import read_one
from service.events.decode import decode_event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Mapping

    from aiohttp.http import RawRequestMessage

    from service.counters.calls import Outcomes
    from service.events.event import Event

EVENT_PATHS = frozenset(("/v1/events", "/events", "/"))
JSON_TYPES = frozenset(
    (None, "application/json", "application/json; charset=utf-8", "text/plain;charset=UTF-8")
)
"""What a body of JSON is called, as most clients spell it; what others mean is found out the other way."""

_NAME = r"([A-Za-z0-9_~-][A-Za-z0-9_.~-]*)"
_READ = re.compile(rf"/v1/(?:movies/{_NAME}|users/{_NAME}(?:/movies/{_NAME})?)")
"""Names of characters that stand for themselves in a path."""

_FIXED = f"Server: {SERVER_SOFTWARE}\r\n{': '.join(NO_SNIFFING)}\r\n"


class Asking(Protocol):
    """Whoever sent a request that was begun. It is answered once, whenever that is."""

    def answer(self, spelled: bytes) -> None: ...


class Read(NamedTuple):
    """What is to be read: a movie, or a user, or a user's movie."""

    movie: str | None
    user: str | None
    slug: str | None


class Way(NamedTuple):
    """What the head of a request asks for, where nothing about it is special: to count, or to `read` something."""

    method: str
    path: str
    headers: Mapping[str, str]
    scope: Scope
    shared: str
    """Headers of the answer: whether pages of other origins may read it."""
    read: Read | None = None

    @property
    def is_common(self) -> bool:
        """Whether others will ask for the same: a user's name is in the path of those that nobody else sends."""
        return self.read is None or self.read.movie is not None


class Shortcut:
    """Of one process, whose application has started."""

    def __init__(self, app: web.Application) -> None:
        self._writer, self._reader, self._gate = app[WRITER], app[READER], app.get(GATE)
        self._origins = app[SETTINGS].origins
        self._answering: set[asyncio.Task[None]] = set()

    def way_of(self, message: RawRequestMessage) -> Way | None:
        """What a head asks for; None where it must go aiohttp's way."""
        headers = message.headers
        if message.version != HttpVersion11 or message.should_close or message.upgrade or "Expect" in headers:
            return None
        if message.method == "GET":
            named = _READ.fullmatch(message.path)
            if named is None:
                return None
            read = Read(*named.groups())
            return Way(message.method, message.path, headers, Scope.READ, self._shared(headers), read)
        if (
            message.method != "POST"
            or message.path not in EVENT_PATHS
            or headers.get("Content-Type") not in JSON_TYPES
            or "Content-Encoding" in headers
        ):
            return None
        return Way(message.method, message.path, headers, Scope.INGEST, self._shared(headers))

    def may(self, way: Way) -> bool:
        """Whether who asks may do so as often as they like. Others go aiohttp's way, and are told there."""
        return self._gate is None or self._gate.lets_pass(way.headers, way.scope)

    def begin(self, way: Way, body: bytes, asking: Asking) -> None:
        """Begin what is asked for, which will be answered."""
        request = _Request(way, asking)
        if way.read is not None:
            self._answer_later(request, self._reading(way.read))
            return
        event = decode_event(body, clock.now_us())
        if event is None:  # several, or something is wrong with it
            self._answer_later(request, post_body(body, self._writer))
            return
        try:
            self._writer.begin_one(event, _Counting(self, request, event))
        except Exception as failure:
            request.fail(failure)

    def count_absent(self, request: _Request, event: Event) -> None:
        """Answer the request once its event is counted, whose user must be brought in first."""

        async def counted() -> bytes:
            return outcome_of_one(event, *await self._writer.bring_in_one(event))

        self._answer_later(request, counted())

    def _reading(self, read: Read) -> Coroutine[None, None, bytes]:
        if read.movie:
            return read_movie(self._reader, read.movie)
        assert read.user
        return (
            read_pair(self._reader, read.user, read.slug) if read.slug else read_user(self._reader, read.user)
        )

    def _shared(self, headers: Mapping[str, str]) -> str:
        shared = shared_headers(self._origins, headers.get("Origin")) if self._origins else ()
        return "".join(f"{name}: {value}\r\n" for name, value in shared)

    def _answer_later(self, request: _Request, making: Coroutine[None, None, bytes | web.Response]) -> None:
        task = asyncio.create_task(request.answer_with(making))
        self._answering.add(task)  # asyncio itself does not hold what it runs
        task.add_done_callback(self._answering.discard)


class _Request:
    """One that was begun."""

    __slots__ = ("_asking", "_way")

    def __init__(self, way: Way, asking: Asking) -> None:
        self._way, self._asking = way, asking

    def answer(
        self,
        body: bytes,
        status: str = "200 OK",
        headers: str = "Content-Type: application/json\r\n",
    ) -> None:
        """As aiohttp spells it."""
        head = (
            f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n"
            f"Date: {rfc822_formatted_time()}\r\n{_FIXED}{self._way.shared}\r\n"
        )
        self._asking.answer(head.encode() + body)

    async def answer_with(self, making: Awaitable[bytes | web.Response]) -> None:
        """With a document of success, or with any answer at all."""
        try:
            made = await making
        except Exception as failure:
            self.fail(failure)
        else:
            if isinstance(made, bytes):
                self.answer(made)
            else:
                self._send(made)

    def fail(self, failure: Exception) -> None:
        self._send(answer_to(failure, self._way.method, self._way.path))

    def _send(self, answer: web.Response) -> None:
        headers = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        assert isinstance(answer.body, bytes)
        self.answer(answer.body, f"{answer.status} {answer.reason}", headers)


class _Counting:
    """An event that is being counted: answered as soon as it is, without a future, a task or a turn of the loop."""

    __slots__ = ("_event", "_is_done", "_request", "_shortcut")

    def __init__(self, shortcut: Shortcut, request: _Request, event: Event) -> None:
        self._shortcut, self._request, self._event = shortcut, request, event
        self._is_done = False

    def done(self) -> bool:
        return self._is_done

    def set_result(self, outcomes: Outcomes) -> None:
        self._is_done = True
        try:
            counted = read_one(outcomes)
            if counted is None:
                self._shortcut.count_absent(self._request, self._event)
                return
            document = outcome_of_one(self._event, *counted)
        except Exception as failure:  # others of the same call are still to be told
            self._request.fail(failure)
        else:
            self._request.answer(document)

    def set_exception(self, failed: Exception) -> None:
        self._is_done = True
        self._request.fail(failed)
