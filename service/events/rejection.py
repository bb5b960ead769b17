"""An event that was refused: a value, since refusing is an expected answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rejection:
    """`index` counts the events of the request from 0; `reason` is a short snake_case word, a metric label too."""

    index: int
    field: str
    reason: str
    detail: str

    def as_json(self) -> dict[str, object]:
        return {"index": self.index, "field": self.field, "reason": self.reason, "detail": self.detail}
