"""Exports of the old system: JSON lines, plain or DynamoDB-typed, as rows that are checked one by one.

Each line tells by itself which of the two it is. What cannot be read is booked, and keeps back nothing else.
"""

from __future__ import annotations

import sys
import zlib
from contextlib import suppress
from gzip import GzipFile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

import orjson

from service.errors import PlayheadError
from service.moving.books import Kind, Wrong
from service.moving.old_rows import Fields, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from io import BufferedReader

    from service.moving.books import Books
    from service.moving.old_rows import Names

STDIN: Final = Path("-")
GZIP_MAGIC: Final = b"\x1f\x8b"
LINE_BYTES_MAX: Final = 1024 * 1024
"""Rows have some hundred bytes; an item of DynamoDB at most 400 KB."""

TOLD_LINES: Final = 1024
"""So often it is told how far reading has come."""

_ENDINGS: Final = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
_TYPES: Final = frozenset(("S", "N", "BOOL", "NULL", "M", "L", "SS", "NS", "B", "BS"))


class Unreadable(PlayheadError):
    """A file of an export is not there, or not what it seems to be."""


def files_of(given: Iterable[Path]) -> list[Path]:
    """The files, and of folders all of theirs that can be exports, in order. Raises Unreadable where one has none."""
    found: list[Path] = []
    for path in given:
        if path == STDIN or not path.is_dir():
            if path != STDIN and not path.exists():
                raise Unreadable(f"{path} is not there")
            found.append(path)
            continue
        held = sorted(file for file in path.rglob("*") if _is_export(file))
        if not held:
            raise Unreadable(f"{path} holds no file that ends in {', '.join(_ENDINGS)}")
        found.extend(held)
    return found


def _is_export(file: Path) -> bool:
    """DynamoDB puts its manifests, which list the files, beside them."""
    return (
        file.name.endswith(_ENDINGS) and not file.name.startswith((".", "manifest-", "_")) and file.is_file()
    )


class Export:
    """One file. `done` tells how many of its bytes were read so far, `size` how many there are, if that is known."""

    def __init__(self, path: Path, kind: Kind, file: int, names: Names, books: Books) -> None:
        self.path = path
        self.size = path.stat().st_size if path != STDIN and path.is_file() else None
        self.done = 0
        self._kind, self._file, self._books = kind, file, books
        self._row: Callable[[dict[str, Any], int], tuple[Any, ...]] = {
            Kind.COURSES: Fields(names, file).course,
            Kind.LESSONS: Fields(names, file).lesson,
            Kind.PROGRESS: Fields(names, file).point,
        }[kind]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Those that can be read; all are booked as read. Raises Unreadable for what is no file of lines."""
        book, read_row = self._books.of(self._kind), self._row
        for line, text in _lines(self.path, self._advance):
            book.read += 1
            try:
                yield read_row(_row_of(text), line)
            except Wrong as wrong:
                self._books.skip(self._kind, wrong.reason, (self._file, line), wrong.detail)

    def _advance(self, done: int, line_bytes: int) -> None:
        self.done = done
        if self._kind is Kind.PROGRESS:
            self._books.row_bytes += line_bytes


def documents(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file as plain JSON, DynamoDB's types taken off; what cannot be read is left out."""
    for _, text in _lines(path, lambda done, line_bytes: None):
        with suppress(Wrong):
            yield _row_of(text)


def _lines(path: Path, advance: Callable[[int, int], None]) -> Iterator[tuple[int, bytes]]:
    """Every line that is not blank, numbered from 1. Of one that is too long only the beginning is kept.

    `advance` hears how many bytes of the file were read, and how many the line has.
    """
    raw = cast("BufferedReader", sys.stdin.buffer) if path == STDIN else path.open("rb")
    is_sized, line, done = path != STDIN and path.is_file(), 0, 0
    try:
        zipped = raw.peek(2).startswith(GZIP_MAGIC)
        stream: IO[bytes] | GzipFile = GzipFile(fileobj=raw) if zipped else raw
        while text := stream.readline(LINE_BYTES_MAX + 1):
            line += 1
            rest = text
            while len(rest) > LINE_BYTES_MAX and not rest.endswith(b"\n"):
                rest = stream.readline(LINE_BYTES_MAX + 1)
            if is_sized and line % TOLD_LINES == 0:
                done = raw.tell()
            advance(done, len(text))
            if line == 1:
                text = text.removeprefix(b"\xef\xbb\xbf")
            if not text.isspace():
                yield line, text
    except (OSError, EOFError, zlib.error) as broken:
        why = getattr(broken, "strerror", None) or broken
        raise Unreadable(f"{path} cannot be read after line {line}: {why}") from broken
    finally:
        if path != STDIN:
            raw.close()


def _row_of(text: bytes) -> dict[str, Any]:
    """Its fields, as plain JSON would have them."""
    if len(text) > LINE_BYTES_MAX:
        raise Wrong("not_json", f"longer than {LINE_BYTES_MAX} bytes")
    try:
        row = orjson.loads(text)
    except orjson.JSONDecodeError as wrong:
        raise Wrong("not_json", f"not JSON: {wrong}") from None
    if not isinstance(row, dict):
        raise Wrong("not_json", f"no object, but {shown(row)}")
    item = row.get("Item")
    if isinstance(item, dict):
        return {name: _untyped(value) for name, value in item.items()}
    for value in row.values():  # typed, all of them are objects
        if not isinstance(value, dict):
            return row
    if all(map(_is_typed, row.values())):
        return {name: _untyped(value) for name, value in row.items()}
    return row


def _is_typed(value: object) -> bool:
    return isinstance(value, dict) and len(value) == 1 and not _TYPES.isdisjoint(value)


def _untyped(value: Any) -> Any:
    """As DynamoDB writes it, with its type beside it; numbers are text there."""
    if not _is_typed(value):
        return value
    [(kind, held)] = value.items()
    if kind == "N":
        return _number_of(held)
    if kind == "M" and isinstance(held, dict):
        return {name: _untyped(one) for name, one in held.items()}
    return None if kind == "NULL" else held


def _number_of(text: Any) -> Any:
    try:
        return float(text)
    except (TypeError, ValueError):
        return text
