"""Coverage bitmaps, as Redis has them: cell 0 is the most significant bit of the first byte."""

from __future__ import annotations

import re

_RUN = re.compile("1+")

_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in the other order."""


def _bits(bitmap: bytes) -> str:
    return format(int.from_bytes(bitmap), f"0{len(bitmap) * 8}b") if bitmap else ""


def spans(bitmap: bytes) -> list[tuple[int, int]]:
    """The seen cells as half-open spans in seconds, ascending, apart from each other.

    Few they are mostly, and far apart: `find` passes over what lies between a tenth as long as a pattern would.
    """
    bits = _bits(bitmap)
    found = []
    first = bits.find("1")
    while first >= 0:
        after = bits.find("0", first)
        if after < 0:
            after = len(bits)
        found.append((first, after))
        first = bits.find("1", after)
    return found


def verified_cells(bitmap: bytes) -> int:
    """How far coverage goes from cell 0 without a hole."""
    first = _RUN.match(_bits(bitmap))
    return first.end() if first else 0


def seen_of(bitmap: bytes) -> int:
    """The bitmap as the rules have it: bit n of the number is cell n."""
    return int.from_bytes(bitmap.translate(_MIRRORED), "little")


def bitmap_of(seen: int) -> bytes:
    """The other way round; the last byte has a cell."""
    return seen.to_bytes(-(-seen.bit_length() // 8), "little").translate(_MIRRORED)


def count(bitmap: bytes) -> int:
    """How many cells are seen."""
    return int.from_bytes(bitmap).bit_count()
