"""The one driver of background work: it owns sleeping, backoff, cancellation and counts; the work is a `step`."""

from __future__ import annotations

import asyncio
from random import uniform
from typing import TYPE_CHECKING, Protocol

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

_log = structlog.get_logger()

BACKOFF_SECONDS_MIN = 0.1
BACKOFF_SECONDS_MAX = 5.0
"""Between tries of a step that fails: doubled each time, with jitter, up to this."""


class Step(Protocol):
    async def __call__(self) -> bool:
        """Do a piece of work. Gives whether more is waiting, so that the next one should come at once."""
        ...


async def drive(
    name: str,
    step: Step,
    stop: asyncio.Event,
    pause_seconds: float,
    on_failure: Callable[[], None] | None = None,
) -> None:
    """Run `step` until `stop` is set; the step under way is finished first. No failure of a step ends the loop."""
    failures = 0
    while not stop.is_set():
        try:
            more = await step()
        except Exception as failed:  # whatever it was, the next try may succeed
            failures += 1
            if on_failure:
                on_failure()
            pause = backoff_seconds(failures)
            _log.warning(
                "step_failed", loop=name, failures=failures, retry_seconds=round(pause, 2), error=said(failed)
            )
            await _sleep(stop, pause)
            continue
        if failures:
            _log.info("step_recovered", loop=name, failures=failures)
            failures = 0
        if more:
            await asyncio.sleep(0)
        else:
            await _sleep(stop, pause_seconds)


def backoff_seconds(failures: int) -> float:
    """How long to wait after so many failures in a row."""
    longest = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN * 2 ** min(failures, 16))
    return uniform(longest / 2, longest)  # noqa: S311 - jitter, so that several processes don't retry in step


def said(failed: Exception) -> str:
    return f"{type(failed).__name__}: {failed}"


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
