"""The lines of a file as events to be posted: plain or gzip, events or xAPI statements, each line accounted for."""

from __future__ import annotations

import asyncio
import os
import select
import zlib
from gzip import GzipFile
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, NamedTuple

import orjson

from service import limits
from service.events import xapi

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Dialect = Literal["auto", "events", "xapi"]

LINE_BYTES_MAX = 1024 * 1024
"""A statement wraps its event in much more text than `limits.EVENT_BYTES_MAX`; what is longer is neither."""

BATCH_BYTES_MAX = limits.BODY_BYTES_MAX // 2
"""The service takes twice that; one more line never makes the difference."""

STDIN = Path("-")
STDIN_POLL_SECONDS = 0.2
GZIP_MAGIC = b"\x1f"
"""Its first byte is enough: no JSON begins with it, and a pipe may deliver one byte at first."""

SOURCE_ERRORS = (OSError, EOFError, zlib.error)
"""What reading a file may raise: it is gone, cut short, or not what its first byte says."""


class Line(NamedTuple):
    """A line that can be posted. `repeatable`: it carries what playhead knows a repetition by."""

    number: int
    event: bytes
    repeatable: bool


class Unsendable(NamedTuple):
    number: int
    reason: str
    detail: str


Item = Line | Unsendable


def open_input(file: Path, stop: asyncio.Event | None = None) -> BufferedReader:
    """The file as it lies there, zipped or not; standard input ends where `stop` is set."""
    return BufferedReader(_Stdin(stop)) if file == STDIN else file.open("rb")


def read_lines(raw: BufferedReader, dialect: Dialect = "auto") -> Iterator[Item]:
    """Every line that is not blank, numbered from 1, as what is to be posted or why it cannot be."""
    zipped = raw.peek(1).startswith(GZIP_MAGIC)
    stream: IO[bytes] | GzipFile = GzipFile(fileobj=raw) if zipped else raw
    for number, raw_line in enumerate(_bounded_lines(stream), start=1):
        text = raw_line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else raw_line.strip()
        if text:
            yield _item(number, text, dialect)


def batches(items: Iterable[Item], events_max: int) -> Iterator[list[Item]]:
    """Items in runs that fit one request each. What was read before the source broke is handed out first."""
    batch: list[Item] = []
    size_bytes = 0
    try:
        for item in items:
            batch.append(item)
            size_bytes += len(item.event) if isinstance(item, Line) else 0
            if len(batch) == events_max or size_bytes > BATCH_BYTES_MAX:
                yield batch
                batch, size_bytes = [], 0
    except SOURCE_ERRORS:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _item(number: int, text: bytes, dialect: Dialect) -> Item:
    if len(text) > LINE_BYTES_MAX:
        return Unsendable(number, "too_long", f"longer than {LINE_BYTES_MAX} bytes")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as wrong:
        return Unsendable(number, "not_json", f"not JSON: {wrong}")
    known = value if isinstance(value, dict) else {}
    if dialect == "xapi" or (dialect == "auto" and ("verb" in known or "actor" in known)):
        event = xapi.event_of(value)
        if isinstance(event, xapi.Refused):
            return Unsendable(number, event.reason, event.detail)
        return Line(number, orjson.dumps(event), "id" in event)
    return Line(number, text, known.get("id") is not None or known.get("seq") is not None)


def _bounded_lines(stream: IO[bytes] | GzipFile) -> Iterator[bytes]:
    """Lines of bounded length: of a longer one the beginning is kept, long enough to be seen as too long."""
    while line := stream.readline(LINE_BYTES_MAX + 1):
        rest = line
        while len(rest) > LINE_BYTES_MAX and not rest.endswith(b"\n"):
            rest = stream.readline(LINE_BYTES_MAX + 1)
        yield line


class _Stdin(RawIOBase):
    """Standard input, read so that Ctrl-C need not wait for the next byte of a silent pipe."""

    def __init__(self, stop: asyncio.Event | None) -> None:
        self._stop = stop

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # the buffer is always a memoryview
        while not (self._stop and self._stop.is_set()):
            if select.select([0], [], [], STDIN_POLL_SECONDS)[0]:
                return os.readv(0, [buffer])
        return 0
