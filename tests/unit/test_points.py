"""Points of progress become few events, which count what the points would have counted as heartbeats."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.events.event import Event
from service.moving.points import Place, Point, Told, marks_of, told_of
from service.rules.constants import Constants
from service.rules.model import Model

CONSTANTS = Constants()
START_US = 1_700_000_000_000_000
SECOND_US = 1_000_000


def every(seconds: float, *at: float, start: float = 0, counts: bool = True) -> list[Point]:
    """Positions in seconds, so many seconds apart by the clock."""
    return [
        Point(round(one * 1000), START_US + round((start + place * seconds) * SECOND_US), counts)
        for place, one in enumerate(at)
    ]


def told(
    points: list[Point], last: Place | None = None
) -> list[tuple[str, float | None, float, float, int | None]]:
    """Kind, from, to, second of the clock, speed."""
    return [
        (
            one.kind,
            None if one.from_ms is None else one.from_ms / 1000,
            one.at_ms / 1000,
            (one.time_us - START_US) / SECOND_US,
            one.speed,
        )
        for one in told_of(points, last, CONSTANTS)
    ]


def test_what_goes_on_is_one_span_with_the_interval_of_the_first() -> None:
    assert told(every(5, 20, 25, 30, 35)) == [("segment", 10, 35, 15, 1000)]


def test_a_jump_is_a_seek_to_where_the_next_span_begins() -> None:
    assert told(every(5, 5, 10, 300, 305)) == [
        ("segment", 0, 10, 5, 1000),
        ("seek", 10, 290, 5, None),
        ("segment", 290, 305, 15, 1000),
    ]


def test_a_jump_back_too() -> None:
    assert told(every(5, 100, 50)) == [
        ("segment", 90, 100, 0, 1000),
        ("seek", 100, 40, 0, None),
        ("segment", 40, 50, 5, 1000),
    ]


def test_what_moved_faster_than_the_clock_at_every_step_was_played_faster() -> None:
    assert told(every(5, 10, 17.5, 25.1, 32.5, 40))[0][4] == 1500
    assert told(every(5, 10, 17.5, 22.5, 30, 37.5))[0][4] == 1000
    assert told(every(5, 10, 17.5, 25))[0][4] == 1000
    assert told(every(5, 10, 30, 50, 70, 90))[0][4] == 2000
    assert told(every(0, 10, 15, 20, 25, 30))[0][4] == 2000


def test_a_speed_between_two_steps_is_the_nearer_one_and_in_the_middle_the_higher_one() -> None:
    speeds = (1.024, 1.025, 1.074, 1.075, 1.475, 1.476, 1.525, 1.974, 1.975)
    found = [told(every(10, *(place * 10 * speed for place in range(4))))[0][4] for speed in speeds]
    assert found == [1000, 1050, 1050, 1100, 1500, 1500, 1550, 1950, 2000]


def test_a_long_silence_parts_what_goes_on() -> None:
    assert told([*every(5, 10, 15), *every(5, 20, 25, start=700)]) == [
        ("segment", 0, 15, 5, 1000),
        ("segment", 15, 25, 705, 1000),
    ]


def test_who_stands_still_has_played_nothing() -> None:
    assert told(every(5, 0, 0, 0)) == [("mark", None, 0, 10, None)]


def test_what_was_counted_already_is_gone_on_from() -> None:
    """The first dual write counted [15, 25), the second one [25, 30)."""
    points = [*every(5, 20), *every(5, 25, 30, start=5, counts=False), *every(5, 35, start=15)]
    assert told(points) == [("segment", 10, 15, 0, 1000), ("segment", 30, 35, 15, 1000)]


def test_a_point_whose_dual_write_was_lost_is_counted_by_the_next_one() -> None:
    """Which went on from the one before it."""
    lost, dual = every(5, 25, start=5), every(10, 20, 30, counts=False)
    assert told([dual[0], *lost, dual[1]], Place(15_000, START_US)) == [("mark", None, 20, 5, None)]


@given(st.lists(st.tuples(st.integers(0, 30_000), st.booleans()), min_size=1, max_size=20))
@example([(20_000, True), (25_000, False), (5_000, True), (30_000, False)])
def test_dual_writes_and_the_import_count_together_what_all_would_have(steps: list[tuple[int, bool]]) -> None:
    """Whichever of them were lost, of who plays on without a jump."""
    at_ms, points = 0, []
    for place, (step, counts) in enumerate(steps):
        at_ms += step
        points.append(Point(at_ms, START_US + place * 5 * SECOND_US, counts))
    whole = counted([heartbeat_of(one, "old") for one in points])
    dual = [heartbeat_of(one, "old") for one in points if not one.counts]
    assert counted([*dual, *map(event_of, told_of(points, None, CONSTANTS))])[:2] == whole[:2]


def heartbeat_of(one: Point, session: str) -> Event:
    return Event("ann", "dune", "heartbeat", one.at_ms, one.time_us, START_US, timed=True, session=session)


def test_the_next_run_goes_on_from_the_last_place() -> None:
    assert told(every(5, 35, start=5), Place(30_000, START_US)) == [("segment", 30, 35, 5, 1000)]


@st.composite
def walks(draw: st.DrawFn) -> list[Point]:
    """Mostly on by some seconds, sometimes anywhere; times never go back, and may stand still."""
    at_ms, time_us, points = draw(st.integers(0, 60_000)), START_US, []
    for _ in range(draw(st.integers(1, 25))):
        points.append(Point(at_ms, time_us))
        step = draw(st.integers(0, 7_500) | st.sampled_from((0, 5_000, 7_500, 30_000, 30_001)) | st.none())
        at_ms = draw(st.integers(0, 200_000)) if step is None else at_ms + step
        time_us += draw(st.integers(0, 6_000_000) | st.sampled_from((0, 5_000_000, 600_000_000, 600_000_001)))
    return points


@given(walks(), st.integers(0, 25))
@example(every(5, 20, 25, 55, 85.001, 3), 2)
def test_spans_count_what_the_points_would_have_counted(points: list[Point], parted: int) -> None:
    """In one run or in two, the second of which knows only the last place."""
    first, second = points[:parted], points[parted:]
    last = Place(*first[-1][:2]) if first else None
    spans = [*told_of(first, None, CONSTANTS), *told_of(second, last, CONSTANTS)]
    expected = counted([Event("ann", "dune", "heartbeat", *one[:2], START_US, timed=True) for one in points])
    assert counted([event_of(one) for one in spans]) == expected


def counted(events: list[Event]) -> tuple[object, ...]:
    model = Model(CONSTANTS)
    for event in events:
        model.apply(event)
    pair = model.pairs["ann", "dune"]
    return pair.totals.watch_ms, pair.seen, pair.latest_ms, pair.latest_us, pair.furthest_ms


def event_of(one: Told) -> Event:
    return Event(
        "ann",
        "dune",
        one.kind,
        one.at_ms,
        one.time_us,
        START_US,
        timed=True,
        from_ms=one.from_ms,
        speed=one.speed,
    )


@pytest.mark.parametrize(
    ("progress", "furthest", "viewed", "last", "marks"),
    [
        (0, 0, 0, None, []),
        (30, 30, 0, None, [30]),
        (30, 80, 0, None, [80, 30]),
        (0, 80, 0, None, [80, 0]),
        (40, 40, 10, Place(40_000, START_US), []),
        (40, 80, 10, Place(40_000, START_US), [80, 40]),
        (40, 80, -1, Place(40_000, START_US), [80]),
        (20, 40, 10, Place(40_000, START_US), [20]),
        (20, 40, -1, Place(40_000, START_US), []),
    ],
)
def test_what_a_lesson_says_beyond_its_points(
    progress: int, furthest: int, viewed: int, last: Place | None, marks: list[int]
) -> None:
    points = every(5, 40) if last else []
    viewed_us = START_US + viewed * SECOND_US
    found = list(marks_of(progress * 1000, furthest * 1000, viewed_us, points, last))
    assert found == [Told("mark", at * 1000, viewed_us) for at in marks]
