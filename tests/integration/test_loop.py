"""The driver of background work: it never ends by itself, backs off, and stops when it is told."""

from __future__ import annotations

import asyncio
import time

import pytest

from workers import loop
from workers.loop import BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN, backoff_seconds, drive

NEVER_SECONDS = 3600.0
"""A pause that a test must not wait for."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "BACKOFF_SECONDS_MAX", 0.001)


class Work:
    """Says for each call in turn whether more waits, or raises; sets `stop` after the last one."""

    def __init__(self, *outcomes: bool | BaseException) -> None:
        self.outcomes = list(outcomes)
        self.stop = asyncio.Event()
        self.calls = 0

    async def step(self) -> bool:
        self.calls += 1
        outcome = self.outcomes.pop(0)
        if not self.outcomes:
            self.stop.set()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


async def test_while_more_waits_it_does_not_pause() -> None:
    work = Work(True, True, True)
    await drive("work", work.step, work.stop, NEVER_SECONDS)
    assert work.calls == 3


async def test_a_pause_ends_when_it_is_told_to_stop() -> None:
    work = Work(False, True)
    driving = asyncio.create_task(drive("work", work.step, work.stop, NEVER_SECONDS))
    while work.calls < 1:
        await asyncio.sleep(0)
    work.stop.set()
    await asyncio.wait_for(driving, 5)
    assert work.calls == 1


async def test_it_pauses_when_nothing_waits() -> None:
    work = Work(False, False, False)
    started = time.monotonic()
    await drive("work", work.step, work.stop, 0.05)
    assert time.monotonic() - started >= 0.1


@pytest.mark.usefixtures("quick")
async def test_a_failure_is_counted_and_the_work_goes_on() -> None:
    failures: list[None] = []
    work = Work(ValueError("one"), OSError("two"), True, TimeoutError(), True)
    await drive("work", work.step, work.stop, 0, lambda: failures.append(None))
    assert (work.calls, len(failures)) == (5, 3)


async def test_told_to_stop_it_does_not_wait_for_the_next_try() -> None:
    work = Work(OSError("the only try"))
    await asyncio.wait_for(drive("work", work.step, work.stop, 0), 5)


async def test_the_step_under_way_is_finished() -> None:
    stop, done = asyncio.Event(), asyncio.Event()

    async def step() -> bool:
        stop.set()
        await asyncio.sleep(0.01)
        done.set()
        return True

    await drive("work", step, stop, NEVER_SECONDS)
    assert done.is_set()


async def test_told_before_it_begins_it_does_nothing() -> None:
    work = Work(True)
    work.stop.set()
    await drive("work", work.step, work.stop, 0)
    assert work.calls == 0


async def test_a_cancellation_ends_it() -> None:
    work = Work(False, False)
    driving = asyncio.create_task(drive("work", work.step, work.stop, NEVER_SECONDS))
    await asyncio.sleep(0)
    driving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await driving


async def test_more_work_leaves_room_for_others() -> None:
    """A step that never waits by itself must not keep the event loop."""
    turns: list[str] = []

    async def step() -> bool:
        turns.append("work")
        return True

    stop = asyncio.Event()
    driving = asyncio.create_task(drive("work", step, stop, 0))
    for _ in range(3):
        turns.append("other")
        await asyncio.sleep(0)
    stop.set()
    await driving
    assert turns[:4] == ["other", "work", "other", "work"]


def test_waits_grow_and_are_bounded() -> None:
    for failures in range(1, 100):
        longest = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN * 2**failures)
        assert longest / 2 <= backoff_seconds(failures) <= longest
