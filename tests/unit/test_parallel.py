"""Parallel playback: two sessions of one user at the same time of the clock on the wall."""

from __future__ import annotations

import pytest

from service.courses.watching.parallel import Hour, Playing
from service.courses.watching.viewing import Row, played_in

HOUR = 500_000
START_S = HOUR * 3600
TOLERANCE_S = 10


def segment(
    session: str, from_s: int, to_s: int, speed: int = 1000, kind: str = "segment", timed: bool = True
) -> Row:
    """Played from one second of the hour to another; at `speed` so much of the movie."""
    content_ms = (to_s - from_s) * speed
    return Row(
        "ann",
        "dune",
        session,
        kind,
        content_ms,
        0,
        None,
        speed,
        timed,
        (START_S + to_s) * 1_000_000,
        content_ms,
        0,
        0,
    )


def judged(playing: Playing, row: Row) -> int:
    """Implausible seconds of content."""
    return playing.add(row, played_in(row, 1000), row.session.encode()) // 1000


CASES: dict[str, tuple[list[Row], list[int]]] = {
    "one after the other": ([segment("a", 0, 60), segment("b", 60, 120)], [0, 0]),
    "within the tolerance": ([segment("a", 0, 60), segment("b", 50, 120)], [0, 0]),
    "beyond it: only that": ([segment("a", 0, 60), segment("b", 30, 90)], [0, 20]),
    "wholly": ([segment("a", 0, 60), segment("b", 0, 60)], [0, 50]),
    "by turns: each second once": (
        [segment("a", 0, 30), segment("b", 0, 30), segment("a", 30, 60), segment("b", 30, 60)],
        [0, 20, 0, 30],
    ),
    "in steps: the tolerance is one for all of them": (
        [segment("a", 0, 40), *(segment("b", start, start + 10) for start in (0, 10, 20, 30, 40))],
        [0, 0, 10, 10, 10, 0],
    ),
    "three sessions": ([segment("a", 0, 60), segment("b", 0, 60), segment("c", 0, 60)], [0, 50, 50]),
    "told an hour later, in the other order": ([segment("b", 30, 90), segment("a", 0, 60)], [0, 20]),
    "told again by the same session": ([segment("a", 0, 60), segment("a", 0, 60)], [0, 0]),
    "in content at double speed": ([segment("a", 0, 60), segment("b", 30, 90, 2000)], [0, 40]),
    "over the end of an hour: each has its tolerance": (
        [segment("a", -60, 60), segment("b", -60, 60)],
        [0, 100],
    ),
    "a bare heartbeat may replay history": (
        [segment("a", 0, 60), segment("b", 0, 60, kind="heartbeat", timed=False)],
        [0, 0],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_of_what_is_played_at_once_the_second_is_implausible(name: str) -> None:
    rows, implausible = CASES[name]
    playing = Playing({}, TOLERANCE_S)
    assert [judged(playing, row) for row in rows] == implausible


def test_what_was_kept_goes_on() -> None:
    before = Playing({}, TOLERANCE_S)
    judged(before, segment("a", 0, 60))
    assert before.changed == {(Hour("ann", HOUR), b"a")}
    assert judged(Playing(before.hours, TOLERANCE_S), segment("b", 0, 60)) == 50


def test_of_another_user_nothing_is_known() -> None:
    playing = Playing({}, TOLERANCE_S)
    judged(playing, segment("a", 0, 60))
    assert judged(playing, segment("b", 0, 60)._replace(user="bob")) == 0


def test_a_claim_of_any_length_touches_a_day_at_most() -> None:
    playing = Playing({}, TOLERANCE_S)
    judged(
        playing,
        segment("a", -400_000, 0, kind="claim")._replace(segments=[0, 172_800_000], credited_ms=172_800_000),
    )
    assert len(playing.hours) == 24
