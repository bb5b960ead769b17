"""A short, fixed-size stand-in for names in a primary key, whatever their length and script."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256


def digest(*names: str) -> bytes:
    """SHA-256 of the names in UTF-8, joined by NUL, which no name contains.

    Collision resistant on purpose: clients choose the names, and two that met here would share a row.
    """
    return sha256("\0".join(names).encode()).digest()


@lru_cache(4096)
def digest_of_slug(slug: str) -> bytes:
    """The same of a movie's name, which many pairs share: the movies that are watched now are few."""
    return digest(slug)
