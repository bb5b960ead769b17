"""The calls about assignments and attempts, as they are described."""

from __future__ import annotations

from service.access.keyring import Scope
from service.api.calls import (
    CURSOR,
    FAILED,
    KEYED,
    LATER,
    LIMIT,
    Answer,
    Body,
    Call,
    Whose,
    failure,
    reference,
)
from service.api.courses import assigning, assignments
from service.api.courses.bodies import AssignmentBody
from service.api.courses.described import (
    ALWAYS,
    BAD_NAME,
    BAD_PAGE,
    COURSE,
    ENCODED,
    FIELDS,
    MOMENT,
    NEVER_ASSIGNED,
    SLOW,
    USER,
    WITH_UNASSIGNED,
    filtered_by,
)
from service.api.courses.schemas import (
    Assigned,
    AssignedLines,
    AssignedOne,
    AssigningProblem,
    Assignment,
    AssignmentPage,
    LinesProblem,
)
from service.api.schemas import Problem
from service.limits import (
    ASSIGNMENTS_PER_BODY_MAX,
    COURSE_CHARS_MAX,
    TEAM_CHARS_MAX,
    USER_CHARS_MAX,
)

DATES = {
    "due_at": "2026-12-31T23:00:00.000000Z",
    "started_at": None,
    "last_viewed_at": None,
    "completed_at": None,
}
ASSIGNMENT_ANSWER = {
    "course": "safety",
    "user": "ann",
    "status": "Assigned",
    "overdue": False,
    "first_assigned_at": MOMENT,
    "assigned_at": MOMENT,
    "unassigned_at": None,
    **DATES,
    "last_completed_at": None,
    "attempt": 1,
    "number": 1,
}
ONE_ASSIGNED = {"assigned": 1, "changed": 0, "unchanged": 0, "rejected": []}
CSV_EXAMPLE = "course,user,due,time_zone\nsafety,ann,2026-12-31,Europe/Berlin\nsafety,bob,,\n"

REJECTED = {
    "index": 0,
    "field": "course",
    "reason": "unknown_course",
    "detail": "course: there is no course 'safety'",
}
ASSIGNING = (Problem, AssigningProblem, LinesProblem)

ASSIGNMENT_CALLS = (
    Call(
        "POST",
        "/v1/assignments",
        assigning.post_assignments,
        "post_assignments",
        "assignments",
        "Assign courses to users",
        (
            Answer(
                200,
                "What became of them; with `assignment` for a body that is one. All that are not in `rejected` are as"
                " they were wished.",
                (AssignedOne, Assigned, AssignedLines),
                example=ONE_ASSIGNED | {"assignment": ASSIGNMENT_ANSWER},
            ),
            failure(
                400,
                "`not_json`, `bad_gzip`: the body cannot be read. `bad_header`, `not_csv`: the first line of a CSV does"
                " not name its columns.",
                "bad_header",
                "the first line of the CSV names its columns: 'user' is missing, expected course and user, and if need"
                " be due and time_zone",
                *ASSIGNING,
            ),
            failure(408, SLOW, "body_timeout", "no byte of the body came for 30 seconds", *ASSIGNING),
            failure(
                413,
                "`too_large`, `too_many_assignments`, `too_many_rejections`: past a limit.",
                "too_many_assignments",
                f"the array holds {ASSIGNMENTS_PER_BODY_MAX + 1} assignments, at most {ASSIGNMENTS_PER_BODY_MAX} are"
                " taken at once",
                *ASSIGNING,
            ),
            failure(
                415, ENCODED, "unknown_encoding", "Content-Encoding 'br' is not taken, gzip is", *ASSIGNING
            ),
            failure(
                422,
                f"All were rejected. `reason` is that of the first one: `unknown_course`, `archived_course`, {FIELDS};"
                " of a line also `wrong_columns`, `not_csv`.",
                "unknown_course",
                f"nothing was assigned; the first one: {REJECTED['detail']}",
                AssigningProblem,
                LinesProblem,
                assigned=0,
                changed=0,
                unchanged=0,
                rejected=[REJECTED],
            ),
            failure(
                503,
                "`unavailable`: Postgres does not answer now. Sending all of it again is safe.",
                "unavailable",
                "Postgres, where courses are, does not answer: Connection refused",
                *ASSIGNING,
                headers=LATER,
            ),
            *KEYED,
            FAILED,
        ),
        scope=Scope.ADMIN,
        description="One, an array, or a CSV. Whoever has the course keeps the attempt that is under way: sending the"
        " same again changes nothing, and another `due` changes that. Whoever had it once goes on where they stopped,"
        " or begins a new attempt if that was completed. One that is refused does not keep back the others.\n\n"
        "A CSV is UTF-8, with commas, semicolons or tabs; its first line names its columns: `course` and `user`, and"
        " if need be `due` and `time_zone`. An empty field is one that was left out. A line is a row, also within"
        " quotes.",
        bodies=(
            Body(
                "application/json",
                {
                    "oneOf": [
                        reference(AssignmentBody),
                        {
                            "type": "array",
                            "items": reference(AssignmentBody),
                            "maxItems": ASSIGNMENTS_PER_BODY_MAX,
                        },
                    ]
                },
                {
                    "until the end of a day": {
                        "course": "safety",
                        "user": "ann",
                        "due": "2026-12-31",
                        "time_zone": "Europe/Berlin",
                    },
                    "many": [
                        {"course": "safety", "user": "ann"},
                        {"course": "safety", "user": "bob", "due": "2026-12-31T18:00:00+01:00"},
                    ],
                },
            ),
            Body("text/csv", {"type": "string"}, {"two lines": CSV_EXAMPLE}),
        ),
        models=(AssignmentBody,),
    ),
    Call(
        "GET",
        "/v1/assignments",
        assignments.get_assignments,
        "get_assignments",
        "assignments",
        "The assignments of a course, a user or a team",
        (
            Answer(
                200,
                "A page, by name.",
                (AssignmentPage,),
                example={"items": [ASSIGNMENT_ANSWER], "next_cursor": None},
            ),
            BAD_PAGE,
            *ALWAYS,
        ),
        scope=Scope.READ,
        whose=Whose.USERS_WITHIN,
        description="Exactly one of `course`, `user` and `team` says whose. A team's are those of its members of now.",
        parameters=(
            filtered_by("course", "who was given this course", COURSE_CHARS_MAX),
            filtered_by("user", "what this user was given", USER_CHARS_MAX),
            filtered_by("team", "what the members of this team were given", TEAM_CHARS_MAX),
            WITH_UNASSIGNED,
            LIMIT,
            CURSOR,
        ),
    ),
    Call(
        "GET",
        "/v1/assignments/{course:[^/]+}/{user:[^/]+}",
        assignments.get_assignment,
        "get_assignment",
        "assignments",
        "An assignment, with the dates of its last attempt",
        (
            Answer(200, "Also one that was taken away.", (Assignment,), example=ASSIGNMENT_ANSWER),
            BAD_NAME,
            NEVER_ASSIGNED,
            *ALWAYS,
        ),
        scope=Scope.READ,
        whose=Whose.USERS_WITHIN,
        parameters=(COURSE, USER),
    ),
    Call(
        "DELETE",
        "/v1/assignments/{course:[^/]+}/{user:[^/]+}",
        assignments.unassign,
        "unassign",
        "assignments",
        "Take a course away from a user",
        (
            Answer(
                200,
                "The assignment, which is kept as it was.",
                (Assignment,),
                example=ASSIGNMENT_ANSWER | {"unassigned_at": MOMENT},
            ),
            BAD_NAME,
            NEVER_ASSIGNED,
            *ALWAYS,
        ),
        scope=Scope.ADMIN,
        description="Its open attempt is closed as it is, and goes on when the course is assigned again.",
        parameters=(COURSE, USER),
    ),
)
