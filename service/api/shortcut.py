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
from service.errors import QueueFull
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
        return (
            message.method == "POST"
            and message.path in EVENT_PATHS
            and self._begin_events(message, body, asking)
        )

    def _begin_events(self, message: RawRequestMessage, body: StreamReader, asking: Asking) -> bool:
        headers = message.headers
        if headers.get("Content-Type") not in JSON_TYPES or "Content-Encoding" in headers:
            return False
        if not self._may(message, Scope.INGEST):
            return False
        content = body.read_nowait()
        event = decode_event(content, clock.now_us())
        if event is None:  # several, or something is wrong with it
            self._answer_soon(message, asking, post_body(content, self._writer))
            return True
        try:
            self._writer.begin_one(event, _Counting(self, message, asking, event))
        except QueueFull as full:
            asking.answer(self._problem(message, full))
        return True

    def counted(self, message: RawRequestMessage, asking: Asking, event: Event, outcomes: Outcomes) -> None:
        """Answer what posted one event."""
        try:
            counted = read_one(outcomes)
            if counted is None:
                self._answer_soon(message, asking, self._count(event))
            else:
                asking.answer(self._spell(message, outcome_of_one(event, *counted)))
        except Exception as failure:
            self.failed(message, asking, failure)

    def failed(self, message: RawRequestMessage, asking: Asking, failure: Exception) -> None:
        asking.answer(self._problem(message, failure))

    async def _count(self, event: Event) -> bytes:
        """Of a user who must be brought in first."""
        return outcome_of_one(event, *await self._writer.apply_one(event))

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
        self._answer_soon(message, asking, reading)
        return True

    def _may(self, message: RawRequestMessage, scope: Scope) -> bool:
        return self._gate is None or self._gate.lets_pass(message.headers, scope)

    def _answer_soon(
        self, message: RawRequestMessage, asking: Asking, making: Coroutine[None, None, bytes | web.Response]
    ) -> None:
        task = asyncio.create_task(self._answer(message, asking, making))
        self._answering.add(task)  # asyncio itself does not hold what it runs
        task.add_done_callback(self._answering.discard)

    async def _answer(
        self, message: RawRequestMessage, asking: Asking, making: Awaitable[bytes | web.Response]
    ) -> None:
        try:
            made = await making
            spelled = (
                self._spell(message, made) if isinstance(made, bytes) else self._spell_answer(message, made)
            )
        except Exception as failure:
            spelled = self._problem(message, failure)
        asking.answer(spelled)

    def _problem(self, message: RawRequestMessage, failure: Exception) -> bytes:
        return self._spell_answer(message, answer_to(failure, message.method, message.path))

    def _spell_answer(self, message: RawRequestMessage, answer: web.Response) -> bytes:
        headers = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        assert isinstance(answer.body, bytes)
        return self._spell(message, answer.body, f"{answer.status} {answer.reason}", headers)

    def _spell(
        self,
        message: RawRequestMessage,
        body: bytes,
        status: str = "200 OK",
        headers: str = "Content-Type: application/json\r\n",
    ) -> bytes:
        """As aiohttp spells it."""
        shared = self._shared(message.headers.get("Origin")) if self._origins else ""
        return (
            f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n"
            f"Date: {rfc822_formatted_time()}\r\n{_FIXED}{shared}\r\n"
        ).encode() + body

    def _shared(self, origin: str | None) -> str:
        return "".join(f"{name}: {value}\r\n" for name, value in shared_headers(self._origins, origin))


class _Counting:
    """An event that is being counted: answered as soon as it is, without a future, a task or a turn of the loop."""

    __slots__ = ("_asking", "_event", "_is_done", "_message", "_shortcut")

    def __init__(self, shortcut: Shortcut, message: RawRequestMessage, asking: Asking, event: Event) -> None:
        self._shortcut, self._message, self._asking, self._event = shortcut, message, asking, event
        self._is_done = False

    def done(self) -> bool:
        return self._is_done

    def set_result(self, outcomes: Outcomes) -> None:
        self._is_done = True
        self._shortcut.counted(self._message, self._asking, self._event, outcomes)

    def set_exception(self, failed: Exception) -> None:
        self._is_done = True
        self._shortcut.failed(self._message, self._asking, failed)
