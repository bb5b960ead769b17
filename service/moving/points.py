"""Points of progress as spans and jumps: what they counted as heartbeats, told in few events. No I/O.

A run of points that go on from each other is one `segment`; a jump is a `seek` to where the next span begins, and the
lone interval that a heartbeat after a jump is worth. Positions are in ms, times in us since 1970.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.rules.spans import NORMAL_SPEED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from service.rules.constants import Constants

SILENCE_US_MAX: Final = 600_000_000
"""Who says nothing for ten minutes has gone: what comes then is told apart, though it goes on where it stopped."""

SPEED_MAX: Final = 2 * NORMAL_SPEED
"""Points tell no speed. What moves faster than players of lessons play was not played so."""

SPEED_STEP: Final = NORMAL_SPEED // 20
"""Speeds that players offer lie on these steps; between them lies only the inexactness of the clocks."""

STEPS_MIN: Final = 3
"""So many steps make a speed; fewer may be chance."""


class Point(NamedTuple):
    """Where the user was. One that does not count was counted by its dual write: the next one only goes on from it."""

    at_ms: int
    time_us: int
    counts: bool = True


class Place(NamedTuple):
    """The last point."""

    at_ms: int
    time_us: int


class Told(NamedTuple):
    """What an event is to say: a `segment` or a `seek` from `from_ms` to `at_ms`, or a `mark` at `at_ms`."""

    kind: str
    at_ms: int
    time_us: int
    from_ms: int | None = None
    speed: int | None = None


def told_of(
    points: Iterable[Point], last: Place | None, constants: Constants, dual_ms: int | None = None
) -> Iterator[Told]:
    """`points` in the order of their times, after `last`, the one before them if there is one.

    `dual_ms` is where the last dual write before them was: the next one was counted from there.
    """
    gap_ms, interval_ms = constants.heartbeat_gap_ms, constants.heartbeat_interval_ms
    run: Run | None = None
    for at_ms, time_us, counts in points:
        goes_on = last is not None and 0 <= at_ms - last.at_ms <= gap_ms
        if not counts:
            if run and goes_on:
                run.end_at(_begin_ms(at_ms, dual_ms, constants))
            dual_ms = at_ms
        if run and counts and goes_on and time_us - run.time_us <= SILENCE_US_MAX:
            run.go_on(at_ms, time_us)
        else:
            if run:
                yield run.told
                run = None
            if counts and goes_on:
                assert last is not None
                run = Run(last.at_ms, at_ms, time_us)
            elif counts:
                start_ms = max(0, at_ms - interval_ms)
                if last:
                    # It took the interval to play it, so the jump was before.
                    jumped_us = max(last.time_us, time_us - (at_ms - start_ms) * 1000)
                    yield Told("seek", start_ms, min(jumped_us, time_us), last.at_ms)
                run = Run(start_ms, at_ms, time_us)
        last = Place(at_ms, time_us)
    if run:
        yield run.told


def _begin_ms(at_ms: int, dual_ms: int | None, constants: Constants) -> int:
    """Where what a dual write counted begins: it knew only of those before it that were dual writes, too."""
    if dual_ms is not None and 0 <= at_ms - dual_ms <= constants.heartbeat_gap_ms:
        return dual_ms
    return max(0, at_ms - constants.heartbeat_interval_ms)


class Run:
    """Points that go on from each other, the first of which is at `at_ms`; `start_ms` is where its span begins."""

    __slots__ = ("at_ms", "first_ms", "first_us", "is_faster", "start_ms", "steps", "time_us")

    def __init__(self, start_ms: int, at_ms: int, time_us: int) -> None:
        self.start_ms = start_ms
        self.first_ms = self.at_ms = at_ms
        self.first_us = self.time_us = time_us
        self.steps = 0
        self.is_faster = True

    def go_on(self, at_ms: int, time_us: int) -> None:
        if (at_ms - self.at_ms) * 1000 <= time_us - self.time_us:
            self.is_faster = False
        self.at_ms, self.time_us = at_ms, time_us
        self.steps += 1

    def end_at(self, at_ms: int) -> None:
        """What lies behind is counted already, what lies before is not yet."""
        self.at_ms = max(self.start_ms, at_ms)

    @property
    def told(self) -> Told:
        if self.at_ms == self.start_ms:
            return Told("mark", self.at_ms, self.time_us)
        return Told("segment", self.at_ms, self.time_us, self.start_ms, self.speed)

    @property
    def speed(self) -> int:
        """On the nearest step, half up. Only what moved faster than the clock at every step was played faster."""
        elapsed_us = self.time_us - self.first_us
        if not self.is_faster or self.steps < STEPS_MIN:
            return NORMAL_SPEED
        if not elapsed_us:
            return SPEED_MAX
        moved, step = (self.at_ms - self.first_ms) * 1000 * NORMAL_SPEED, elapsed_us * SPEED_STEP
        steps = (2 * moved + step) // (2 * step)
        return min(SPEED_MAX, max(NORMAL_SPEED, steps * SPEED_STEP))


def marks_of(
    progress_ms: int, furthest_ms: int, viewed_us: int, points: Iterable[Point], last: Place | None
) -> Iterator[Told]:
    """What a lesson says of itself beyond its points, which may have expired: first how far it came, then where it was.

    `last` is the last point of this go at the lesson, if there is one. Points that are newer know better where it was.
    """
    reached_ms = max((point.at_ms for point in points), default=0)
    furthest_ms = max(furthest_ms, progress_ms)
    stands_ms = last.at_ms if last else 0
    if furthest_ms > reached_ms:
        yield Told("mark", furthest_ms, viewed_us)
        stands_ms = furthest_ms
    if stands_ms != progress_ms and (last is None or viewed_us >= last.time_us):
        yield Told("mark", progress_ms, viewed_us)
