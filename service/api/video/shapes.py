"""What players read, as JSON documents in their own spelling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.api.shapes import moment, moment_or_none, seconds
from service.api.video.playing import REASONS
from service.courses.cells import all_of
from service.courses.model import cells_of
from service.courses.playing.seeks import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.api.video.playing import Judged, Limit, Reported, Started
    from service.counters.records import PairRecord
    from service.courses.model import Attempt
    from service.courses.playing.playbacks import Played, WatchedBefore
    from service.courses.playing.seeking import SeekDecision
    from service.courses.playing.seeks import Seek, Sought
    from service.courses.playing.sessions import WatchSession
    from service.courses.watching.watched import WatchedLesson

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


def session(found: WatchSession, played: Played | None) -> Json:
    return {
        "sessionId": found.session,
        "userId": found.user,
        "lessonId": found.lesson,
        "attemptId": found.attempt,
        "startedAt": moment(found.started_us),
        "closedAt": moment_or_none(found.closed_us),
        "closedBy": found.closed_by,
        "watchSeconds": seconds(played.watch_ms if played else 0),
        "effectiveSeconds": seconds(played.effective_ms if played else 0),
        "uniqueSeconds": (played.seen & all_of(cells_of(found.duration_ms))).bit_count() if played else 0,
    }


def attempt(found: Attempt, now_us: int) -> Json:
    return {
        "attemptId": found.attempt,
        "number": found.number,
        "status": found.status,
        "overdue": found.is_overdue(now_us),
        "openedAt": moment(found.opened_us),
        "dueAt": moment_or_none(found.due_us),
        "startedAt": moment_or_none(found.started_us),
        "lastViewedAt": moment_or_none(found.last_viewed_us),
        "completedAt": moment_or_none(found.completed_us),
        "closedAt": moment_or_none(found.closed_us),
    }


def watched(found: WatchedLesson, completed_us: int | None) -> Json:
    """What was completed once stays so, whatever became of the video since."""
    completion = found.completion
    return {
        "durationSeconds": seconds(found.duration_ms),
        "uniqueSeconds": completion.seen_cells,
        "creditedSeconds": (found.credited & ~found.own).bit_count(),
        "coverageFraction": round(completion.seen_cells / completion.cells, 6),
        "neededSeconds": completion.needed_cells,
        "stillNeededSeconds": completion.still_needed_cells,
        "isComplete": completed_us is not None or completion.is_complete,
        "completedAt": moment_or_none(completed_us),
        "limitSecond": found.verified_cells,
        "watchSeconds": seconds(found.watch_ms),
        "effectiveSeconds": seconds(found.effective_ms),
        "missing": completion.missing,
    }


def total(record: PairRecord | None) -> Json:
    return {
        "watchSeconds": seconds(record.watch_ms if record else 0),
        "effectiveSeconds": seconds(record.effective_ms if record else 0),
        "uniqueSeconds": record.unique_cells if record else 0,
        "furthestSecond": seconds(record.furthest_ms if record else 0),
        "latestSecond": seconds(record.latest_ms if record and record.latest_us else 0),
    }


def watched_before(found: WatchedBefore) -> Json:
    seen = found.seen.bit_count()
    return {
        "lessonId": found.lesson,
        "courseId": found.course,
        "title": found.title,
        "durationSeconds": seconds(found.duration_ms),
        "watchSeconds": seconds(sum(one.watch_ms for one in found.sessions)),
        "effectiveSeconds": seconds(sum(one.effective_ms for one in found.sessions)),
        "uniqueSeconds": seen,
        "coverageFraction": round(seen / cells_of(found.duration_ms), 6),
        "lastViewedAt": moment(found.last_us),
        "sessions": [_played(one) for one in found.sessions],
    }


def missing(found: WatchedLesson) -> Json:
    """What a lesson lacks to be complete."""
    return {
        "lessonId": found.lesson,
        "stillNeededSeconds": found.completion.still_needed_cells,
        "missing": found.completion.missing,
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


def _played(found: Played) -> Json:
    return {
        "sessionId": found.session,
        "firstViewedAt": moment(found.first_us),
        "lastViewedAt": moment(found.last_us),
        "watchSeconds": seconds(found.watch_ms),
        "uniqueSeconds": found.seen.bit_count(),
        "flaggedSeconds": found.flagged.bit_count(),
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
    if believed:
        return f"{said}; the player took it to be assigned, but it is not"
    return f"{said}; the player took it not to be assigned, but it is"
