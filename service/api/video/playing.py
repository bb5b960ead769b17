"""What players do, done: sessions begin, what was played is counted, seeks are judged, sessions end.

What was played goes the way of every event, and costs Postgres nothing; sessions, their ends, and seeks past the limit
are rare, and are written there. Everything may be repeated: what was done is found done.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from service.courses.model import SkipPolicy
from service.courses.playing.seeking import SeekReason, decide_seek
from service.courses.playing.seeks import has_happened, is_skip, sought
from service.courses.playing.timing import ends_us, rounds
from service.errors import NotFound, Unavailable
from service.events.event import Event
from service.rules.spans import CELL_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.api.video.bodies import Report
    from service.counters.heard import Heard, Hearing
    from service.counters.reader import Reader
    from service.counters.records import PairRecord
    from service.counters.writer import Writer
    from service.courses.playing.seeking import SeekDecision
    from service.courses.playing.seeks import Seek
    from service.courses.playing.sessions import Standing, WatchSession
    from service.courses.playing.timing import Segment
    from service.courses.store import Courses
    from service.courses.watching.watching import Watching

SECOND_US = 1_000_000


class Started(NamedTuple):
    """`resume_ms`: where the video is to go on."""

    session: WatchSession
    standing: Standing
    resume_ms: int


class Judged(NamedTuple):
    seek: Seek
    decision: SeekDecision

    @property
    def has_happened(self) -> bool:
        return has_happened(self.seek, self.decision)

    @property
    def is_skip(self) -> bool:
        return is_skip(self.seek, self.decision)


@dataclass(slots=True)
class Reported:
    """What became of a report: how many of its segments counted, and were counted before; its seeks by their names."""

    accepted: int = 0
    duplicates: int = 0
    seeks: dict[str, Judged] = field(default_factory=dict)


class Limit(NamedTuple):
    """How far the user may seek, and by whose rule; nobody's where the course is not assigned."""

    cells: int
    policy: SkipPolicy
    is_assigned: bool
    attempt: int | None

    def decide(self, to_ms: int) -> SeekDecision:
        return decide_seek(to_ms, self.cells, self.policy, is_assigned=self.is_assigned)


class Playing:
    """Of one process. Each call raises Unavailable, of either kind, where what it needs does not answer."""

    def __init__(
        self,
        courses: Courses,
        watching: Watching,
        writer: Writer,
        reader: Reader,
        heard: Heard,
        *,
        stale_seconds: int,
        window_seconds: int,
    ) -> None:
        self._courses, self._watching = courses, watching
        self._writer, self._reader, self._heard = writer, reader, heard
        self._stale_us = stale_seconds * SECOND_US
        self._window_us = window_seconds * SECOND_US

    async def start(
        self,
        user: str,
        lesson: str,
        now_us: int,
        *,
        client_session: str | None = None,
        client_info: object = None,
        started_us: int | None = None,
    ) -> Started:
        """Raises NotFound where there is no such lesson, Conflict where the session was of another one."""
        standing = await self._courses.sessions.standing(user, lesson)
        if standing.attempt is not None:  # one that a rule opened just now counts from here on
            await self._watching.levelling.level_assignments([(standing.course, user)])
        at_us = now_us if started_us is None else started_us
        session = await self._courses.sessions.start(
            user,
            standing,
            at_us,
            now_us + self._stale_us,
            client_session=client_session,
            client_info=client_info,
        )
        _, pair = await self._writer.apply_one(_opening(session, now_us))
        await self._heard.hear(user, session.session, now_us)
        return Started(session, standing, await self._resume_ms(standing, pair))

    async def report(self, session: WatchSession, report: Report, now_us: int) -> Reported:
        """Count what was played, and judge the seeks by what is covered then."""
        done = Reported()
        since_us = (await self._heard.of(session.user, session.session)).progress_us or session.started_us
        for segments, seeks in rounds(report.segments, report.seeks):
            await self._count(session, _played(session, segments, since_us, now_us), done)
            await self._judge(session, seeks, now_us, done)
        with suppress(Unavailable):  # it is counted, which is what matters
            await self._heard.hear(session.user, session.session, now_us, is_progress=bool(report.segments))
        return done

    async def hear(
        self, session: WatchSession, position_ms: int | None, speed: int | None, now_us: int
    ) -> Hearing:
        """The session is alive, and stands there."""
        if position_ms is not None:
            mark = _event(session, "mark", position_ms, now_us, now_us)
            await self._writer.apply([mark._replace(speed=speed)])
        return await self._heard.hear(session.user, session.session, now_us)

    async def close(self, session: WatchSession, now_us: int) -> WatchSession:
        """Again, it changes nothing."""
        closed = await self._courses.sessions.close(session.session, now_us)
        with suppress(Unavailable):  # who hears of it is told a little less
            await self._heard.close(session.user, session.session, closed.closed_us or now_us)
        return closed

    async def limit(self, session: WatchSession) -> Limit:
        """That of the attempt that is open now, as long as what is watched of this video counts for it."""
        standing = await self._courses.sessions.standing(session.user, session.lesson)
        if standing.attempt is None or standing.slug != session.slug:
            cells = await self._verified_cells(session.user, session.slug)
            return Limit(cells, standing.skip_policy, is_assigned=False, attempt=None)
        watched = await self._watching.watched.of_lesson(standing.attempt, session.lesson)
        return Limit(watched.verified_cells, standing.skip_policy, is_assigned=True, attempt=standing.attempt)

    async def _count(self, session: WatchSession, events: Sequence[Event], done: Reported) -> None:
        fresh = await self._fresh(session, events)
        done.duplicates += len(events) - len(fresh)
        if not fresh:
            return
        applied = await self._writer.apply(fresh)
        if applied.failures:  # others were counted: sent again, they are not counted again
            raise next(iter(applied.failures.values()))
        done.duplicates += applied.duplicates
        done.accepted += len(fresh) - applied.duplicates

    async def _fresh(self, session: WatchSession, events: Sequence[Event]) -> Sequence[Event]:
        """Without those that were counted so long ago that Redis has forgotten their ids."""
        if not events or events[0].received_us - session.started_us < self._window_us:
            return events
        counted = await self._courses.sessions.counted(session, [event.id for event in events if event.id])
        return [event for event in events if event.id not in counted]

    async def _judge(self, session: WatchSession, seeks: Sequence[Seek], now_us: int, done: Reported) -> None:
        if not seeks:
            return
        limit = await self.limit(session)
        judged = [Judged(seek, limit.decide(seek.to_ms)) for seek in seeks]
        beyond = [sought(*one, one.seek.at_us or now_us) for one in judged if one.decision.is_recorded]
        if beyond:
            await self._courses.seeks.keep(session.session, limit.attempt, beyond)
        jumps = [_jump(session, one.seek, now_us) for one in judged if one.has_happened]
        if fresh := await self._fresh(session, jumps):
            await self._writer.apply(fresh)
        done.seeks |= {one.seek.name: one for one in judged}

    async def _resume_ms(self, standing: Standing, pair: PairRecord) -> int:
        """Where the user was last; from the beginning where that was the end, or before this attempt.

        No further than it may be sought to.
        """
        latest_ms = pair.latest_ms if pair.latest_us else 0
        if latest_ms >= standing.duration_ms:
            return 0
        if standing.attempt is None or not latest_ms:
            return latest_ms
        watched = await self._watching.watched.of_lesson(standing.attempt, standing.lesson)
        if not watched.own:
            return 0
        limit_ms = watched.verified_cells * CELL_MS
        return min(latest_ms, limit_ms) if standing.skip_policy is SkipPolicy.BLOCK else latest_ms

    async def _verified_cells(self, user: str, slug: str) -> int:
        """Whatever it was watched for."""
        try:
            pair, _ = await self._reader.pair(user, slug)
        except NotFound:
            return 0
        return pair.verified_cells


def _event(session: WatchSession, kind: str, at_ms: int, time_us: int, now_us: int) -> Event:
    time_us = max(1, min(time_us, now_us))
    return Event(
        session.user, session.slug, kind, at_ms, time_us, now_us, time_us != now_us, session=session.session
    )


def _opening(session: WatchSession, now_us: int) -> Event:
    """From here on the clock says how much can have been played."""
    event = _event(session, "load", 0, session.started_us, now_us)
    return event._replace(id=f"{session.session}:load", duration_ms=session.duration_ms)


def _played(session: WatchSession, segments: Sequence[Segment], since_us: int, now_us: int) -> list[Event]:
    return [
        _event(session, "segment", one.to_ms, time_us, now_us)._replace(
            timed=True, id=f"{session.session}:s:{one.name}", from_ms=one.from_ms, speed=one.speed
        )
        for one, time_us in zip(segments, ends_us(segments, since_us, now_us), strict=True)
    ]


def _jump(session: WatchSession, seek: Seek, now_us: int) -> Event:
    event = _event(session, "seek", seek.to_ms, seek.at_us or now_us, now_us)
    return event._replace(id=f"{session.session}:k:{seek.name}", from_ms=seek.from_ms)


REASONS = {
    SeekReason.WITHIN_LIMIT: "it is within what was watched",
    SeekReason.NOT_ASSIGNED: "watching it counts for no attempt: seeking is free",
    SeekReason.BLOCKED: "only what was watched without a gap may be sought in: play on from the limit",
    SeekReason.FLAGGED: "it is past what was watched, and is noted",
    SeekReason.ALLOWED: "seeking is free in this course",
}
"""For people."""
