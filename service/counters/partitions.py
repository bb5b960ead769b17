"""Which partition a user belongs to, and that data is spread over as many as the settings say."""

from __future__ import annotations

from zlib import crc32

from service.errors import CannotStart


def partition_of(user: str, partitions: int) -> int:
    """A stable hash: CRC-32 of the name in UTF-8, so that every process and every version agrees."""
    return crc32(user.encode()) % partitions


def refuse_other_number(partitions: int, stored: int, place: str) -> None:
    """Raises CannotStart where the data in this place is spread over another number."""
    if stored != partitions:
        raise CannotStart(
            f"PLAYHEAD_PARTITIONS is {partitions}, but the data in this {place} is spread over {stored}:"
            f" set it to {stored}"
        )
