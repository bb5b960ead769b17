"""The calls by which players and their pages ask, as they are described."""

from __future__ import annotations

from service.access.keyring import Scope
from service.api.calls import CURSOR, LIMIT, Answer, Call, Parameter, Whose
from service.api.courses.described import BAD_PAGE, MOMENT
from service.api.video import reads
from service.api.video.described import (
    ALWAYS,
    BAD_NAME,
    BAD_SESSION,
    LESSON,
    NO_LESSON,
    NO_SESSION,
    SESSION,
    SESSION_ID,
    USER,
)
from service.api.video.schemas import Limit, Skips, UnassignedHistory, UserProgress
from service.api.video.session_calls import SESSION_ANSWER
from service.limits import POSITION_MAX_S

LIMIT_ANSWER = {
    "sessionId": SESSION_ID,
    "toSecond": 300,
    "allowed": False,
    "isSkip": False,
    "limitSecond": 30,
    "policy": "block",
    "reason": "blocked",
    "message": "only what was watched without a gap may be sought in: play on from the limit",
}
SKIPS = {
    "sessionId": SESSION_ID,
    "userId": "ann",
    "lessonId": "intro",
    "skips": 1,
    "skippedSeconds": 270,
    "blocked": 0,
    "flagged": 1,
    "seeks": [
        {
            "fromSecond": 30,
            "toSecond": 300,
            "limitSecond": 30,
            "decision": "flagged",
            "happened": True,
            "isSkip": True,
            "reason": "chapter",
            "at": MOMENT,
        }
    ],
}
ATTEMPT_ANSWER = {
    "attemptId": 2,
    "number": 1,
    "status": "InProgress",
    "overdue": False,
    "openedAt": MOMENT,
    "dueAt": None,
    "startedAt": MOMENT,
    "lastViewedAt": MOMENT,
    "completedAt": None,
    "closedAt": None,
}
PROGRESS_ANSWER = {
    "userId": "ann",
    "lessonId": "intro",
    "courseId": "safety",
    "isAssigned": True,
    "attempt": ATTEMPT_ANSWER,
    "progress": {
        "durationSeconds": 600,
        "uniqueSeconds": 30,
        "creditedSeconds": 0,
        "coverageFraction": 0.05,
        "neededSeconds": 570,
        "stillNeededSeconds": 540,
        "isComplete": False,
        "completedAt": None,
        "limitSecond": 30,
        "watchSeconds": 30,
        "effectiveSeconds": 24.167,
        "missing": [[30, 600]],
    },
    "sessions": [SESSION_ANSWER],
    "total": {
        "watchSeconds": 30,
        "effectiveSeconds": 24.167,
        "uniqueSeconds": 30,
        "furthestSecond": 30,
        "latestSecond": 30,
    },
}
HISTORY_ANSWER = {
    "userId": "ann",
    "items": [
        {
            "lessonId": "intro",
            "courseId": "safety",
            "title": "Introduction",
            "durationSeconds": 600,
            "watchSeconds": 30,
            "effectiveSeconds": 24.167,
            "uniqueSeconds": 30,
            "coverageFraction": 0.05,
            "lastViewedAt": MOMENT,
            "sessions": [
                {
                    "sessionId": SESSION_ID,
                    "firstViewedAt": MOMENT,
                    "lastViewedAt": MOMENT,
                    "watchSeconds": 30,
                    "uniqueSeconds": 30,
                    "flaggedSeconds": 0,
                }
            ],
        }
    ],
    "nextCursor": None,
}

READING_CALLS = (
    Call(
        "GET",
        "/video/sessions/{sessionId:[^/]+}/limit",
        reads.get_limit,
        "get_seek_limit",
        "video",
        "Whether a player may seek there, and how far it may",
        (
            Answer(200, "At this moment.", (Limit,), example=LIMIT_ANSWER),
            BAD_SESSION,
            NO_SESSION,
            *ALWAYS,
        ),
        scope=Scope.READ,
        whose=Whose.USERS_WITHIN,
        description="Asking changes nothing and is not recorded; a seek that was made, or blocked, is reported with the"
        " progress. The limit is that of the attempt that is open now: in a new attempt it starts from second 0.",
        parameters=(
            SESSION,
            Parameter(
                "toSecond",
                "query",
                "where to; needed",
                {"type": "number", "minimum": 0, "maximum": POSITION_MAX_S},
                300,
            ),
        ),
    ),
    Call(
        "GET",
        "/video/sessions/{sessionId:[^/]+}/skip-analytics",
        reads.get_skips,
        "get_skips",
        "video",
        "What was skipped in a session",
        (
            Answer(200, "The seeks past the limit.", (Skips,), example=SKIPS),
            BAD_SESSION,
            NO_SESSION,
            *ALWAYS,
        ),
        scope=Scope.READ,
        whose=Whose.USERS_WITHIN,
        parameters=(SESSION,),
    ),
    Call(
        "GET",
        "/video/users/{userId:[^/]+}/lessons/{lessonId:[^/]+}/progress",
        reads.get_progress,
        "get_lesson_progress",
        "video",
        "How far a user is with a lesson",
        (
            Answer(
                200,
                "`progress` and `total` are of this moment; what sessions played is some seconds behind.",
                (UserProgress,),
                example=PROGRESS_ANSWER,
            ),
            BAD_NAME,
            NO_LESSON,
            *ALWAYS,
        ),
        scope=Scope.READ,
        whose=Whose.USERS_WITHIN,
        parameters=(USER, LESSON),
    ),
    Call(
        "GET",
        "/video/users/{userId:[^/]+}/unassigned-history",
        reads.get_unassigned_history,
        "get_unassigned_history",
        "video",
        "What a user watched while it was not assigned: what could be credited",
        (
            Answer(
                200,
                "A page; empty where there is nothing. Some seconds behind.",
                (UnassignedHistory,),
                example=HISTORY_ANSWER,
            ),
            BAD_PAGE,
            *ALWAYS,
        ),
        scope=Scope.READ,
        whose=Whose.USERS_WITHIN,
        description="Of videos that are a lesson's now, whichever its course. What a credit gives of it is for the"
        " course's credit policy to say (`POST /v1/credits`).",
        parameters=(USER, LIMIT, CURSOR),
    ),
)
