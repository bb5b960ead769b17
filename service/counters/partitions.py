"""Which partition a user belongs to."""

from __future__ import annotations

from zlib import crc32


def partition_of(user: str, partitions: int) -> int:
    """A stable hash: CRC-32 of the name in UTF-8, so that every process and every version agrees."""
    return crc32(user.encode()) % partitions
