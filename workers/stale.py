"""Watching sessions of which nothing is heard any more are closed, with what they had."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import structlog

from service import clock
from service.limits import LOOK_RUN_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.counters.heard import Heard
    from service.courses.playing.sessions import Sessions, Waiting

_log = structlog.get_logger()

PAUSE_SECONDS = 5.0
"""Each session is looked at once in the time after which it is stale; a look that finds none is one statement."""

SECOND_US = 1_000_000


class Last(NamedTuple):
    user: str
    session: str
    heard_us: int


class StaleSessions:
    """Each process may have one: a session is closed once, by whoever comes first."""

    def __init__(
        self, sessions: Sessions, heard: Heard, stale_seconds: int, now_us: Callable[[], int] = clock.now_us
    ) -> None:
        self._sessions = sessions
        self._heard = heard
        self._stale_us = stale_seconds * SECOND_US
        self._now_us = now_us

    async def step(self) -> bool:
        """Driven by `workers.loop.drive`. Where Redis does not answer nobody is taken for silent."""
        now_us = self._now_us()
        waiting = await self._sessions.waiting(now_us, LOOK_RUN_MAX)
        last = await self._last_heard(waiting)
        stale = [one for one in last if one.heard_us + self._stale_us <= now_us]
        alive = [one for one in last if one.heard_us + self._stale_us > now_us]
        closed = await self._sessions.settle(
            [(one.session, one.heard_us) for one in stale],
            [(one.session, one.heard_us + self._stale_us) for one in alive],
        )
        await asyncio.gather(*(self._heard.close(one.user, one.session, one.heard_us) for one in stale))
        if closed:
            _log.info("stale_sessions_closed", sessions=closed)
        return len(waiting) == LOOK_RUN_MAX

    async def _last_heard(self, waiting: list[Waiting]) -> list[Last]:
        """By what Redis knows; where it has forgotten, when the last look found it alive."""
        hearings = await self._heard.of_each((one.user, one.session) for one in waiting)
        return [
            Last(one.user, one.session, max(one.started_us, hearing.heard_us or one.look_us - self._stale_us))
            for one, hearing in zip(waiting, hearings, strict=True)
        ]
