"""Coverage bitmaps, as Redis has them: cell 0 is the most significant bit of the first byte."""

from __future__ import annotations

import re

_RUN = re.compile("1+")


def _bits(bitmap: bytes) -> str:
    return format(int.from_bytes(bitmap), f"0{len(bitmap) * 8}b") if bitmap else ""


def spans(bitmap: bytes) -> list[tuple[int, int]]:
    """The seen cells as half-open spans in seconds, ascending, apart from each other."""
    return [run.span() for run in _RUN.finditer(_bits(bitmap))]


def verified_cells(bitmap: bytes) -> int:
    """How far coverage goes from cell 0 without a hole."""
    first = _RUN.match(_bits(bitmap))
    return first.end() if first else 0


def cells(bitmap: bytes) -> set[int]:
    """The seen cells, one by one."""
    return {cell for start, end in spans(bitmap) for cell in range(start, end)}


def bitmap_of(seen: set[int]) -> bytes:
    """The bitmap in which just these cells are seen; its last byte has one."""
    if not seen:
        return b""
    size = max(seen) // 8 + 1
    bits = bytearray(size)
    for cell in seen:
        bits[cell >> 3] |= 0x80 >> (cell & 7)
    return bytes(bits)


def count(bitmap: bytes) -> int:
    """How many cells are seen."""
    return int.from_bytes(bitmap).bit_count()
