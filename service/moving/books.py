"""The books of an import: each row that was read is written, merged or skipped for a reason, and some were mended.

Of user courses and user lessons the merged ones were known already; of points they are part of another one's span.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable


class Kind(StrEnum):
    """What an export holds."""

    COURSES = "courses"
    LESSONS = "lessons"
    PROGRESS = "progress"


Place = tuple[int, int]
"""Which file of the import, from 0, and which line of it, from 1."""


class Wrong(Exception):
    """A row cannot be taken: `reason` is a short word for programs, `detail` a few for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class Book:
    """Of one kind of row."""

    read: int = 0
    written: int = 0
    merged: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    @property
    def balances(self) -> bool:
        return self.read == self.written + self.merged + self.skipped.total()

    def as_dict(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> Self:
        return cls(**kept | {name: Counter(kept[name]) for name in ("skipped", "mended")})


class Told(NamedTuple):
    """A row that was skipped or mended, for who wants to see all of them."""

    kind: Kind
    outcome: str
    reason: str
    file: str
    line: int
    detail: str


@dataclass(slots=True)
class Books:
    """`spans` and the like are events that came of points; `duplicates` are those that were counted before.

    `row_bytes` are those of the progress rows as they were exported, `event_bytes` those of the events, as JSON too.
    """

    files: list[str] = field(default_factory=list)
    courses: Book = field(default_factory=Book)
    lessons: Book = field(default_factory=Book)
    progress: Book = field(default_factory=Book)
    spans: int = 0
    seeks: int = 0
    marks: int = 0
    duplicates: int = 0
    row_bytes: int = 0
    event_bytes: int = 0
    staged_seconds: float = 0.0
    seconds: float = 0.0
    tell: Callable[[Told], None] | None = None

    def of(self, kind: Kind) -> Book:
        book: Book = getattr(self, kind)
        return book

    def skip(self, kind: Kind, reason: str, place: Place, detail: str) -> None:
        book = self.of(kind)
        book.skipped[reason] += 1
        if self.tell or reason not in book.examples:
            self._keep(book, Told(kind, "skipped", reason, self.files[place[0]], place[1], detail))

    def mend(self, kind: Kind, reason: str, place: Place, detail: str) -> None:
        """The row counts all the same."""
        book = self.of(kind)
        book.mended[reason] += 1
        if self.tell or reason not in book.examples:
            self._keep(book, Told(kind, "mended", reason, self.files[place[0]], place[1], detail))

    def _keep(self, book: Book, told: Told) -> None:
        book.examples.setdefault(told.reason, f"{told.file}, line {told.line}: {told.detail}")
        if self.tell:
            self.tell(told)

    @property
    def events(self) -> int:
        return self.spans + self.seeks + self.marks

    @property
    def rows(self) -> int:
        return sum(self.of(kind).read for kind in Kind)

    @property
    def balances(self) -> bool:
        return all(self.of(kind).balances for kind in Kind)

    def as_dict(self) -> dict[str, Any]:
        """What may be written as JSON, and read again by `from_dict`."""
        kept = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "tell"}
        return kept | {str(kind): self.of(kind).as_dict() for kind in Kind}

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> Self:
        return cls(**kept | {str(kind): Book.from_dict(kept[kind]) for kind in Kind})
