"""The report of an import: its books, for people or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.moving.books import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.moving.books import Books

WIDTH = 26


def report_of(books: Books) -> dict[str, Any]:
    """All of it, for programs."""
    kinds = {
        str(kind): {
            "read": book.read,
            "written": book.written,
            "merged": book.merged,
            "skipped": book.skipped.total(),
            "skipped_by_reason": dict(book.skipped),
            "mended_by_reason": dict(book.mended),
            "examples": book.examples,
        }
        for kind in Kind
        for book in (books.of(kind),)
    }
    return {
        **kinds,
        "events": books.events,
        "spans": books.spans,
        "seeks": books.seeks,
        "marks": books.marks,
        "duplicates": books.duplicates,
        "row_bytes": books.row_bytes,
        "event_bytes": books.event_bytes,
        "staged_seconds": round(books.staged_seconds, 3),
        "seconds": round(books.seconds, 3),
        "rows_per_second": _per_second(books),
        "balances": books.balances,
    }


def print_books(books: Books, *, is_trial: bool) -> None:
    print(f"{'':<{WIDTH}}" + "".join(f"{kind:>14}" for kind in Kind))
    for name, counts in _lines(books):
        print(f"{name:<{WIDTH}}" + "".join(f"{count:>14,}" for count in counts))
    for kind in Kind:
        for reason, example in books.of(kind).examples.items():
            print(f"for example {reason}: {example}")
    counted = books.progress.written + books.progress.merged
    if counted:
        row_bytes = books.row_bytes * counted / books.progress.read
        print(
            f"{counted:,} points became {books.spans:,} spans, {books.seeks:,} seeks and {books.marks:,} marks:"
            f" {counted / max(1, books.events):.1f} rows : 1 event,"
            f" {row_bytes / max(1, books.event_bytes):.1f} bytes : 1"
        )
    elif books.events:
        print(f"{books.events:,} marks of where lessons say that they stand")
    if books.duplicates:
        print(f"{books.duplicates:,} of the events had been counted before, by a run that was interrupted")
    if is_trial:
        print(f"{books.seconds:.1f} s. Nothing was changed: this is what an import would do.")
    else:
        print(
            f"{books.seconds:.1f} s, {books.staged_seconds:.1f} s of which were staging:"
            f" {_per_second(books):,} rows a second"
        )
    print(
        "The books balance: read = written + merged + skipped"
        if books.balances
        else "The books do not balance: read is not written + merged + skipped"
    )


def _lines(books: Books) -> Iterator[tuple[str, list[int]]]:
    each = [books.of(kind) for kind in Kind]
    yield "read", [book.read for book in each]
    yield "written", [book.written for book in each]
    yield "merged", [book.merged for book in each]
    yield "skipped", [book.skipped.total() for book in each]
    for reason in sorted({reason for book in each for reason in book.skipped}):
        yield f"  {reason}", [book.skipped[reason] for book in each]
    yield "mended", [book.mended.total() for book in each]
    for reason in sorted({reason for book in each for reason in book.mended}):
        yield f"  {reason}", [book.mended[reason] for book in each]


def _per_second(books: Books) -> int:
    return round(books.rows / books.seconds) if books.seconds else 0
