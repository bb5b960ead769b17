"""Request bodies, read within bounds: of bytes, before and after gunzip, and of time."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING

from service.errors import BadRequest, Stopping
from service.limits import BODY_BYTES_MAX, STREAM_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import StreamReader, web

BYTES_PER_SECOND_MIN = 1000
"""What a body, or an event of a stream, must come with on average: the slowest phones manage twenty times that."""

_PIECE_BYTES = 64 * 1024
"""What one piece holds at most after gunzip: a thousandth of what it was before, if need be."""

_GZIP_WINDOW = 31  # zlib's number for "gzip, with its header"


async def read_whole(request: web.Request, silence_seconds: float) -> bytes:
    """The body, decompressed. Raises BadRequest: 413 past BODY_BYTES_MAX, and what `pieces` raises."""
    if (length := request.content_length) is not None and length > BODY_BYTES_MAX:
        raise _too_large(BODY_BYTES_MAX)
    if request.content.is_eof() and "Content-Encoding" not in request.headers:
        body = request.content.read_nowait()
        if len(body) > BODY_BYTES_MAX:
            raise _too_large(BODY_BYTES_MAX)
        return body
    gathered = bytearray()
    async for piece in pieces(request, Patience(silence_seconds), BODY_BYTES_MAX):
        gathered += piece
    return bytes(gathered)


class Patience:
    """How long one body may keep its reader waiting: for its next byte, and on the whole for what it brings."""

    def __init__(self, silence_seconds: float) -> None:
        self._silence_seconds = silence_seconds
        self._is_over = False
        self._waiting: asyncio.Timeout | None = None
        self.renew()

    def renew(self) -> None:
        """Something of use came: what comes next has all the time again."""
        self._waited_seconds, self._received_bytes = 0.0, 0

    def end(self) -> None:
        """Playhead stops: nothing more is waited for or read."""
        self._is_over = True
        if self._waiting is not None:
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def next_chunk(self, content: StreamReader) -> bytes:
        """Empty at the end. Raises BadRequest 408 for silence and for a trickle, Stopping after `end`."""
        if self._is_over:
            raise Stopping("playhead is stopping")
        seconds = asyncio.get_running_loop().time
        began = seconds()
        try:
            async with asyncio.timeout(self._silence_seconds) as self._waiting:
                chunk = await content.readany()
        except TimeoutError:
            if self._is_over:
                raise Stopping("playhead is stopping") from None
            detail = f"no byte of the body came for {self._silence_seconds:g} seconds"
            raise BadRequest(408, "body_timeout", detail) from None
        finally:
            self._waiting = None
        self._waited_seconds += seconds() - began
        self._received_bytes += len(chunk)
        if self._waited_seconds > self._silence_seconds + self._received_bytes / BYTES_PER_SECOND_MIN:
            detail = f"the body came slower than {BYTES_PER_SECOND_MIN} bytes a second"
            raise BadRequest(408, "body_timeout", detail)
        return chunk


async def pieces(
    request: web.Request, patience: Patience, bytes_max: int = STREAM_BYTES_MAX
) -> AsyncIterator[bytes]:
    """The body as it arrives, decompressed, in pieces of any size.

    Raises BadRequest: 408 for what `patience` does not wait for, 413 past `bytes_max`, 415 for an encoding other than
    gzip, 400 for a broken one; and Stopping.
    """
    seen = 0
    async for piece in _decoded(request, patience):
        seen += len(piece)
        if seen > bytes_max:
            raise _too_large(bytes_max)
        yield piece


async def _decoded(request: web.Request, patience: Patience) -> AsyncIterator[bytes]:
    match request.headers.get("Content-Encoding", "identity").strip().lower():
        case "identity" | "":
            async for chunk in _received(request, patience):
                yield chunk
        case "gzip" | "x-gzip":
            async for chunk in _gunzipped(_received(request, patience)):
                yield chunk
        case other:
            raise BadRequest(
                415, "unknown_encoding", f"Content-Encoding {other[:40]!r} is not taken, gzip is"
            )


async def _received(request: web.Request, patience: Patience) -> AsyncIterator[bytes]:
    while chunk := await patience.next_chunk(request.content):
        yield chunk


async def _gunzipped(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Piece by piece, so that a small body that unpacks to a huge one is noticed before it is held."""
    member, started = zlib.decompressobj(_GZIP_WINDOW), False
    try:
        async for chunk in chunks:
            while chunk:
                if member.eof:  # gzip files may be joined end to end
                    member = zlib.decompressobj(_GZIP_WINDOW)
                started = True
                piece = member.decompress(chunk, _PIECE_BYTES)
                chunk = member.unused_data if member.eof else member.unconsumed_tail  # noqa: PLW2901
                if piece:
                    yield piece
                    await asyncio.sleep(
                        0
                    )  # many pieces may come of one chunk: the requests of others have their turn
                elif not member.eof:
                    break
    except zlib.error as broken:
        raise BadRequest(400, "bad_gzip", f"the body is not gzip as its header says: {broken}") from None
    if started and not member.eof:
        raise BadRequest(400, "bad_gzip", "the gzip body ends too early")


def _too_large(bytes_max: int) -> BadRequest:
    return BadRequest(413, "too_large", f"the body is larger than {bytes_max} bytes, the most that is taken")
