"""The short way of the commonest requests: small bodies of events, and reads of counters.

aiohttp's own way of a request (an object for it, a task, a router, an object for the answer and one for its headers)
takes longer than all that playhead does for it. So what aiohttp's parser made of a request is looked at here first, and
where nothing about it is special, it is answered from here, in the same bytes, by the same code. Everything else goes
aiohttp's way. Tests hold both ways against each other (`tests/api/test_shortcut.py`).
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Protocol

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
    from collections.abc import Awaitable, Coroutine

    from aiohttp.http import RawRequestMessage
    from aiohttp.streams import StreamReader

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


class Shortcut:
    """Of one process, whose application has started."""

    def __init__(self, app: web.Application) -> None:
        self._writer, self._reader, self._gate = app[WRITER], app[READER], app.get(GATE)
        self._origins = app[SETTINGS].origins
        self._answering: set[asyncio.Task[None]] = set()

    def begin(self, message: RawRequestMessage, body: StreamReader, asking: Asking) -> bool:
        """Whether a request goes this way, and will be answered. If not, it is as it came."""
        if (
            message.version != HttpVersion11
            or message.should_close
            or message.upgrade
            or not body.is_eof()
            or "Expect" in message.headers
        ):
            return False
        if message.method == "GET":
            return self._begin_read(message, asking)
        if message.method == "POST" and message.path in EVENT_PATHS:
            return self._begin_events(message, body, asking)
        return False

    def _begin_events(self, message: RawRequestMessage, body: StreamReader, asking: Asking) -> bool:
        headers = message.headers
        if headers.get("Content-Type") not in JSON_TYPES or "Content-Encoding" in headers:
            return False
        if not self._may(message, Scope.INGEST):
            return False
        content = body.read_nowait()
        request = self._request(message, asking)
        event = decode_event(content, clock.now_us())
        if event is None:  # several, or something is wrong with it
            self._answer_later(request, post_body(content, self._writer))
            return True
        try:
            self._writer.begin_one(event, _Counting(self, request, event))
        except Exception as failure:
            request.fail(failure)
        return True

    def count_absent(self, request: _Request, event: Event) -> None:
        """Answer the request once its event is counted, whose user must be brought in first."""

        async def counted() -> bytes:
            return outcome_of_one(event, *await self._writer.bring_in_one(event))

        self._answer_later(request, counted())

    def _begin_read(self, message: RawRequestMessage, asking: Asking) -> bool:
        named = _READ.fullmatch(message.path)
        if named is None or not self._may(message, Scope.READ):
            return False
        movie, user, slug = named.groups()
        if movie:
            reading = read_movie(self._reader, movie)
        elif slug:
            reading = read_pair(self._reader, user, slug)
        else:
            reading = read_user(self._reader, user)
        self._answer_later(self._request(message, asking), reading)
        return True

    def _may(self, message: RawRequestMessage, scope: Scope) -> bool:
        return self._gate is None or self._gate.lets_pass(message.headers, scope)

    def _request(self, message: RawRequestMessage, asking: Asking) -> _Request:
        shared = ""
        if self._origins:
            headers = shared_headers(self._origins, message.headers.get("Origin"))
            shared = "".join(f"{name}: {value}\r\n" for name, value in headers)
        return _Request(message, asking, shared)

    def _answer_later(self, request: _Request, making: Coroutine[None, None, bytes | web.Response]) -> None:
        task = asyncio.create_task(request.answer_with(making))
        self._answering.add(task)  # asyncio itself does not hold what it runs
        task.add_done_callback(self._answering.discard)


class _Request:
    """One that was begun. `shared` are headers: whether pages of other origins may read its answer."""

    __slots__ = ("_asking", "_message", "_shared")

    def __init__(self, message: RawRequestMessage, asking: Asking, shared: str) -> None:
        self._message, self._asking, self._shared = message, asking, shared

    def answer(
        self,
        body: bytes,
        status: str = "200 OK",
        headers: str = "Content-Type: application/json\r\n",
    ) -> None:
        """As aiohttp spells it."""
        head = (
            f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n"
            f"Date: {rfc822_formatted_time()}\r\n{_FIXED}{self._shared}\r\n"
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
        self._send(answer_to(failure, self._message.method, self._message.path))

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
