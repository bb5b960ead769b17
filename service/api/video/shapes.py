"""What players read, as JSON documents in their own spelling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.api.shapes import moment, seconds
from service.api.video.playing import REASONS
from service.courses.seeks import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.api.video.playing import Judged, Limit, Reported, Started
    from service.courses.seeking import SeekDecision
    from service.courses.seeks import Seek, Sought
    from service.courses.sessions import WatchSession

Json = dict[str, Any]


def started(made: Started, believed: bool | None, stale_seconds: int) -> Json:
    return {
        "sessionId": made.session.session,
        "attemptId": made.standing.attempt,
        "isAssigned": made.standing.is_assigned,
        "resumeSecond": seconds(made.resume_ms),
        "staleAfterSeconds": stale_seconds,
        "message": _message(made, believed),
    }


def reported(session: str, seeks: Sequence[Seek], done: Reported, rejected: list[Json]) -> Json:
    return {
        "sessionId": session,
        "accepted": done.accepted,
        "duplicates": done.duplicates,
        "rejected": rejected,
        "seeks": judged(seeks, done),
    }


def judged(seeks: Sequence[Seek], done: Reported) -> list[Json]:
    """In the order of the body; without those that were not come to."""
    return [_judged(done.seeks[seek.name]) for seek in seeks if seek.name in done.seeks]


def limit(session: str, to_ms: int, found: Limit, decision: SeekDecision) -> Json:
    return {
        "sessionId": session,
        "toSecond": seconds(to_ms),
        "allowed": decision.is_allowed,
        "isSkip": decision.is_skip,
        "limitSecond": seconds(decision.limit_ms),
        "policy": found.policy if found.is_assigned else None,
        "reason": decision.reason,
        "message": REASONS[decision.reason],
    }


def session(found: WatchSession) -> Json:
    return {
        "sessionId": found.session,
        "userId": found.user,
        "lessonId": found.lesson,
        "attemptId": found.attempt,
        "startedAt": moment(found.started_us),
        "closedAt": None if found.closed_us is None else moment(found.closed_us),
        "closedBy": found.closed_by,
        "watchSeconds": 0,
        "effectiveSeconds": 0,
        "uniqueSeconds": 0,
    }


def skips(found: WatchSession, seeks: Sequence[Sought]) -> Json:
    return {
        "sessionId": found.session,
        "userId": found.user,
        "lessonId": found.lesson,
        "skips": sum(one.is_skip for one in seeks),
        "skippedSeconds": seconds(sum(one.skipped_ms for one in seeks)),
        "blocked": sum(one.verdict is Verdict.BLOCKED for one in seeks),
        "flagged": sum(one.verdict is Verdict.FLAGGED for one in seeks),
        "seeks": [_sought(one) for one in seeks],
    }


def _judged(found: Judged) -> Json:
    seek, decision = found.seek, found.decision
    return {
        "clientEventId": None if seek.is_nameless else seek.name,
        "fromSecond": seconds(seek.from_ms),
        "toSecond": seconds(seek.to_ms),
        "allowed": decision.is_allowed,
        "happened": found.has_happened,
        "isSkip": found.is_skip,
        "isFlagged": decision.is_flagged,
        "limitSecond": seconds(decision.limit_ms),
        "reason": decision.reason,
        "message": REASONS[decision.reason],
    }


def _sought(found: Sought) -> Json:
    return {
        "fromSecond": seconds(found.from_ms),
        "toSecond": seconds(found.to_ms),
        "limitSecond": seconds(found.limit_ms),
        "decision": found.verdict,
        "happened": found.has_happened,
        "isSkip": found.is_skip,
        "reason": found.reason,
        "at": moment(found.at_us),
    }


def _message(made: Started, believed: bool | None) -> str:
    standing, attempt = made.standing, made.standing.attempt
    if standing.is_removed:
        said = f"the course {standing.course!r} is without this lesson by now: watching counts for no attempt"
    elif attempt is None:
        said = f"the course {standing.course!r} is not assigned: what is watched is kept, and may be credited later"
    else:
        said = f"watching counts for attempt {attempt} at the course {standing.course!r}"
    if believed is None or believed == standing.is_assigned:
        return said
    return f"{said}; the player took it to be {'assigned' if believed else 'not assigned'}, which it is not"
