"""Time within a process: the wall clock's, which never goes back."""

from __future__ import annotations

import time

import pytest

from service import clock

HOUR_US = 3_600_000_000


@pytest.fixture
def shift(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """By how many us the wall clock is off; what the clock of the process learns from it ends with the test."""
    shifted, real = [0], time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + shifted[0] * 1000)
    monkeypatch.setattr(clock, "_most_ahead_ns", real() - time.monotonic_ns())
    return shifted


def test_it_is_the_wall_clock() -> None:
    assert abs(clock.now_us() - time.time_ns() // 1000) < 1_000_000


def test_a_wall_clock_that_is_set_back_is_not_followed(shift: list[int]) -> None:
    before_us = clock.now_us()
    shift[0] = -HOUR_US
    readings = [clock.now_us() for _ in range(1000)]
    assert before_us <= readings[0]
    assert readings == sorted(readings)
    assert readings[-1] - before_us < 5_000_000
    assert len(set(readings)) > 1, "it goes on"


def test_a_wall_clock_that_is_set_forward_is(shift: list[int]) -> None:
    before_us = clock.now_us()
    shift[0] = HOUR_US
    assert HOUR_US <= clock.now_us() - before_us < HOUR_US + 5_000_000
    shift[0] = 0
    assert clock.now_us() - before_us >= HOUR_US, "and back again is not"
