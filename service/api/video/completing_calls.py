"""The calls that finish something: an attempt, or what was left while the player was offline; as they are described."""

from __future__ import annotations

from service.access.keyring import Scope
from service.api.calls import LATER, Answer, Call, Parameter, Whose, failure
from service.api.courses.described import FIELDS, MOMENT, json_body, reading_failures, unknown
from service.api.courses.schemas import BodyProblem
from service.api.schemas import Problem
from service.api.video import completing, sync
from service.api.video.bodies import SyncBody
from service.api.video.described import ALWAYS, SESSION_ID
from service.api.video.reading_calls import ATTEMPT_ANSWER
from service.api.video.schemas import AttemptDates, IncompleteProblem, Synced, SyncProblem

SYNC_EXAMPLE = {
    "sessions": [
        {
            "clientSessionId": "tab 7",
            "userId": "ann",
            "lessonId": "intro",
            "startedAt": "2026-03-01T10:00:00Z",
            "segments": [
                {"clientEventId": "s1", "startSecond": 0, "endSecond": 30, "at": "2026-03-01T10:00:30Z"}
            ],
            "closedAt": "2026-03-01T10:00:31Z",
        },
    ],
    "sentAt": "2026-03-01T10:05:00Z",
}
SYNCED = {
    "sessionId": SESSION_ID,
    "clientSessionId": "tab 7",
    "attemptId": 2,
    "accepted": 1,
    "duplicates": 0,
    "rejected": [],
    "seeks": [],
    "isClosed": True,
    "reason": None,
    "detail": None,
}
NOT_SYNCED = SYNCED | {
    "sessionId": None,
    "attemptId": None,
    "accepted": 0,
    "isClosed": False,
}

COMPLETING_CALLS = (
    Call(
        "PUT",
        "/video/attempts/{attemptId:[^/]+}/complete",
        completing.complete,
        "complete_attempt",
        "video",
        "Complete an attempt, where what was watched does",
        (
            Answer(
                200,
                "It is completed.",
                (AttemptDates,),
                example=ATTEMPT_ANSWER | {"status": "Completed", "completedAt": MOMENT},
            ),
            unknown("there is no attempt 2"),
            failure(
                409,
                "`incomplete`: `lessons` says what is missing. `attempt_closed`: it was closed before.",
                "incomplete",
                "1 lesson is not complete: 540 more seconds have to be watched",
                IncompleteProblem,
                Problem,
                lessons=[{"lessonId": "intro", "stillNeededSeconds": 540, "missing": [[30, 600]]}],
            ),
            *ALWAYS,
        ),
        scope=Scope.INGEST,
        whose=Whose.USERS_WITHIN,
        description="Attempts complete by themselves, within seconds; this looks now. Again, it changes nothing.",
        parameters=(
            Parameter("attemptId", "path", "the attempt's number, of all attempts", {"type": "integer"}, 2),
        ),
    ),
    Call(
        "POST",
        "/video/sync",
        sync.sync,
        "sync_sessions",
        "video",
        "Tell what was buffered while the player was offline",
        (
            Answer(
                200,
                "What became of each session; those with a `reason` were not done. `unavailable`: send them again.",
                (Synced,),
                example={"sessions": [SYNCED]},
            ),
            *(said for said in reading_failures() if said.status != 422),
            failure(
                422,
                f"Nothing was done. Of the first session: `not_found`, `foreign_user`, `session_elsewhere`, {FIELDS}.",
                "not_found",
                "nothing was done; the first session: there is no lesson 'intro'",
                SyncProblem,
                BodyProblem,
                sessions=[NOT_SYNCED | {"reason": "not_found", "detail": "there is no lesson 'intro'"}],
            ),
            failure(
                503,
                "`unavailable`: Redis or Postgres does not answer now. Sending all of it again is safe.",
                "unavailable",
                "Redis did not answer: Connection refused",
                SyncProblem,
                Problem,
                headers=LATER,
                sessions=[NOT_SYNCED | {"reason": "unavailable", "detail": "Redis did not answer"}],
            ),
            *ALWAYS[1:],
        ),
        scope=Scope.INGEST,
        whose=Whose.USERS_WITHIN,
        description="Many sessions in one body, in any order, any number of times: by its `sessionId` one that is"
        " known, or by `clientSessionId`, `userId` and `lessonId` one that was started offline. Each is done by"
        " itself. With `at` of each piece and `sentAt` it is known when everything happened, however wrong the"
        " player's clock.",
        bodies=json_body(SyncBody, "a session that was started offline", SYNC_EXAMPLE),
        models=(SyncBody,),
    ),
)
