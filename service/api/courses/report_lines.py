"""A report as CSV (RFC 4180, UTF-8): all of it, while it is made.

It begins with a byte order mark, without which spreadsheets take the letters of names for others. Fields that a
spreadsheet would take for a formula have an apostrophe before them: names are what users of other systems chose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from service.api.courses.report_shapes import cells_of_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from service.api.courses.report_shapes import Json

_log = structlog.get_logger()

CSV = "text/csv"
_MARK = "\ufeff"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How formulas begin in spreadsheets; the last ones are the first four in full width."""

_QUOTED = frozenset(',;\t"\r\n')


async def send_lines(
    request: web.Request, name: str, columns: Sequence[str], pages: AsyncIterator[Sequence[Json]]
) -> web.StreamResponse:
    """What fails before the first page is answered as ever; after it the connection ends, so that nobody takes a part
    for the whole.
    """
    first = await anext(pages, ())
    response = web.StreamResponse(
        headers={
            "Content-Type": f"{CSV}; charset=utf-8; header=present",
            "Content-Disposition": f'attachment; filename="{name}.csv"',
        }
    )
    response.enable_chunked_encoding()
    await response.prepare(request)
    try:
        await response.write((_MARK + line_of(columns) + _lines(first, columns)).encode())
        async for page in pages:
            await response.write(_lines(page, columns).encode())
        await response.write_eof()
    except ConnectionError:
        raise
    except Exception:
        _log.exception("report_broken_off", path=request.path)
        if request.transport is not None:
            request.transport.abort()
    return response


def line_of(fields: Iterable[str]) -> str:
    return ",".join(map(_field, fields)) + "\r\n"


def _lines(rows: Iterable[Json], columns: Sequence[str]) -> str:
    return "".join(line_of(cells_of_line(row, columns)) for row in rows)


def _field(text: str) -> str:
    safe = f"'{text}" if text.startswith(_FORMULA) else text
    if _QUOTED.isdisjoint(safe):
        return safe
    return '"' + safe.replace('"', '""') + '"'
