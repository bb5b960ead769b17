"""Counters as the JSON documents that clients read (design 3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from service.counters import coverage

if TYPE_CHECKING:
    from service.counters.records import MovieRecord, PairRecord, UserRecord

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def seconds(ms: int) -> int | float:
    """Ms as seconds that print to the digit: 4500, 495088.259."""
    return ms / 1000 if ms % 1000 else ms // 1000


def moment(time_us: int) -> str:
    """Us since 1970 as RFC 3339 in UTC."""
    second, us = divmod(time_us, 1_000_000)
    return f"{_second(second)}.{us:06d}Z"


def moment_or_none(time_us: int | None) -> str | None:
    return None if time_us is None else moment(time_us)


@lru_cache(maxsize=256)  # what is answered now is mostly of this second or of the last
def _second(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).isoformat()[:-6]


def movie(slug: str, record: MovieRecord) -> dict[str, object]:
    return {
        "slug": slug,
        "watch_seconds": seconds(record.watch_ms),
        "effective_seconds": seconds(record.effective_ms),
        "unique_seconds": record.unique_cells,
        "viewers": record.viewers,
        "events": record.events,
    }


def user(name: str, record: UserRecord) -> dict[str, object]:
    return {
        "user": name,
        "watch_seconds": seconds(record.watch_ms),
        "effective_seconds": seconds(record.effective_ms),
        "unique_seconds": record.unique_cells,
        "movies": record.movies,
        "events": record.events,
    }


def pair(name: str, slug: str, record: PairRecord) -> dict[str, object]:
    """A pair without its coverage. `latest` is null while the movie was only opened."""
    latest = None
    if record.latest_us:
        latest = {"at": seconds(record.latest_ms), "updated_at": moment(record.latest_us)}
    return {
        "user": name,
        "slug": slug,
        "latest": latest,
        "furthest": seconds(record.furthest_ms),
        "verified": record.verified_cells,
        "watch_seconds": seconds(record.watch_ms),
        "effective_seconds": seconds(record.effective_ms),
        "unique_seconds": record.unique_cells,
        "implausible_seconds": seconds(record.implausible_ms),
    }


def pair_with_coverage(name: str, slug: str, record: PairRecord, bitmap: bytes) -> dict[str, object]:
    document = pair(name, slug, record)
    document["coverage"] = coverage.spans(bitmap)
    return document
