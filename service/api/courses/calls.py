"""The calls of courses, all together."""

from __future__ import annotations

from service.api.courses.assignment_calls import ASSIGNMENT_CALLS
from service.api.courses.attempt_calls import ATTEMPT_CALLS
from service.api.courses.catalogue_calls import CATALOGUE_CALLS
from service.api.courses.credit_calls import CREDIT_CALLS
from service.api.courses.report_calls import REPORT_CALLS
from service.api.courses.team_calls import TEAM_CALLS

COURSE_TAGS = {
    "courses": "What is to be watched: courses of lessons.",
    "teams": "Who belongs together, for reports and managers.",
    "assignments": "Who is to watch which course, until when, and how far each attempt has come.",
    "reports": "How far everybody has come, for managers.",
    "credits": "What watching before an assignment is worth.",
}


COURSE_CALLS = (
    *CATALOGUE_CALLS,
    *TEAM_CALLS,
    *ASSIGNMENT_CALLS,
    *ATTEMPT_CALLS,
    *CREDIT_CALLS,
    *REPORT_CALLS,
)
