"""The calls about attempts, as they are described."""

from __future__ import annotations

from service.access.keyring import Scope
from service.api.calls import CURSOR, LIMIT, Answer, Call, Whose, failure
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
from service.api.courses.schemas import (
    Attempt,
    AttemptPage,
    AttemptWithLessons,
)

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
                "Open, or closed and as it was then.",
                (AttemptWithLessons,),
                example=ATTEMPT_ANSWER | {"lessons": []},
            ),
            unknown("there is no attempt 2"),
            *ALWAYS,
        ),
        scope=Scope.READ,
        whose=Whose.USERS_WITHIN,
        parameters=(ATTEMPT,),
    ),
)
