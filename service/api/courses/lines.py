"""A CSV of assignments, line by line while it arrives.

A line is a row, also where quotes are open: so each row has the number of its line in every editor, and a quote that
nobody closed costs one row and not the rest of the file. Names with line breaks in them come as JSON.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from service.api.body import pieces
from service.errors import BadRequest
from service.limits import ASSIGN_RUN_MAX, CSV_BYTES_MAX, CSV_LINE_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

    from service.api.body import Patience

COLUMNS = ("course", "user", "due", "time_zone")
NEEDED = ("course", "user")
DELIMITERS = ",;\t"
"""What spreadsheets write, by country. The header says which: none of its names holds one."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Row = dict[str, Any]


async def rows_of(request: web.Request, patience: Patience) -> AsyncIterator[list[tuple[int, Row]]]:
    """Rows with the numbers of their lines, some hundred at a time; empty fields are left out, blank lines are none.

    A line that cannot be read is what is wrong with it: `field`, `reason`, `detail`. Raises BadRequest for a header
    that is none, and what `pieces` raises.
    """
    reader: _Reader | None = None
    run: list[tuple[int, Row]] = []
    async for number, line in _lines(request, patience):
        if not line.strip():
            continue
        if reader is None:
            reader = _Reader(line)
            continue
        run.append((number, reader.row(line)))
        if len(run) == ASSIGN_RUN_MAX:
            yield run
            run = []
            patience.renew()
    if reader is None:
        raise _no_header("there is none")
    if run:
        yield run


async def _lines(request: web.Request, patience: Patience) -> AsyncIterator[tuple[int, bytes]]:
    """Numbered from 1. Of a line past its bound only as much is kept as shows that it is."""
    rest, number = b"", 0
    async for piece in pieces(request, patience, CSV_BYTES_MAX):
        first, *others = piece.split(b"\n")
        rest += first[: CSV_LINE_BYTES_MAX + 1 - len(rest)] if len(rest) <= CSV_LINE_BYTES_MAX else b""
        for other in others:
            number += 1
            yield number, rest
            rest = other[: CSV_LINE_BYTES_MAX + 1]
    if rest:
        yield number + 1, rest


class _Reader:
    """Reads lines under their header."""

    def __init__(self, header: bytes) -> None:
        try:
            text = header.removeprefix(_BYTE_ORDER_MARK).decode()
        except UnicodeDecodeError:
            raise _no_header("the file is not UTF-8") from None
        self._delimiter = max(DELIMITERS, key=text.count)
        self._columns = [name.strip().lower() for name in self._fields(text.rstrip("\r"))]
        _check(self._columns)

    def row(self, line: bytes) -> Row:
        if len(line) > CSV_LINE_BYTES_MAX:
            return _wrong("too_long", f"the line is longer than {CSV_LINE_BYTES_MAX} bytes")
        try:
            fields = self._fields(line.rstrip(b"\r").decode())
        except UnicodeDecodeError:
            return _wrong("invalid_string", "the line is not UTF-8")
        except BadRequest as broken:
            return _wrong(broken.reason, str(broken))
        if len(fields) != len(self._columns):
            detail = f"the line has {len(fields)} fields, expected {len(self._columns)}: {', '.join(self._columns)}"
            return _wrong("wrong_columns", detail)
        stripped = zip(self._columns, map(str.strip, fields), strict=True)
        return {name: field for name, field in stripped if field}

    def _fields(self, text: str) -> list[str]:
        try:
            return next(csv.reader([text], delimiter=self._delimiter, strict=True))
        except (csv.Error, StopIteration) as broken:
            raise BadRequest(400, "not_csv", f"the line is not CSV: {broken}") from None


def _check(columns: list[str]) -> None:
    for column in columns:
        if column not in COLUMNS:
            raise _no_header(f"{column[:40]!r} is no column")
        if columns.count(column) > 1:
            raise _no_header(f"{column!r} is there twice")
    for column in NEEDED:
        if column not in columns:
            raise _no_header(f"{column!r} is missing")


def _no_header(why: str) -> BadRequest:
    expected = f"expected {' and '.join(NEEDED)}, and if need be due and time_zone"
    return BadRequest(400, "bad_header", f"the first line of the CSV names its columns: {why}, {expected}")


def _wrong(reason: str, detail: str) -> Row:
    return {"field": "", "reason": reason, "detail": detail}
