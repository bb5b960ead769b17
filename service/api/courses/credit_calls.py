"""The calls about credits, as they are described."""

from __future__ import annotations

from service.access.keyring import Scope
from service.api.calls import CURSOR, LIMIT, Answer, Call, Parameter, Whose, failure
from service.api.courses import credits as handlers
from service.api.courses.attempt_calls import ATTEMPT_ANSWER
from service.api.courses.bodies import GivingBody
from service.api.courses.credit_schemas import CreditPage, CreditWithShares, Given
from service.api.courses.described import (
    ALWAYS,
    BAD_PAGE,
    CREDIT,
    MOMENT,
    filtered_by,
    json_body,
    reading_failures,
    unknown,
)
from service.limits import USER_CHARS_MAX

CREDIT_ANSWER = {
    "credit": 1,
    "attempt": 1,
    "course": "safety",
    "user": "ann",
    "lesson": "intro",
    "revision": 1,
    "unique_seconds": 60,
    "policy": {"window_months": 12, "cap_permille": 1000, "includes_flagged": False},
    "since": "2025-02-28T23:00:00.000000Z",
    "until": MOMENT,
    "created_at": "2026-03-02T09:00:00.000000Z",
    "created_by": "eve",
    "taken_back_at": None,
    "taken_back_by": None,
    "withdrawn_completion_at": None,
}
SHARE = {
    "slug": "intro-2026",
    "session": "a",
    "scope": 0,
    "first_at": "2026-01-10T08:00:00.000000Z",
    "last_at": "2026-01-10T08:01:00.000000Z",
    "unique_seconds": 60,
    "coverage": [[0, 60]],
}
WITH_SHARES = CREDIT_ANSWER | {"shares": [SHARE]}
NO_CREDIT = unknown("there is no credit 2")

CREDIT_CALLS = (
    Call(
        "POST",
        "/v1/credits",
        handlers.post_credits,
        "post_credits",
        "credits",
        "Credit what was watched before the assignment",
        (
            Answer(
                200,
                "What was credited now, session by session, and the attempt with it. Nothing is credited twice.",
                (Given,),
                example={
                    "dry_run": False,
                    "unique_seconds": 60,
                    "credits": [WITH_SHARES],
                    "attempt": ATTEMPT_ANSWER | {"lessons": []},
                },
            ),
            *reading_failures(),
            unknown("there is no attempt 2"),
            failure(
                409,
                "`attempt_closed`: the attempt stays as it is.",
                "attempt_closed",
                "attempt 1 is closed, and stays as it is",
            ),
            *ALWAYS,
        ),
        scope=Scope.ADMIN,
        description="What the user watched of the lessons' videos while these counted for no attempt at them, as the"
        " course's policy has it: its window before the assignment, its cap, and whether flagged watching counts."
        " The credit is the union of the seconds, never more than the lesson, and each session's share is kept."
        "\n\nAsked for again it credits what has come since, from a device that was offline say, and else nothing."
        " What was watched can be credited once it is in Postgres, usually within half a second.",
        bodies=json_body(GivingBody, "of an assignment", {"course": "safety", "user": "ann"}),
        models=(GivingBody,),
    ),
    Call(
        "GET",
        "/v1/credits",
        handlers.get_credits,
        "get_credits",
        "credits",
        "The credits of an attempt or a user, the last one first",
        (
            Answer(
                200,
                "A page; also those that were taken back.",
                (CreditPage,),
                example={"items": [CREDIT_ANSWER], "next_cursor": None},
            ),
            BAD_PAGE,
            unknown("there is no attempt 2"),
            *ALWAYS,
        ),
        scope=Scope.READ,
        whose=Whose.USERS_WITHIN,
        description="Exactly one of `attempt` and `user` says whose.",
        parameters=(
            Parameter("attempt", "query", "what this attempt was credited", {"type": "integer"}),
            filtered_by("user", "what this user was credited", USER_CHARS_MAX),
            LIMIT,
            CURSOR,
        ),
    ),
    Call(
        "GET",
        "/v1/credits/{credit:[^/]+}",
        handlers.get_credit,
        "get_credit",
        "credits",
        "A credit, and which sessions gave what",
        (
            Answer(200, "Also one that was taken back.", (CreditWithShares,), example=WITH_SHARES),
            NO_CREDIT,
            *ALWAYS,
        ),
        scope=Scope.READ,
        whose=Whose.USERS_WITHIN,
        parameters=(CREDIT,),
    ),
    Call(
        "DELETE",
        "/v1/credits/{credit:[^/]+}",
        handlers.take_back,
        "take_credit_back",
        "credits",
        "Take a credit back",
        (
            Answer(
                200,
                "The credit, which is kept as it was given.",
                (CreditWithShares,),
                example=WITH_SHARES | {"taken_back_at": MOMENT, "taken_back_by": "eve"},
            ),
            NO_CREDIT,
            *ALWAYS,
        ),
        scope=Scope.ADMIN,
        description="The attempt has what was watched during it, and other credits. A completion that stood on this"
        " one is withdrawn, and said when it was; one that was reached without it stays, with its date.",
        parameters=(CREDIT,),
    ),
)
