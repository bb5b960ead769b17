"""Request bodies, read within bounds: of bytes, before and after gunzip, and of silence."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING

from service.errors import BadRequest
from service.limits import BODY_BYTES_MAX, STREAM_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

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
    async for piece in pieces(request, silence_seconds, BODY_BYTES_MAX):
        gathered += piece
    return bytes(gathered)


async def pieces(
    request: web.Request, silence_seconds: float, bytes_max: int = STREAM_BYTES_MAX
) -> AsyncIterator[bytes]:
    """The body as it arrives, decompressed, in pieces of any size.

    Raises BadRequest: 408 after `silence_seconds` without a byte, 413 past `bytes_max`, 415 for an encoding other than
    gzip, 400 for a broken one.
    """
    seen = 0
    async for piece in _decoded(request, silence_seconds):
        seen += len(piece)
        if seen > bytes_max:
            raise _too_large(bytes_max)
        yield piece


async def _decoded(request: web.Request, silence_seconds: float) -> AsyncIterator[bytes]:
    match request.headers.get("Content-Encoding", "identity").strip().lower():
        case "identity" | "":
            async for chunk in _received(request, silence_seconds):
                yield chunk
        case "gzip" | "x-gzip":
            async for chunk in _gunzipped(_received(request, silence_seconds)):
                yield chunk
        case other:
            raise BadRequest(
                415, "unknown_encoding", f"Content-Encoding {other[:40]!r} is not taken, gzip is"
            )


async def _received(request: web.Request, silence_seconds: float) -> AsyncIterator[bytes]:
    content = request.content
    while True:
        try:
            async with asyncio.timeout(silence_seconds):
                chunk = await content.readany()
        except TimeoutError:
            raise BadRequest(
                408, "body_timeout", f"no byte of the body came for {silence_seconds:g} seconds"
            ) from None
        if not chunk:
            return
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
