"""What becomes of a lesson when its course is put again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.courses.model import Lesson
from service.errors import Conflict

if TYPE_CHECKING:
    from service.courses.model import LessonDraft


def revise(draft: LessonDraft, known: Lesson | None) -> Lesson:
    """The lesson as it is from now on. Putting the same draft twice gives the same lesson.

    Another slug or duration is another video, and so another revision. Who says `revision` decides: the next number is
    another video even under the same slug, and the same number with another duration corrects the one that is there.
    Raises Conflict for a number that is neither.
    """
    revision = _revision(draft, known)
    return Lesson(
        draft.lesson, draft.slug, draft.title, draft.duration_ms, draft.threshold_permille, revision
    )


def _revision(draft: LessonDraft, known: Lesson | None) -> int:
    current = known.revision if known else 0
    if draft.revision is None:
        is_same = known and (draft.slug, draft.duration_ms) == (known.slug, known.duration_ms)
        return current if is_same else current + 1
    if draft.revision not in (current, current + 1) or draft.revision == 0:
        expected = f"{current} or {current + 1}" if current else "1"
        raise Conflict(
            "wrong_revision",
            f"lesson {draft.lesson!r} is at revision {current or 'none'}, so its revision may be {expected},"
            f" got {draft.revision}",
        )
    if known and draft.revision == current and draft.slug != known.slug:
        raise Conflict(
            "wrong_revision",
            f"revision {current} of lesson {draft.lesson!r} is the movie {known.slug!r}: another movie is revision"
            f" {current + 1}",
        )
    return draft.revision
