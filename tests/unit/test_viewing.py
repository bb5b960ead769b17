"""From raw events to viewings: each kind, and that they add up to what the counters have."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.courses.cells import seen_in, spans_of
from service.courses.watching.viewing import Key, Row, Viewing, Viewings, last_part, played_in
from service.events.event import CUT
from service.rules.model import FASTER_THAN_CLOCK, Model
from tests.lua.test_model import CONSTANTS, events, in_order, steps

if TYPE_CHECKING:
    from service.events.event import Event
    from service.rules.model import Outcome

SECOND_US = 1_000_000
START_US = 1_790_000_000 * SECOND_US
UNJUDGED_MS = 10**15
"""A tolerance that nobody uses up: then only what the counters found is implausible."""


def row(kind: str, at: float, credited: float = 0, **fields: Any) -> Row:
    """Seconds in, of the only session of a pair, at the start unless said otherwise."""
    plain = Row(
        "ann",
        "dune",
        "s",
        kind,
        round(at * 1000),
        None,
        None,
        None,
        True,
        START_US,
        round(credited * 1000),
        0,
        0,
    )
    return plain._replace(**fields)


CASES: dict[str, tuple[Row, list[tuple[int, int]], int]] = {
    "a heartbeat: what ends where it stands": (row("heartbeat", 30, 10), [(20_000, 30_000)], 2000),
    "a heartbeat that counted nothing": (row("heartbeat", 30), [], 2000),
    "a heartbeat with a speed of its own": (row("heartbeat", 30, 10, speed=500), [(20_000, 30_000)], 500),
    "a segment: what it says, at normal speed": (row("segment", 9, 4, from_ms=5000), [(5000, 9000)], 1000),
    "a segment with a speed": (row("segment", 9, 4, from_ms=5000, speed=750), [(5000, 9000)], 750),
    "a segment that ends where it begins": (row("segment", 5, 0, from_ms=5000), [], 1000),
    "a pause": (row("pause", 12, 2), [(10_000, 12_000)], 2000),
    "an end": (row("end", 12, 2), [(10_000, 12_000)], 2000),
    "a seek: what ends where it left": (row("seek", 90, 3, from_ms=12_000), [(9000, 12_000)], 2000),
    "a seek that does not say from where": (row("seek", 90, 3), [(87_000, 90_000)], 2000),
    "a change of speed: at the speed before": (row("rate", 12, 2, speed=500), [(10_000, 12_000)], 2000),
    "a play": (row("play", 12), [], 2000),
    "a mark": (row("mark", 12), [], 2000),
    "a claim: all that it claims, whatever it counted": (
        row("claim", 60, 1, segments=[0, 2000, 50_000, 60_000]),
        [(0, 2000), (50_000, 60_000)],
        1000,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_row_tells_what_was_played(name: str) -> None:
    """In a session that plays at double speed."""
    one, spans, speed = CASES[name]
    played = played_in(one, session_speed=2000)
    assert (list(played.spans), played.speed, played.credited_ms) == (spans, speed, one.credited_ms)


def followed(
    *rows: Row, known: dict[Key, Viewing] | None = None, tolerance_ms: int = UNJUDGED_MS
) -> Viewings:
    viewings = Viewings((known or {}).items(), tolerance_ms)
    for one in rows:
        viewings.add(one)
    return viewings


def only(viewings: Viewings) -> Viewing:
    [viewing] = viewings.all.values()
    return viewing


def test_a_viewing_knows_its_sections_by_speed() -> None:
    viewing = only(
        followed(
            row("segment", 10, 10, from_ms=0),
            row("segment", 30, 20, from_ms=10_000, speed=2000),
            row("segment", 5, 5, from_ms=0, speed=2000),
        )
    )
    assert {speed: spans_of(one.seen) for speed, one in viewing.speeds.items()} == {
        1000: ((0, 10),),
        2000: ((0, 5), (10, 30)),
    }
    assert [(one.watch_ms, one.effective_ms) for one in viewing.speeds.values()] == [
        (10_000, 10_000),
        (25_000, 12_500),
    ]
    assert (viewing.watch_ms, viewing.effective_ms, spans_of(viewing.seen)) == (35_000, 22_500, ((0, 30),))


def test_a_session_keeps_its_speed_through_scopes_and_batches() -> None:
    first = followed(row("rate", 0, speed=1500))
    second = followed(row("heartbeat", 10, 10, scope=1), known=first.all)
    assert second.changed == {Key("ann", "dune", "s", 1)}
    assert list(second.all[Key("ann", "dune", "s", 1)].speeds) == [1500]


def test_a_late_event_does_not_set_the_speed() -> None:
    late = row("mark", 0, speed=500, happened_us=START_US - 1)
    assert list(only(followed(row("rate", 0, speed=1500), late, row("heartbeat", 10, 10))).speeds) == [1500]


def test_a_claim_does_not_tell_at_which_speed_it_was_told_before() -> None:
    viewing = only(
        followed(
            row("segment", 10, 10, from_ms=0, speed=2000),
            row("claim", 20, 10, segments=[0, 20_000]),
        )
    )
    assert {speed: spans_of(one.seen) for speed, one in viewing.speeds.items()} == {
        2000: ((0, 10),),
        1000: ((10, 20),),
    }


def test_what_is_implausible_is_the_end_of_what_was_played() -> None:
    viewing = only(followed(row("segment", 60, 60, from_ms=0, implausible_ms=20_000)))
    assert viewing.implausible_ms == 20_000
    assert {why: spans_of(flag.seen) for why, flag in viewing.flags.items()} == {
        FASTER_THAN_CLOCK: ((40, 60),)
    }
    assert spans_of(viewing.flagged) == ((40, 60),)


def test_the_last_part_goes_back_over_several_spans() -> None:
    spans = [(0, 10), (20, 25), (40, 45)]
    assert last_part(spans, 7) == [(40, 45), (23, 25)]
    assert last_part(spans, 100) == [(40, 45), (20, 25), (0, 10)]
    assert last_part(spans, 0) == []


def test_times_of_a_viewing_are_those_of_its_events_in_whatever_order() -> None:
    viewing = only(followed(*(row("mark", 0, happened_us=START_US + late) for late in (5, -3, 2))))
    assert (viewing.first_us, viewing.last_us, viewing.events) == (START_US - 3, START_US + 5, 3)


def row_of(event: Event, outcome: Outcome) -> Row:
    return Row(
        event.user,
        event.slug,
        event.session,
        event.kind,
        event.at_ms,
        event.from_ms,
        [end for span in event.segments for end in span],
        event.speed,
        event.timed,
        event.time_us,
        outcome.credited_ms,
        outcome.implausible_ms,
        outcome.scope,
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(events(), min_size=1, max_size=40), steps, st.integers(1, 9))
def test_viewings_add_up_to_what_the_scopes_have(sequence: list[Event], waits: list[int], cut: int) -> None:
    """Whatever comes: to the millisecond and to the cell. Between two batches nothing but what is kept is known."""
    model = Model(CONSTANTS)
    known: dict[Key, Viewing] = {}
    rows = []
    for event in in_order(sequence, waits):
        outcome = model.apply(event)
        if not outcome.duplicate and event.kind != CUT:
            rows.append(row_of(event, outcome))
    for start in range(0, len(rows), cut):
        known = followed(*rows[start : start + cut], known=known).all
    totals: dict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for key, one in known.items():
        flagged = sum(flag.implausible_ms for flag in one.flags.values())
        watched = sum(part.watch_ms for part in one.speeds.values())
        assert (watched, flagged) == (one.watch_ms, one.implausible_ms)
        mine = totals[key.user, key.slug, key.scope]
        for place, value in enumerate((one.watch_ms, one.effective_ms, one.implausible_ms, one.events)):
            mine[place] += value
        mine[4] |= one.seen
    assert dict(totals) == {
        (*pair, number): [
            there.totals.watch_ms,
            there.totals.effective_ms,
            there.implausible_ms,
            there.totals.events,
            there.seen,
        ]
        for pair, lifetime in model.pairs.items()
        for number, there in (lifetime.scopes if lifetime.scope else {0: lifetime}).items()
    }


def test_a_cell_is_flagged_for_every_part_of_it() -> None:
    viewing = only(followed(row("segment", 60.5, 60.5, from_ms=0, implausible_ms=600)))
    assert viewing.flagged == seen_in([(59, 61)])


def spans(*ends: tuple[float, float], length: float = 10, **fields: Any) -> list[Row]:
    """Segments of so many seconds: of each when it ended, in seconds after the start, and where in the movie."""
    return [
        row(
            "segment",
            at,
            length,
            from_ms=round((at - length) * 1000),
            happened_us=START_US + round(when * SECOND_US),
            **fields,
        )
        for when, at in ends
    ]


AHEAD: dict[str, tuple[list[Row], list[tuple[int, int]]]] = {
    "as the clock goes": (spans(*((10 * n, 10 * n) for n in range(1, 20))), []),
    "with a jitter of some seconds": (spans(*((10 * n + n * 7 % 5, 10 * n) for n in range(1, 20))), []),
    "told at last, in any order": (spans(*((10 * n, 10 * n) for n in (5, 2, 9, 1, 7, 3, 8, 4, 6))), []),
    "after a pause": (spans((10, 10), (100, 20), (110, 30)), []),
    "at once, in short spans: all but the first and the tolerance": (
        spans(*((10 + n / 10, 10 * n) for n in range(1, 6))),
        [(20, 50)],
    ),
    "at once, at half speed: it takes twice as long": (
        spans((20, 10), (20, 20), (20, 30), speed=500),
        [(15, 30)],
    ),
    "heartbeats without a time may replay history": (
        [row("heartbeat", 10 * n, 10, timed=False) for n in range(1, 20)],
        [],
    ),
    "what the counters found is not found again": (
        [row("segment", 60, 60, from_ms=0, implausible_ms=40_000), *spans((0, 70))],
        [(20, 60)],
    ),
}


@pytest.mark.parametrize("name", AHEAD)
def test_a_session_may_be_ahead_of_the_clock_by_the_tolerance_once(name: str) -> None:
    rows, flagged = AHEAD[name]
    viewing = only(followed(*rows, tolerance_ms=10_000))
    assert list(spans_of(viewing.flagged)) == flagged
    assert viewing.implausible_ms == sum(flag.implausible_ms for flag in viewing.flags.values())


def test_being_ahead_is_known_from_batch_to_batch() -> None:
    rows, flagged = AHEAD["at once, in short spans: all but the first and the tolerance"]
    known: dict[Key, Viewing] = {}
    for one in rows:
        known = followed(one, known=known, tolerance_ms=10_000).all
    [viewing] = known.values()
    assert list(spans_of(viewing.flagged)) == flagged
