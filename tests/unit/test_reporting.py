"""Which assignments a report takes, and how they are written as CSV."""

from __future__ import annotations

import csv
import io

import pytest

from service.api.courses.report_lines import line_of
from service.courses.model import Assignment, Attempt, Opening, Status
from service.courses.reports.reporting import Question

NOW = 1000


def assigned(**dates: int) -> Assignment:
    attempt = Attempt(
        1, "safety", "ann", 1, 0, Opening.ASSIGNMENT, **{f"{name}_us": us for name, us in dates.items()}
    )
    return Assignment("safety", "ann", 0, 0, None, None, attempt)


NEVER_DUE, LATE, LATER = assigned(), assigned(due=NOW), assigned(due=NOW + 1)
STARTED, DONE = assigned(due=NOW, started=1), assigned(due=NOW, started=1, completed=2)
ALL = [NEVER_DUE, LATE, LATER, STARTED, DONE]


@pytest.mark.parametrize(
    ("question", "taken"),
    [
        (Question(), ALL),
        (Question(status=Status.ASSIGNED), [NEVER_DUE, LATE, LATER]),
        (Question(status=Status.IN_PROGRESS), [STARTED]),
        (Question(status=Status.COMPLETED), [DONE]),
        (Question(is_overdue=True), [LATE, STARTED]),
        (Question(is_overdue=False), [NEVER_DUE, LATER, DONE]),
        (Question(due_before_us=NOW), [LATE, STARTED, DONE]),
        (Question(due_after_us=NOW), [LATER]),
        (Question(due_before_us=NOW + 1, due_after_us=NOW), [LATER]),
        (Question(is_overdue=True, status=Status.IN_PROGRESS), [STARTED]),
    ],
)
def test_a_question_takes_those_for_which_all_of_it_is_so(
    question: Question, taken: list[Assignment]
) -> None:
    assert [one for one in ALL if question.takes(one, NOW)] == taken
    assert question.is_selective == (taken != ALL)


@pytest.mark.parametrize(
    "formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1+1", '="a",1']
)
def test_no_field_is_a_formula(formula: str) -> None:
    [[field, after]] = csv.reader(io.StringIO(line_of([formula, "x"]), newline=""))
    assert (field, after) == (f"'{formula}", "x")


@pytest.mark.parametrize("text", ["", "a", "a=1", 'say "hi"', "a,b", "a;b", "a\nb", "à 🎬", "5-3"])
def test_every_other_field_is_read_as_it_is(text: str) -> None:
    assert list(csv.reader(io.StringIO(line_of(["x", text]), newline=""))) == [["x", text]]
