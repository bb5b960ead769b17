"""When segments were played that do not say so, and in which order a report is done."""

from __future__ import annotations

import pytest

from service.courses.playing.seeks import Seek
from service.courses.playing.timing import Segment, began_us, ends_us, rounds

S = 1_000_000
NOW = 1000 * S


def played(start: int, end: int, speed: int = 1000, ended_s: int | None = None) -> Segment:
    return Segment("s", start * 1000, end * 1000, speed, None if ended_s is None else ended_s * S)


@pytest.mark.parametrize(
    ("segments", "since_s", "expected_s"),
    [
        ([], 0, []),
        ([played(0, 10)], 0, [1000]),
        ([played(0, 10), played(10, 30)], 0, [980, 1000]),
        ([played(0, 10), played(10, 30, speed=2000)], 0, [990, 1000]),
        ([played(0, 10), played(50, 50), played(10, 30)], 0, [980, 980, 1000]),
        ([played(0, 10, ended_s=500), played(10, 30)], 0, [500, 1000]),
        # Thirty seconds in fifteen: each got half of what it takes.
        ([played(0, 10), played(10, 30)], 985, [990, 1000]),
        ([played(0, 10), played(10, 30)], 1000, [1000, 1000]),
        ([played(0, 10), played(10, 30)], 2000, [1000, 1000]),
    ],
)
def test_those_that_do_not_say_when_were_played_one_after_the_other(
    segments: list[Segment], since_s: int, expected_s: list[int]
) -> None:
    assert [end / S for end in ends_us(segments, since_s * S, NOW)] == expected_s


@pytest.mark.parametrize(
    ("segments", "expected_s"),
    [([], 1000), ([played(0, 10), played(10, 30)], 970), ([played(0, 10, ended_s=500), played(0, 10)], 490)],
)
def test_a_session_that_does_not_say_when_it_began_did_with_its_first_segment(
    segments: list[Segment], expected_s: int
) -> None:
    assert began_us(segments, NOW) == expected_s * S


EARLY, LATE, UNSAID = played(0, 10, ended_s=10), played(10, 20, ended_s=20), played(20, 30)


def seek(at_s: int | None = None) -> Seek:
    return Seek("k", 0, 0, at_us=None if at_s is None else at_s * S)


@pytest.mark.parametrize(
    ("segments", "seeks", "expected"),
    [
        ([], [], [([], [])]),
        ([LATE, EARLY], [], [([LATE, EARLY], [])]),
        ([EARLY], [seek()], [([EARLY], [seek()])]),
        ([EARLY, LATE], [seek(15)], [([EARLY], [seek(15)]), ([LATE], [])]),
        ([EARLY, LATE], [seek(25), seek(10)], [([EARLY], [seek(10)]), ([LATE], [seek(25)])]),
        ([LATE], [seek(5), seek(7)], [([], [seek(5), seek(7)]), ([LATE], [])]),
        ([EARLY, UNSAID], [seek(), seek(99)], [([EARLY], [seek(99)]), ([UNSAID], [seek()])]),
        ([EARLY], [seek(), seek(20)], [([EARLY], [seek(20)]), ([], [seek()])]),
    ],
)
def test_a_seek_comes_after_what_was_played_by_then(
    segments: list[Segment], seeks: list[Seek], expected: list[tuple[list[Segment], list[Seek]]]
) -> None:
    assert rounds(segments, seeks) == expected
