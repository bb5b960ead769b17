"""What players buffered while they were offline: of many sessions, in any order, any number of times.

Each session is done by itself, and what is wrong with one keeps back no other.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from service import clock
from service.access.people import Action
from service.api.body import read_whole
from service.api.context import COURSES, PLAYING, SETTINGS
from service.api.courses.messages import answer, parse, rejection
from service.api.ingest import LARGE_BYTES_MIN
from service.api.persons import demand_user
from service.api.problems import answering, problem, reason_of, unavailable
from service.api.video import shapes
from service.api.video.bodies import SyncBody, Wrong, sent_of, time_of
from service.api.video.playing import Reported
from service.api.video.sessions import draw
from service.courses.playing.timing import began_us
from service.errors import Conflict, Forbidden, Invalid, NotFound, PlayheadError, Unavailable

if TYPE_CHECKING:
    from aiohttp import web

    from service.api.video.bodies import Report, SyncedSession
    from service.courses.playing.sessions import WatchSession

OFFLINE = ("clientSessionId", "userId", "lessonId")
"""What names a session that was started offline."""


@dataclass(slots=True)
class Synced:
    """What became of one session of a body. `named`: by its `sessionId`, as the body says it."""

    session: WatchSession | None = None
    named: str | None = None
    client_session: str | None = None
    report: Report | None = None
    done: Reported = field(default_factory=Reported)
    rejected: list[dict[str, object]] = field(default_factory=list)
    failure: PlayheadError | None = None

    def as_json(self) -> dict[str, Any]:
        session, failure = self.session, self.failure
        return {
            "sessionId": session.session if session else self.named,
            "clientSessionId": self.client_session,
            "attemptId": session.attempt if session else None,
            "accepted": self.done.accepted,
            "duplicates": self.done.duplicates,
            "rejected": self.rejected,
            "seeks": shapes.judged(self.report.seeks, self.done) if self.report else [],
            "isClosed": session is not None and session.closed_us is not None,
            "reason": reason_of(failure) if failure else None,
            "detail": str(failure) if failure else None,
        }


@answering
async def sync(request: web.Request) -> web.StreamResponse:
    body, now_us = await _read(request), clock.now_us()
    synced = await Syncing(request, sent_of(body.sent_at), now_us).all(body.sessions)
    sessions = [one.as_json() for one in synced]
    failures = [one.failure for one in synced if one.failure]
    if not failures or len(failures) < len(synced):
        return answer({"sessions": sessions})
    away = next((failure for failure in failures if isinstance(failure, Unavailable)), None)
    if away:
        return unavailable(away, sessions=sessions)
    detail = f"nothing was done; the first session: {failures[0]}"
    return problem(422, reason_of(failures[0]), detail, sessions=sessions)


@dataclass(frozen=True, slots=True)
class Syncing:
    """One request's."""

    request: web.Request
    sent_us: int | None
    now_us: int

    async def all(self, bodies: list[SyncedSession]) -> list[Synced]:
        """One after the other. Where Redis or Postgres does not answer one, the others do not wait for it, too."""
        done: list[Synced] = []
        away: Unavailable | None = None
        for place, body in enumerate(bodies):
            synced = Synced(failure=away) if away else await self._one(place, body)
            if isinstance(synced.failure, Unavailable):
                away = synced.failure
            done.append(synced)
        return done

    async def _one(self, place: int, body: SyncedSession) -> Synced:
        synced = Synced()
        try:
            await self._do(place, body, synced)
        except (Unavailable, NotFound, Conflict, Forbidden) as failed:
            synced.failure = failed
        except Invalid as failed:
            synced.failure, synced.rejected = failed, failed.rejected
        return synced

    async def _do(self, place: int, body: SyncedSession, synced: Synced) -> None:
        _refuse_unreadable(place, body)
        playing = self.request.app[PLAYING]
        synced.named, synced.client_session = body.session_id, body.client_session_id
        synced.report = report = body.read(self.sent_us, self.now_us, f"sessions[{place}].")
        synced.rejected = report.rejected
        synced.session = session = await self._session(place, body, report)
        draw(self.request, report)
        synced.done = await playing.report(session, report, self.now_us)
        closed_us = time_of(body.closed_at, self.sent_us, self.now_us)
        if closed_us is not None:
            synced.session = await playing.close(session, max(closed_us, session.started_us))

    async def _session(self, place: int, body: SyncedSession, report: Report) -> WatchSession:
        """The one that is known, or that was started offline. Raises Invalid where neither is said."""
        if body.session_id is not None:
            session = await self.request.app[COURSES].sessions.known(body.session_id)
            await demand_user(self.request, session.user, Action.WRITE)
            return session
        client, user, lesson = body.client_session_id, body.user_id, body.lesson_id
        if client is None or user is None or lesson is None:
            raise _unnamed(place, (client, user, lesson))
        await demand_user(self.request, user, Action.WRITE)
        started_us = time_of(body.started_at, self.sent_us, self.now_us)
        started = await self.request.app[PLAYING].start(
            user,
            lesson,
            self.now_us,
            client_session=client,
            client_info=body.client_info,
            started_us=began_us(report.segments, self.now_us) if started_us is None else started_us,
        )
        return started.session


async def _read(request: web.Request) -> SyncBody:
    """A large body in a thread, so that the requests of others get their turn in between."""
    body = await read_whole(request, request.app[SETTINGS].body_timeout_seconds)
    if len(body) > LARGE_BYTES_MIN:
        return await asyncio.to_thread(parse, body, SyncBody)
    return parse(body, SyncBody)


def _refuse_unreadable(place: int, body: object) -> None:
    if isinstance(body, Wrong):
        errors = [cast("Any", {**error, "loc": ("sessions", place, *error["loc"])}) for error in body.errors]
        raise Invalid([rejection(error) for error in errors])


def _unnamed(place: int, said: tuple[str | None, ...]) -> Invalid:
    missing = next(name for name, given in zip(OFFLINE, said, strict=True) if given is None)
    field = f"sessions[{place}].{missing}"
    detail = f"{field} is missing: a session is named by sessionId, or by {', '.join(OFFLINE)}"
    return Invalid([{"field": field, "reason": "missing_field", "detail": detail}])
