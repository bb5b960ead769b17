"""What attempts have and why, as the JSON documents that clients read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.api.courses.shapes import attempt
from service.api.shapes import moment, moment_or_none, seconds
from service.courses.cells import all_of, spans_of
from service.courses.dates import latest
from service.courses.model import cells_of
from service.rules.spans import NORMAL_SPEED, whole_cells

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.courses.model import Attempt
    from service.courses.watching.why import Implausible, LessonWhy, Share, Skipped

Json = dict[str, Any]


def state(found: Attempt, lessons: Iterable[LessonWhy], now_us: int) -> Json:
    return {**attempt(found, now_us), "lessons": [_state(one) for one in lessons]}


def why(found: Attempt, lessons: Iterable[LessonWhy], now_us: int) -> Json:
    return {**attempt(found, now_us), "lessons": [_why(one) for one in lessons]}


def _state(one: LessonWhy) -> Json:
    watched, record, completion = one.watched, one.record, one.watched.completion
    noted_us = record.last_viewed_us if record else None
    return {
        "lesson": watched.lesson,
        "revision": watched.revision,
        "slug": watched.slug,
        "current": watched.is_current,
        "duration_seconds": seconds(watched.duration_ms),
        "unique_seconds": completion.seen_cells,
        "needed_seconds": completion.needed_cells,
        "still_needed_seconds": completion.still_needed_cells,
        "verified_seconds": whole_cells(_within(one, watched.seen)),
        "watch_seconds": seconds(watched.watch_ms),
        "effective_seconds": seconds(watched.effective_ms),
        "implausible_seconds": seconds(watched.implausible_ms),
        "started_at": moment_or_none(record.started_us if record else watched.latest_us),
        "last_viewed_at": moment_or_none(latest([watched.latest_us, noted_us])),
        "completed_at": moment_or_none(record.completed_us if record else None),
    }


def _why(one: LessonWhy) -> Json:
    return {
        **_state(one),
        "covered": spans_of(_within(one, one.watched.seen)),
        "missing": one.watched.completion.missing,
        "credited": [_share(share) for share in one.shares],
        "skipped": [_skipped(seek) for seek in one.skipped],
        "implausible": [_implausible(session) for session in one.implausible],
        "speeds": [
            {
                "speed": speed / NORMAL_SPEED,
                "watch_seconds": seconds(at.watch_ms),
                "effective_seconds": seconds(at.effective_ms),
                "coverage": spans_of(at.seen),
            }
            for speed, at in sorted(one.speeds.items())
            if at.watch_ms or at.seen
        ],
    }


def _within(one: LessonWhy, seen: int) -> int:
    """Players may report a little more than there is."""
    return seen & all_of(cells_of(one.watched.duration_ms))


def _share(share: Share) -> Json:
    return {
        "credit": share.credit,
        "session": share.session,
        "first_at": moment(share.first_us),
        "last_at": moment(share.last_us),
        "unique_seconds": share.seen.bit_count(),
        "coverage": spans_of(share.seen),
    }


def _skipped(seek: Skipped) -> Json:
    return {
        "session": seek.session,
        "from_seconds": seconds(seek.from_ms),
        "to_seconds": seconds(seek.to_ms),
        "limit_seconds": seconds(seek.limit_ms),
        "verdict": seek.verdict,
        "happened": seek.has_happened,
        "skip": seek.is_skip,
        "reason": seek.reason,
        "at": moment(seek.at_us),
    }


def _implausible(session: Implausible) -> Json:
    return {
        "session": session.session,
        "reason": session.reason,
        "implausible_seconds": seconds(session.implausible_ms),
        "coverage": spans_of(session.seen),
        "first_at": moment(session.first_us),
        "last_at": moment(session.last_us),
    }
