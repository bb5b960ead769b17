"""Watching sessions: started, known again, closed. What was watched in them is counted, and is not here."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID, uuid4

import orjson

from service.courses.model import SkipPolicy
from service.db.digests import digest
from service.errors import Conflict, NotFound
from service.limits import WATCH_SESSIONS_KNOWN_MAX

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import asyncpg

    from service.courses.database import Database


class ClosedBy(StrEnum):
    CLIENT = "client"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class WatchSession:
    """One playback of a lesson. `attempt` is the one that was open when it was started."""

    session: str
    user: str
    lesson: str
    revision: int
    slug: str
    duration_ms: int
    attempt: int | None
    started_us: int
    closed_us: int | None = None
    closed_by: ClosedBy | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a user stands to a lesson now; `attempt` is the open one, which watching of the lesson counts for."""

    course: str
    lesson: str
    slug: str
    revision: int
    duration_ms: int
    threshold_permille: int
    skip_policy: SkipPolicy
    is_removed: bool
    attempt: int | None

    @property
    def is_assigned(self) -> bool:
        return self.attempt is not None


class Waiting(NamedTuple):
    """A session to be looked at."""

    session: str
    user: str
    started_us: int
    look_us: int


class Sessions:
    """Those that this process has seen it knows, so that Postgres may be away while they go on."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[str, WatchSession] = OrderedDict()

    async def standing(self, user: str, lesson: str) -> Standing:
        """Raises NotFound."""
        row = await self._database.row("select_lesson_standing", lesson, user)
        if row is None:
            raise NotFound(f"there is no lesson {lesson!r}")
        return _standing(row)

    async def start(
        self,
        user: str,
        standing: Standing,
        started_us: int,
        look_us: int,
        *,
        client_session: str | None = None,
        client_info: object = None,
    ) -> WatchSession:
        """A session of the lesson's video of now. The same `client_session` of the same user is the same session.

        Raises Conflict where that was of another lesson.
        """
        session = name_of(user, client_session)
        info = None if client_info is None else orjson.dumps(client_info).decode()
        attempt = standing.attempt
        columns = (session, user, standing.lesson, standing.revision, standing.slug, attempt)
        await self._database.row("insert_watch_session", *columns, info, started_us, look_us)
        found = await self._read(session)
        if found.lesson != standing.lesson:
            detail = (
                f"clientSessionId: {client_session!r} is of lesson {found.lesson!r}, not {standing.lesson!r}"
            )
            raise Conflict("session_elsewhere", detail)
        return found

    async def get(self, session: str) -> WatchSession:
        """As it is now. Raises NotFound."""
        return await self._read(session)

    async def known(self, session: str) -> WatchSession:
        """As it was last seen here, which is all but whether it was closed since. Raises NotFound."""
        if found := self._known.get(session):
            self._known.move_to_end(session)
            return found
        return await self._read(session)

    async def of(self, user: str, lesson: str, limit: int) -> list[WatchSession]:
        """The last ones first."""
        return [
            _session(row) for row in await self._database.rows("select_watch_sessions", user, lesson, limit)
        ]

    async def close(self, session: str, now_us: int) -> WatchSession:
        """Closed by the player. Again, it changes nothing. Raises NotFound."""
        await self._database.rows("close_watch_sessions", [session], [now_us], str(ClosedBy.CLIENT))
        return await self._read(session)

    async def counted(self, session: WatchSession, ids: Collection[str]) -> set[str]:
        """Which of these ids the session's events have, as long as raw events are kept."""
        rows = await self._database.rows(
            "select_known_events", session.user, session.session, list(ids), session.started_us
        )
        return {row["event_id"] for row in rows}

    async def waiting(self, now_us: int, limit: int) -> list[Waiting]:
        """Those whose time to be looked at has come, the first ones first."""
        rows = await self._database.rows("select_waiting_sessions", now_us, limit)
        return [Waiting(row["session"], row["user_id"], row["started_at"], row["look_at"]) for row in rows]

    async def settle(self, stale: Sequence[tuple[str, int]], alive: Sequence[tuple[str, int]]) -> int:
        """Close those that are stale, each with when it ended, and look at the others later, each with when.

        Gives how many were closed, which others may have done.
        """
        if alive:
            await self._database.rows("move_looks", *map(list, zip(*alive, strict=True)))
        if not stale:
            return 0
        ended = map(list, zip(*stale, strict=True))
        return len(await self._database.rows("close_watch_sessions", *ended, str(ClosedBy.STALE)))

    async def _read(self, session: str) -> WatchSession:
        row = await self._database.row("select_watch_session", session)
        if row is None:
            self._known.pop(session, None)
            raise NotFound(f"there is no session {session!r}")
        found = self._known[session] = _session(row)
        self._known.move_to_end(session)
        while len(self._known) > WATCH_SESSIONS_KNOWN_MAX:
            self._known.popitem(last=False)
        return found


def name_of(user: str, client_session: str | None) -> str:
    """A new one; or, of a session that the player named, the one that it always has."""
    if client_session is None:
        return str(uuid4())
    return str(UUID(bytes=digest(user, client_session)[:16]))


def _session(row: asyncpg.Record) -> WatchSession:
    return WatchSession(
        row["session"],
        row["user_id"],
        row["lesson"],
        row["revision"],
        row["slug"],
        row["duration_ms"],
        row["attempt"],
        row["started_at"],
        row["closed_at"],
        ClosedBy(row["closed_by"]) if row["closed_by"] else None,
    )


def _standing(row: asyncpg.Record) -> Standing:
    is_removed = row["removed_at"] is not None
    return Standing(
        row["course"],
        row["lesson"],
        row["slug"],
        row["revision"],
        row["duration_ms"],
        row["threshold_permille"],
        SkipPolicy(row["skip_policy"]),
        is_removed,
        None if is_removed else row["attempt"],
    )
