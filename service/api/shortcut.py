"""The short way of the commonest requests: small bodies of events, and reads of counters.

aiohttp's own way of a request (an object for it, a task, a router, an object for the answer and one for its headers)
takes longer than all that playhead does for it. So what aiohttp's parser made of a request is looked at here first, and
where nothing about it is special, it is answered from here, in the same bytes, by the same code. Everything else goes
aiohttp's way. Tests hold both ways against each other (`tests/api/test_shortcut.py`).
"""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from aiohttp import HttpVersion11, web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE

from service import clock
from service.access.keyring import Scope
from service.api.context import GATE, READER, SETTINGS, WRITER
from service.api.headers import NO_SNIFFING, shared_headers
from service.api.ingest import outcome_of_one, post_body
from service.api.problems import answer_to
from service.api.reads import movie_document, pair_document, user_document
from service.counters.writer import read_one
from service.events.decode import decode_event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping

    from aiohttp.http import RawRequestMessage

    from service.counters.calls import Outcomes
    from service.events.event import Event

    Fetched = list[bytes | None]
    Making = Coroutine[None, None, bytes]

EVENT_PATHS = frozenset(("/v1/events", "/events", "/"))
JSON_TYPES = frozenset(
    (None, "application/json", "application/json; charset=utf-8", "text/plain;charset=UTF-8")
)
"""What a body of JSON is called, as most clients spell it; what others mean is found out the other way."""

_NAME = r"([A-Za-z0-9_~-][A-Za-z0-9_.~-]*)"
_READ = re.compile(rf"/v1/(?:movies/{_NAME}|users/{_NAME}(?:/movies/{_NAME})?)")
"""Names of characters that stand for themselves in a path."""

_READ_LINE = re.compile(rf"GET ({_READ.pattern}) HTTP/1\.1")

_ALWAYS = (("Server", SERVER_SOFTWARE), NO_SNIFFING)


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
    ending: bytes
    """How the head of the answer ends: with who answers, and whether pages of other origins may read it."""
    read: Read | None = None

    def for_line(self, line: bytes) -> Way | None:
        """What a head asks for that is this one's but for its first line; None where that one is for no such read."""
        named = _READ_LINE.fullmatch(line.decode("latin-1"))
        if named is None:
            return None
        path, *names = named.groups()
        return Way(self.method, path, self.headers, self.scope, self.ending, Read(*names))


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
            return Way(message.method, message.path, headers, Scope.READ, self._ending(headers), read)
        if (
            message.method != "POST"
            or message.path not in EVENT_PATHS
            or headers.get("Content-Type") not in JSON_TYPES
            or "Content-Encoding" in headers
        ):
            return None
        return Way(message.method, message.path, headers, Scope.INGEST, self._ending(headers))

    def may(self, way: Way) -> bool:
        """Whether who asks may do so as often as they like. Others go aiohttp's way, and are told there."""
        return self._gate is None or self._gate.lets_pass(way.headers, way.scope)

    def begin(self, way: Way, body: bytes, asking: Asking) -> None:
        """Begin what is asked for, which will be answered."""
        request = _Request(self, way, asking)
        try:
            if way.read is not None:
                self._begin_read(request, *way.read)
            elif event := decode_event(body, clock.now_us()):
                self._writer.begin_one(event, request.waiting(partial(self._counted, event)))
            else:  # several, or something is wrong with it
                self.answer_later(request, post_body(body, self._writer))
        except Exception as failure:
            request.fail(failure)

    def _begin_read(self, request: _Request, movie: str | None, user: str | None, slug: str | None) -> None:
        if movie:
            self._reader.begin_movie(movie, request.waiting(partial(self._movie, movie)))
            return
        assert user
        if slug:
            self._reader.begin_pair(user, slug, request.waiting(partial(self._pair, user, slug)))
        else:
            self._reader.begin_user(user, request.waiting(partial(self._user, user)))

    def _counted(self, event: Event, told: Outcomes) -> bytes | Making:
        counted = read_one(told)
        return self._bring_in(event) if counted is None else outcome_of_one(event, *counted)

    async def _bring_in(self, event: Event) -> bytes:
        return outcome_of_one(event, *await self._writer.bring_in_one(event))

    def _movie(self, slug: str, told: Fetched) -> bytes:
        return movie_document(slug, self._reader.read_movie(slug, told))

    def _user(self, user: str, told: Fetched) -> bytes | Making:
        found = self._reader.read_user(user, told)
        return self._absent_user(user) if found is None else user_document(user, found)

    async def _absent_user(self, user: str) -> bytes:
        return user_document(user, await self._reader.absent_user(user))

    def _pair(self, user: str, slug: str, told: Fetched) -> bytes | Making:
        found = self._reader.read_pair(user, slug, told)
        return self._absent_pair(user, slug) if found is None else pair_document(user, slug, *found)

    async def _absent_pair(self, user: str, slug: str) -> bytes:
        return pair_document(user, slug, *await self._reader.absent_pair(user, slug))

    def _ending(self, headers: Mapping[str, str]) -> bytes:
        shared = shared_headers(self._origins, headers.get("Origin")) if self._origins else ()
        return _lines((*_ALWAYS, *shared)) + b"\r\n"

    def answer_later(self, request: _Request, making: Coroutine[None, None, bytes | web.Response]) -> None:
        task = asyncio.create_task(request.answer_with(making))
        self._answering.add(task)  # asyncio itself does not hold what it runs
        task.add_done_callback(self._answering.discard)


class _Request:
    """One that was begun. What it waits for answers it at once, without a future, a task or a turn of the loop."""

    __slots__ = ("_asking", "_document_of", "_is_done", "_shortcut", "_way")

    _document_of: Callable[[Any], bytes | Making]

    def __init__(self, shortcut: Shortcut, way: Way, asking: Asking) -> None:
        self._shortcut, self._way, self._asking = shortcut, way, asking
        self._is_done = False

    def waiting(self, document_of: Callable[[Any], bytes | Making]) -> Self:
        """To be told what `document_of` makes the answer of, or what finds it out where that takes more."""
        self._document_of = document_of
        return self

    def done(self) -> bool:
        return self._is_done

    def set_result(self, told: Any) -> None:
        self._is_done = True
        try:
            document = self._document_of(told)
        except Exception as failure:  # others who were told by the same call are still to be
            self.fail(failure)
        else:
            if isinstance(document, bytes):
                self.answer(document)
            else:
                self._shortcut.answer_later(self, document)

    def set_exception(self, failed: Exception) -> None:
        self._is_done = True
        self.fail(failed)

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
        assert isinstance(answer.body, bytes)
        status = f"{answer.status} {answer.reason}".encode()
        self.answer(answer.body, status, _lines(answer.headers.items()))

    def answer(
        self, body: bytes, status: bytes = b"200 OK", headers: bytes = b"Content-Type: application/json\r\n"
    ) -> None:
        """As aiohttp spells it."""
        date, ending = rfc822_formatted_time().encode(), self._way.ending
        self._asking.answer(
            b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\nDate: %b\r\n%b%b"
            % (status, headers, len(body), date, ending, body)
        )


def _lines(headers: Iterable[tuple[str, str]]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode()
