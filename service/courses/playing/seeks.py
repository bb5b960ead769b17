"""Seeks past the limit, as they are kept. What was decided of them is `seeking`'s."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from service.courses.playing.seeking import SKIP_MS, SeekReason
from service.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from service.courses.database import Database
    from service.courses.playing.seeking import SeekDecision


class Verdict(StrEnum):
    """What was decided of a seek."""

    ALLOWED = "allowed"
    BLOCKED = "blocked"
    FLAGGED = "flagged"


@dataclass(frozen=True, slots=True)
class Seek:
    """`name` is the player's, or made of what it says. `said_allowed`: whether the player let it happen, if it says."""

    name: str
    from_ms: int
    to_ms: int
    said_allowed: bool | None = None
    said_reason: str | None = None
    at_us: int | None = None
    is_nameless: bool = False


class Sought(NamedTuple):
    """A seek past the limit, as it is kept. `reason` is what the player said of it."""

    name: str
    from_ms: int
    to_ms: int
    limit_ms: int
    verdict: Verdict
    has_happened: bool
    is_skip: bool
    reason: str | None
    at_us: int

    @property
    def skipped_ms(self) -> int:
        """How much of the video lies between the limit and where it went."""
        return max(0, self.to_ms - self.limit_ms) if self.is_skip else 0


class Seeks:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, session: str, attempt: int | None, sought: Sequence[Sought]) -> None:
        """Those that are kept already stay as they were. Raises NotFound where the session is gone."""
        columns = map(list, zip(*sought, strict=True))
        if await self._database.row("insert_seeks", session, attempt, *columns) is None:
            raise NotFound(f"there is no session {session!r}")

    async def of(self, session: str) -> list[Sought]:
        """In the order in which they came."""
        return [_sought(row) for row in await self._database.rows("select_seeks", session)]


def has_happened(seek: Seek, decision: SeekDecision) -> bool:
    """What the player says it did, whatever it was told; where it says nothing, it did what it was told."""
    return decision.is_allowed if seek.said_allowed is None else seek.said_allowed


def is_skip(seek: Seek, decision: SeekDecision) -> bool:
    """A player that let happen what was blocked has skipped; one that did not let happen what was allowed has not."""
    return has_happened(seek, decision) and seek.to_ms - decision.limit_ms > SKIP_MS


def sought(seek: Seek, decision: SeekDecision, at_us: int) -> Sought:
    """As it is kept."""
    return Sought(
        seek.name,
        seek.from_ms,
        seek.to_ms,
        decision.limit_ms,
        _VERDICTS[decision.reason],
        has_happened(seek, decision),
        is_skip(seek, decision),
        seek.said_reason,
        at_us,
    )


_VERDICTS = {
    SeekReason.WITHIN_LIMIT: Verdict.ALLOWED,
    SeekReason.NOT_ASSIGNED: Verdict.ALLOWED,
    SeekReason.ALLOWED: Verdict.ALLOWED,
    SeekReason.BLOCKED: Verdict.BLOCKED,
    SeekReason.FLAGGED: Verdict.FLAGGED,
}


def _sought(row: asyncpg.Record) -> Sought:
    return Sought(
        row["seek"],
        row["from_ms"],
        row["to_ms"],
        row["limit_ms"],
        Verdict(row["decision"]),
        row["has_happened"],
        row["is_skip"],
        row["reason"],
        row["at"],
    )
