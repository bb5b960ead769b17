"""The calls about attempts, as they are described."""

from __future__ import annotations

from service.access.keyring import Scope
from service.api.calls import CURSOR, FAILED, KEYED, LATER, LIMIT, Answer, Call, Whose, failure
from service.api.courses import assignments
from service.api.courses.assignment_calls import DATES
from service.api.courses.bodies import AttemptBody
from service.api.courses.described import (
    ALWAYS,
    ATTEMPT,
    BAD_PAGE,
    COURSE,
    MOMENT,
    NEVER_ASSIGNED,
    USER,
    json_body,
    reading_failures,
    unknown,
)
from service.api.courses.schemas import Attempt, AttemptPage
from service.api.courses.why_schemas import AttemptWhy, AttemptWithLiveLessons

ATTEMPT_ANSWER = {
    "attempt": 2,
    "course": "safety",
    "user": "ann",
    "number": 2,
    "status": "Assigned",
    "overdue": False,
    "opened_at": MOMENT,
    "opened_by": "renewal",
    **DATES,
    "closed_at": None,
}

LIVE_LESSON = {
    "lesson": "intro",
    "revision": 1,
    "slug": "intro-2026",
    "current": True,
    "duration_seconds": 600,
    "unique_seconds": 480,
    "needed_seconds": 570,
    "still_needed_seconds": 90,
    "verified_seconds": 240,
    "watch_seconds": 410,
    "effective_seconds": 350,
    "implausible_seconds": 30,
    "started_at": MOMENT,
    "last_viewed_at": "2026-03-01T10:08:00.000000Z",
    "completed_at": None,
}
LESSON_WHY = LIVE_LESSON | {
    "covered": [[0, 240], [300, 540]],
    "missing": [[240, 300], [540, 600]],
    "credited": [
        {
            "credit": 1,
            "session": "a",
            "first_at": "2026-01-10T08:00:00.000000Z",
            "last_at": "2026-01-10T08:02:00.000000Z",
            "unique_seconds": 120,
            "coverage": [[0, 120]],
        }
    ],
    "skipped": [
        {
            "session": "b",
            "from_seconds": 240,
            "to_seconds": 300,
            "limit_seconds": 240,
            "verdict": "flagged",
            "happened": True,
            "skip": True,
            "reason": None,
            "at": "2026-03-01T10:04:00.000000Z",
        }
    ],
    "implausible": [
        {
            "session": "b",
            "reason": "faster_than_clock",
            "implausible_seconds": 30,
            "coverage": [[510, 540]],
            "first_at": MOMENT,
            "last_at": "2026-03-01T10:08:00.000000Z",
        }
    ],
    "speeds": [
        {"speed": 1, "watch_seconds": 290, "effective_seconds": 290, "coverage": [[0, 240], [490, 540]]},
        {"speed": 2, "watch_seconds": 120, "effective_seconds": 60, "coverage": [[300, 420]]},
    ],
}
LIVE_AWAY = failure(
    503,
    "`unavailable`: Redis or Postgres does not answer now.",
    "unavailable",
    "Redis did not answer: Connection refused",
    headers=LATER,
)

ATTEMPT_CALLS = (
    Call(
        "GET",
        "/v1/assignments/{course:[^/]+}/{user:[^/]+}/attempts",
        assignments.get_attempts,
        "get_attempts",
        "assignments",
        "A user's attempts at a course, the last one first",
        (
            Answer(200, "A page.", (AttemptPage,), example={"items": [ATTEMPT_ANSWER], "next_cursor": None}),
            BAD_PAGE,
            NEVER_ASSIGNED,
            *ALWAYS,
        ),
        scope=Scope.READ,
        whose=Whose.USERS_WITHIN,
        parameters=(COURSE, USER, LIMIT, CURSOR),
    ),
    Call(
        "POST",
        "/v1/assignments/{course:[^/]+}/{user:[^/]+}/attempts",
        assignments.renew,
        "renew",
        "assignments",
        "Renew an assignment by hand",
        (
            Answer(200, "The attempt that is open now.", (Attempt,), example=ATTEMPT_ANSWER),
            *reading_failures(),
            NEVER_ASSIGNED,
            failure(
                409,
                "`not_assigned`: not any more. `wrong_attempt`: another attempt is the last one.",
                "wrong_attempt",
                "after: the last attempt of user 'ann' at course 'safety' is number 3, got 1",
            ),
            *ALWAYS,
        ),
        scope=Scope.ADMIN,
        description="The attempt that is open is closed as it is, completed or not, and the next one begins afresh."
        " Doing it again changes nothing.",
        parameters=(COURSE, USER),
        bodies=json_body(AttemptBody, "after the first one", {"after": 1, "due": "2026-12-31"}),
        models=(AttemptBody,),
    ),
    Call(
        "GET",
        "/v1/attempts/{attempt:[^/]+}",
        assignments.get_attempt,
        "get_attempt",
        "assignments",
        "An attempt, and what it has of each lesson",
        (
            Answer(
                200,
                "Open, as it is at this moment; or closed, as it was then.",
                (AttemptWithLiveLessons,),
                example=ATTEMPT_ANSWER | {"lessons": [LIVE_LESSON]},
            ),
            unknown("there is no attempt 2"),
            LIVE_AWAY,
            *KEYED,
            FAILED,
        ),
        scope=Scope.READ,
        whose=Whose.USERS_WITHIN,
        description="Lessons are read from the live counters: what was acknowledged is in them. The attempt's own"
        " dates, and so its status, follow within `PLAYHEAD_FOLLOW_INTERVAL_SECONDS`. A lesson whose video was replaced"
        " is there once a video.",
        parameters=(ATTEMPT,),
    ),
    Call(
        "GET",
        "/v1/attempts/{attempt:[^/]+}/why",
        assignments.get_why,
        "get_why",
        "assignments",
        "Why an attempt stands where it stands",
        (
            Answer(
                200,
                "Second by second: what is covered, missing, skipped, implausible and credited.",
                (AttemptWhy,),
                example=ATTEMPT_ANSWER | {"lessons": [LESSON_WHY]},
            ),
            unknown("there is no attempt 2"),
            LIVE_AWAY,
            *KEYED,
            FAILED,
        ),
        scope=Scope.READ,
        whose=Whose.USERS_WITHIN,
        description="What is implausible counts all the same, unless a credit's policy leaves it out: it was judged"
        " when it came, each increment by itself, and is shown for people to judge.",
        parameters=(ATTEMPT,),
    ),
)
