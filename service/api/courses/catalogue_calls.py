"""The calls about courses and lessons, as they are described."""

from __future__ import annotations

from typing import Any

from service.access.keyring import Scope
from service.api.calls import CURSOR, LIMIT, Answer, Call, Whose, failure
from service.api.courses import catalogue
from service.api.courses.bodies import CourseBody
from service.api.courses.described import (
    ALWAYS,
    BAD_NAME,
    BAD_PAGE,
    COURSE,
    FIELDS,
    LESSON,
    MOMENT,
    NO_COURSE,
    WITH_ARCHIVED,
    json_body,
    reading_failures,
    unknown,
)
from service.api.courses.schemas import (
    Course,
    CoursePage,
    LessonHistory,
)

LESSON_EXAMPLE = {
    "lesson": "intro",
    "slug": "intro-2026",
    "title": "Introduction",
    "duration_seconds": 600,
    "threshold_permille": 950,
}
COURSE_EXAMPLE: dict[str, Any] = {
    "title": "Safety at work",
    "time_zone": "Europe/Berlin",
    "skip_policy": "block",
    "credit": {"window_months": 12, "cap_permille": 1000, "includes_flagged": False},
    "renewal": {"every_months": 12, "lead_days": 30},
}
COURSE_ANSWER = {
    "course": "safety",
    **COURSE_EXAMPLE,
    "lessons": [LESSON_EXAMPLE | {"revision": 1}],
    "created_at": MOMENT,
    "updated_at": MOMENT,
    "archived_at": None,
}

CATALOGUE_CALLS = (
    Call(
        "GET",
        "/v1/courses",
        catalogue.get_courses,
        "get_courses",
        "courses",
        "All courses, by name",
        (
            Answer(200, "A page.", (CoursePage,), example={"items": [COURSE_ANSWER], "next_cursor": None}),
            BAD_PAGE,
            *ALWAYS,
        ),
        scope=Scope.READ,
        whose=Whose.EVERYBODYS,
        parameters=(LIMIT, CURSOR, WITH_ARCHIVED),
    ),
    Call(
        "PUT",
        "/v1/courses/{course:[^/]+}",
        catalogue.put_course,
        "put_course",
        "courses",
        "Make a course, or change it",
        (
            Answer(200, "The course as it is now.", (Course,), example=COURSE_ANSWER),
            *reading_failures(f"{FIELDS}, `repeated_lesson`"),
            failure(
                409,
                "`lesson_elsewhere`: a lesson is another course's. `wrong_revision`: neither the one there is nor the"
                " next.",
                "lesson_elsewhere",
                "lesson 'intro' is another course's",
            ),
            *ALWAYS,
        ),
        scope=Scope.ADMIN,
        description="The course is as the body says, and what the body leaves out is as by default. Doing it again"
        " changes nothing. Lessons that are left out are removed from the course; what was watched of them stays. A"
        " lesson with another slug or duration has another video: its `revision` is one more, and what was watched of"
        " the old one stays with that. An archived course is back.",
        parameters=(COURSE,),
        bodies=json_body(
            CourseBody, "a course that is due again each year", COURSE_EXAMPLE | {"lessons": [LESSON_EXAMPLE]}
        ),
        models=(CourseBody,),
    ),
    Call(
        "GET",
        "/v1/courses/{course:[^/]+}",
        catalogue.get_course,
        "get_course",
        "courses",
        "A course and its lessons",
        (
            Answer(200, "Archived or not.", (Course,), example=COURSE_ANSWER),
            BAD_NAME,
            NO_COURSE,
            *ALWAYS,
        ),
        scope=Scope.READ,
        whose=Whose.EVERYBODYS,
        parameters=(COURSE,),
    ),
    Call(
        "DELETE",
        "/v1/courses/{course:[^/]+}",
        catalogue.archive_course,
        "archive_course",
        "courses",
        "Archive a course",
        (
            Answer(200, "The course.", (Course,), example=COURSE_ANSWER | {"archived_at": MOMENT}),
            BAD_NAME,
            NO_COURSE,
            *ALWAYS,
        ),
        scope=Scope.ADMIN,
        description="It is not listed, assigned or renewed any more. Nothing is deleted, and what is assigned goes on.",
        parameters=(COURSE,),
    ),
    Call(
        "GET",
        "/v1/lessons/{lesson:[^/]+}",
        catalogue.get_lesson,
        "get_lesson",
        "courses",
        "A lesson, and every video that it has had",
        (
            Answer(
                200,
                "Also one that was removed from its course.",
                (LessonHistory,),
                example={
                    **LESSON_EXAMPLE,
                    "revision": 1,
                    "course": "safety",
                    "removed_at": None,
                    "revisions": [
                        {"revision": 1, "slug": "intro-2026", "duration_seconds": 600, "made_at": MOMENT}
                    ],
                },
            ),
            BAD_NAME,
            unknown("there is no lesson 'intro'"),
            *ALWAYS,
        ),
        scope=Scope.READ,
        whose=Whose.EVERYBODYS,
        parameters=(LESSON,),
    ),
)
