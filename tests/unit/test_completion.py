"""When a lesson is complete, what it still needs, and how far its course has come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.courses.cells import lowest, seen_in, spans_of
from service.courses.completion import LessonState, completion_of, status_of
from service.courses.model import Status, cells_of

SPANS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=20)

CASES = {
    "nothing seen": (100_000, 950, [], 0, 95, [(0, 100)], 95),
    "all seen": (100_000, 950, [(0, 100)], 100, 95, [], 0),
    "just enough": (100_000, 950, [(0, 95)], 95, 95, [(95, 100)], 0),
    "one second short": (100_000, 950, [(0, 94)], 94, 95, [(94, 100)], 1),
    "holes count as little as a missing end": (100_000, 950, [(3, 98)], 95, 95, [(0, 3), (98, 100)], 0),
    "a replay counts once": (100_000, 950, [(0, 60), (30, 60), (0, 10)], 60, 95, [(60, 100)], 35),
    "spans in any order": (10_000, 1000, [(7, 9), (0, 2)], 4, 10, [(2, 7), (9, 10)], 6),
    "what touches is one span": (10_000, 1000, [(4, 6), (2, 4)], 4, 10, [(0, 2), (6, 10)], 6),
    "past the end nothing counts": (10_000, 1000, [(8, 20)], 2, 10, [(0, 8)], 8),
    "an empty or reversed span has no cells": (10_000, 1000, [(5, 5), (9, 3)], 0, 10, [(0, 10)], 10),
    "a part of a second is a cell": (10_001, 1000, [(0, 10)], 10, 11, [(10, 11)], 1),
    "the threshold is rounded up": (101_000, 950, [(0, 95)], 95, 96, [(95, 101)], 1),
    "a threshold of a thousandth": (10_000, 1, [(9, 10)], 1, 1, [(0, 9)], 0),
    "a movie of a moment": (1, 950, [(0, 1)], 1, 1, [], 0),
    "the longest movie": (172_800_000, 950, [(0, 172_800)], 172_800, 164_160, [], 0),
}


@pytest.mark.parametrize("case", CASES)
def test_completion(case: str) -> None:
    duration_ms, threshold, spans, seen, needed, missing, still_needed = CASES[case]
    found = completion_of(seen_in(spans), duration_ms, threshold)
    assert (found.cells, found.seen_cells, found.needed_cells) == (cells_of(duration_ms), seen, needed)
    assert (list(found.missing), found.still_needed_cells) == (missing, still_needed)
    assert found.is_complete == (still_needed == 0)


@given(SPANS, st.integers(1, 250_000), st.integers(1, 1000))
def test_seen_and_missing_make_the_whole(
    spans: list[tuple[int, int]], duration_ms: int, threshold: int
) -> None:
    found = completion_of(seen_in(spans), duration_ms, threshold)
    cells = {cell for first, end in spans for cell in range(first, min(end, found.cells))}
    missing = {cell for first, end in found.missing for cell in range(first, end)}
    assert (len(cells), cells | missing) == (found.seen_cells, set(range(found.cells)))
    assert not cells & missing
    assert found.is_complete == (len(cells) * 1000 >= found.cells * threshold)


@given(SPANS, st.integers(-5, 400))
def test_the_lowest_cells_are_the_first_of_the_sorted_ones(spans: list[tuple[int, int]], count: int) -> None:
    cells = sorted({cell for first, end in spans for cell in range(first, end)})
    kept = [cell for first, end in spans_of(lowest(seen_in(spans), count)) for cell in range(first, end)]
    assert kept == cells[: max(0, count)]


NONE, BEGUN, DONE = LessonState(False, False), LessonState(True, False), LessonState(True, True)


@pytest.mark.parametrize(
    ("lessons", "status"),
    [
        ([], Status.ASSIGNED),
        ([NONE], Status.ASSIGNED),
        ([NONE, NONE], Status.ASSIGNED),
        ([BEGUN], Status.IN_PROGRESS),
        ([NONE, BEGUN], Status.IN_PROGRESS),
        ([DONE, NONE], Status.IN_PROGRESS),
        ([DONE, BEGUN], Status.IN_PROGRESS),
        ([DONE], Status.COMPLETED),
        ([DONE, DONE], Status.COMPLETED),
        ([LessonState(False, True), NONE], Status.IN_PROGRESS),
    ],
)
def test_a_course_is_as_far_as_its_lessons(lessons: list[LessonState], status: Status) -> None:
    assert status_of(lessons) is status
