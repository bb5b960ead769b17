"""What handlers reach through the application: made once, in `service.api.app`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from aiohttp import web
from redis.asyncio import Redis

from service.access.bucket import Bucket
from service.access.people import Person
from service.api.body import Patience
from service.api.graphql.live import Live
from service.api.room import Room
from service.api.video.playing import Playing
from service.counters.reader import Reader
from service.counters.writer import Writer
from service.courses.store import Courses
from service.courses.watching.watching import Watching
from service.db.history import History
from service.moving.store import Moving
from service.settings import Settings
from service.stored.admission import Admission
from service.stored.scopes import Scopes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.access.keyring import Scope


class Readmit(Protocol):
    """Whether the key or token of a request still opens, where one is needed: a WebSocket outlives its request."""

    def __call__(self, request: web.Request) -> Bucket | None: ...


class Ending(Protocol):
    """A connection that would go on for ever."""

    def end(self) -> None: ...


class Gate(Protocol):
    """Who asks, where somebody has to be known: of calls that find out only on the way what they need."""

    async def identify(self, request: web.Request, shown: str | None = None) -> None: ...

    def demand(self, request: web.Request, scope: Scope, shown: str | None = None) -> None: ...

    def recheck(self, request: web.Request, shown: str | None = None) -> None: ...

    def lets_pass(self, headers: Mapping[str, str], scope: Scope) -> bool: ...


SETTINGS = web.AppKey("settings", Settings)
REDIS = web.AppKey("redis", Redis)
READER = web.AppKey("reader", Reader)
WRITER = web.AppKey("writer", Writer)
HISTORY = web.AppKey("history", History)
ADMISSION = web.AppKey("admission", Admission)
COURSES = web.AppKey("courses", Courses)
PLAYING = web.AppKey("playing", Playing)
SCOPES = web.AppKey("scopes", Scopes)
WATCHING = web.AppKey("watching", Watching)
MOVING = web.AppKey("moving", Moving)
STREAMS = web.AppKey("streams", set[Patience])
"""Of the bodies of lines that are being read: those may be endless, and playhead has to stop all the same."""

LIVE = web.AppKey("live", Live)
SOCKETS = web.AppKey("sockets", set[Ending])
"""Of the open WebSockets."""

ROOM = web.AppKey("room", Room)
GATE = web.AppKey("gate", Gate)
READMIT = web.AppKey("readmit", Readmit)

PERSON = web.RequestKey("person", Person)
"""Of a request with a token: whose it is. A server's with an API key has none."""

BUCKET = web.RequestKey("bucket", Bucket)
"""Of a request that posts events: what they are drawn from, where its key has a limit."""
