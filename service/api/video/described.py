"""What the descriptions of players' calls share: parameters, and how a call may fail."""

from __future__ import annotations

from service.api.calls import FAILED, KEYED, LATER, failure
from service.api.courses.described import FIELDS, named, reading_failures, unknown
from service.limits import LESSON_CHARS_MAX, USER_CHARS_MAX, WATCH_SESSION_CHARS_MAX

SESSION_ID = "0b6f6a4e-4f0e-4c56-9d5e-0a5b1a7f2c11"
SESSION = named("sessionId", "the session", WATCH_SESSION_CHARS_MAX, SESSION_ID)
USER = named("userId", "who watches", USER_CHARS_MAX, "ann")
LESSON = named("lessonId", "the lesson", LESSON_CHARS_MAX, "intro")

AWAY = failure(
    503,
    "`unavailable`: Redis or Postgres does not answer now. Making the same call again is safe, and finishes what was"
    " done by halves.",
    "unavailable",
    "Redis did not answer: Connection refused",
    headers=LATER,
)
ALWAYS = (AWAY, *KEYED, FAILED)
NO_SESSION = unknown(f"there is no session '{SESSION_ID}'")
NO_LESSON = unknown("there is no lesson 'intro'")
BAD_SESSION = failure(
    400,
    "`bad_name`, `bad_query`: a name in the path or a number in the address cannot be one.",
    "bad_name",
    f"sessionId: expected a name of 1 to {WATCH_SESSION_CHARS_MAX} characters of Unicode, without U+0000",
)
BAD_NAME = failure(
    400,
    "`bad_name`: a name in the path cannot be one.",
    "bad_name",
    f"userId: expected a name of 1 to {USER_CHARS_MAX} characters of Unicode, without U+0000",
)
READING = reading_failures(FIELDS)
