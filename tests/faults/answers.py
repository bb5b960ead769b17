"""What clients were told, and for how long nobody was told anything."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

ANSWER_SECONDS = 4.0
"""A client that has waited so long gives up; the event may have been counted, and may still be."""

REPEAT_SECONDS = 0.03


@dataclass(slots=True)
class Answers:
    """What clients were told. `unexpected` are sentences about answers that should never come."""

    acknowledged: int = 0
    duplicates: int = 0
    refused: int = 0
    unanswered: int = 0
    last_failure: str = ""
    unexpected: list[str] = field(default_factory=list)


class Pulse:
    """How long there was no acknowledgement for anybody, at the longest since `begin`."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self._last, self._longest_seconds = time.monotonic(), 0.0

    def beat(self) -> None:
        now = time.monotonic()
        self._last, self._longest_seconds = now, max(self._longest_seconds, now - self._last)

    @property
    def longest_seconds(self) -> float:
        return max(self._longest_seconds, time.monotonic() - self._last)
