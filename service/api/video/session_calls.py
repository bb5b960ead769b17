"""The calls by which a player tells what it plays, as they are described."""

from __future__ import annotations

from service.access.keyring import Scope
from service.api.calls import Answer, Call, Whose, failure
from service.api.courses.described import FIELDS, MOMENT, json_body, reading_failures
from service.api.video import sessions
from service.api.video.bodies import HeartbeatBody, ProgressBody, SessionBody
from service.api.video.described import (
    ALWAYS,
    BAD_SESSION,
    NO_LESSON,
    NO_SESSION,
    READING,
    SESSION,
    SESSION_ID,
)
from service.api.video.schemas import Alive, Reported, ReportProblem, Session, Started

STARTED = {
    "sessionId": SESSION_ID,
    "attemptId": 2,
    "isAssigned": True,
    "resumeSecond": 0,
    "staleAfterSeconds": 300,
    "message": "watching counts for attempt 2 at the course 'safety'",
}
PROGRESS = {
    "segments": [
        {"clientEventId": "s1", "startSecond": 0, "endSecond": 12.5, "speed": 1},
        {"clientEventId": "s2", "startSecond": 12.5, "endSecond": 30, "speed": 1.5},
    ],
    "seeks": [{"clientEventId": "k1", "fromSecond": 30, "toSecond": 300}],
}
JUDGED = {
    "clientEventId": "k1",
    "fromSecond": 30,
    "toSecond": 300,
    "allowed": False,
    "happened": False,
    "isSkip": False,
    "isFlagged": False,
    "limitSecond": 30,
    "reason": "blocked",
    "message": "only what was watched without a gap may be sought in: play on from the limit",
}
REPORTED = {"sessionId": SESSION_ID, "accepted": 2, "duplicates": 0, "rejected": [], "seeks": [JUDGED]}
SESSION_ANSWER = {
    "sessionId": SESSION_ID,
    "userId": "ann",
    "lessonId": "intro",
    "attemptId": 2,
    "startedAt": MOMENT,
    "closedAt": MOMENT,
    "closedBy": "client",
    "watchSeconds": 30,
    "effectiveSeconds": 24.167,
    "uniqueSeconds": 30,
}
WRONG = {
    "field": "segments[0].endSecond",
    "reason": "out_of_range",
    "detail": "segments[0].endSecond: expected a second that is not before startSecond, got 3",
}
BAD_REPORT = (
    *(said for said in reading_failures() if said.status != 422),
    failure(
        422,
        f"Nothing of it could be read: {FIELDS}.",
        "out_of_range",
        WRONG["detail"],
        ReportProblem,
        rejected=[WRONG],
    ),
)

SESSION_CALLS = (
    Call(
        "POST",
        "/video/sessions",
        sessions.start,
        "start_session",
        "video",
        "Start watching a lesson",
        (
            Answer(200, "The session, and what watching counts for.", (Started,), example=STARTED),
            *READING,
            NO_LESSON,
            failure(
                409,
                "`session_elsewhere`: the `clientSessionId` is of another lesson already.",
                "session_elsewhere",
                "clientSessionId: 'tab 1' is of lesson 'rules', not 'intro'",
            ),
            *ALWAYS,
        ),
        scope=Scope.INGEST,
        whose=Whose.USERS_WITHIN,
        description="The attempt that is open at the lesson's course is the session's. Where the course is not assigned"
        " there is none, and what is watched is kept all the same. The server knows whether it is: `isAssigned` of"
        " the body is only what the player believes, and `message` says where that is wrong.",
        bodies=json_body(
            SessionBody,
            "a lesson is opened",
            {"userId": "ann", "lessonId": "intro", "isAssigned": True, "clientInfo": {"player": "web 3.1"}},
        ),
        models=(SessionBody,),
    ),
    Call(
        "POST",
        "/video/sessions/{sessionId:[^/]+}/progress",
        sessions.report,
        "report_progress",
        "video",
        "Tell what was played and sought",
        (
            Answer(200, "What became of it.", (Reported,), example=REPORTED),
            *BAD_REPORT,
            NO_SESSION,
            *ALWAYS,
        ),
        scope=Scope.INGEST,
        whose=Whose.USERS_WITHIN,
        description="Every 5 to 15 seconds, and when something changes. The same segment counts once within the"
        " session, by its `clientEventId`, however often and in whichever order it comes; so after a 503, or no"
        " answer, send the same body again. That holds as long as raw events are kept (`PLAYHEAD_EVENTS_KEEP_DAYS`). A"
        " seek is judged by what is covered then, the segments of the body included. One piece that cannot be read does"
        " not keep back the others. A session that is closed goes on counting.",
        parameters=(SESSION,),
        bodies=json_body(ProgressBody, "two segments and a seek", PROGRESS),
        models=(ProgressBody,),
    ),
    Call(
        "PUT",
        "/video/sessions/{sessionId:[^/]+}/heartbeat",
        sessions.heartbeat,
        "send_heartbeat",
        "video",
        "Tell that the player is there",
        (
            Answer(
                200,
                "It was heard.",
                (Alive,),
                example={"sessionId": SESSION_ID, "isClosed": False, "staleAfterSeconds": 300},
            ),
            *READING,
            NO_SESSION,
            *ALWAYS,
        ),
        scope=Scope.INGEST,
        whose=Whose.USERS_WITHIN,
        description="While nothing is reported, in a pause say. The body may be empty. A heartbeat counts nothing as"
        " watched, whatever position it tells: that is what segments are for.",
        parameters=(SESSION,),
        bodies=json_body(HeartbeatBody, "paused", {"positionSecond": 30}),
        models=(HeartbeatBody,),
    ),
    Call(
        "PUT",
        "/video/sessions/{sessionId:[^/]+}/close",
        sessions.close,
        "close_session",
        "video",
        "End a session",
        (
            Answer(
                200,
                "The session. What was watched in it is complete within seconds.",
                (Session,),
                example=SESSION_ANSWER,
            ),
            BAD_SESSION,
            NO_SESSION,
            *ALWAYS,
        ),
        scope=Scope.INGEST,
        whose=Whose.USERS_WITHIN,
        description="Again, it changes nothing. One of which nothing is heard any more is closed by itself. What it"
        " played is told as it is known here, some seconds behind: ask for the progress for what counts now.",
        parameters=(SESSION,),
    ),
)
