"""Reads of live counters, which share round trips.

Most need one. Where that does not hold the answer (a user who is not there, pages of pairs) a script tells the whole of
one moment.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, Protocol

from service.counters import current, keys
from service.counters.fetching import Fetching
from service.counters.gathering import Gathering
from service.counters.partitions import partition_of
from service.counters.records import MovieRecord, PairRecord, UserRecord
from service.errors import NotFound

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from service.counters.fetching import Answer


class RecentPair(NamedTuple):
    slug: str
    record: PairRecord


class Stored(Protocol):
    """Reads of users who left Redis; None where nothing is known."""

    async def user(self, name: str) -> UserRecord | None: ...
    async def pair(self, name: str, slug: str) -> tuple[PairRecord, bytes] | None: ...
    async def recent_pairs(
        self, name: str, limit: int, after: tuple[int, str] | None
    ) -> list[RecentPair]: ...


class Reader:
    """Raises RedisUnavailable, and PostgresUnavailable of a user who is there only."""

    def __init__(self, redis: Redis, partitions: int, stored: Stored) -> None:
        self._partitions = partitions
        self._stored = stored
        self._gathering = Gathering(redis)
        self._fetching = Fetching(redis)

    async def movie(self, slug: str) -> MovieRecord:
        """A movie's totals: the sum of its shares in all partitions. Raises NotFound when there is none."""
        answer: asyncio.Future[list[bytes | None]] = asyncio.get_running_loop().create_future()
        self.begin_movie(slug, answer)
        return self.read_movie(slug, await answer)

    def begin_movie(self, slug: str, answer: Answer) -> None:
        """Have fetched what `read_movie` reads."""
        spelled = [keys.movie(partition, slug) for partition in range(self._partitions)]
        self._fetching.begin_each(spelled, answer)

    def read_movie(self, slug: str, fetched: list[bytes | None]) -> MovieRecord:
        """The totals. Raises NotFound."""
        total = MovieRecord.sum_of(filter(None, fetched))
        if not total.viewers:  # never seen, or by nobody who was not erased
            raise NotFound(f"no event of movie {slug!r} was ever received")
        return total

    async def user(self, name: str) -> UserRecord:
        """A user's totals over all movies. Raises NotFound when there are none."""
        answer: asyncio.Future[list[bytes | None]] = asyncio.get_running_loop().create_future()
        self.begin_user(name, answer)
        return self.read_user(name, await answer) or await self.absent_user(name)

    def begin_user(self, name: str, answer: Answer) -> None:
        """Have fetched what `read_user` reads."""
        partition = self._partition(name)
        self._fetching.begin(partition, [keys.stride(partition, name), keys.user(partition, name)], answer)

    def read_user(self, name: str, fetched: list[bytes | None]) -> UserRecord | None:
        """The totals; None where `absent_user` has to find out. Raises NotFound."""
        stride, record = fetched
        return _known_user(name, current.totals_of(stride, record)) if record else None

    async def pair(self, name: str, slug: str) -> tuple[PairRecord, bytes]:
        """A pair and its coverage bitmap, from one moment. Raises NotFound when there is none."""
        answer: asyncio.Future[list[bytes | None]] = asyncio.get_running_loop().create_future()
        self.begin_pair(name, slug, answer)
        return self.read_pair(name, slug, await answer) or await self.absent_pair(name, slug)

    def begin_pair(self, name: str, slug: str, answer: Answer) -> None:
        """Have fetched what `read_pair` reads."""
        self._fetching.begin_pair(self._partition(name), name, slug, answer)

    def read_pair(self, name: str, slug: str, fetched: list[bytes | None]) -> tuple[PairRecord, bytes] | None:
        """The pair and its bitmap; None where `absent_pair` has to find out. Raises NotFound."""
        stride, record, bitmap, left = fetched
        if not record:
            return None
        if left:
            return PairRecord.unpack(left), bitmap or b""
        return _known_pair(name, slug, current.pair_of(stride, record, slug, bitmap or b""))

    async def absent_user(self, name: str) -> UserRecord:
        """One of whom there was nothing a moment ago. Raises NotFound."""
        record, may_be_stored = await self._gathering.read(self._partition(name), "read_user", [name])
        found = UserRecord.unpack(record) if record else None
        if may_be_stored:
            found = await self._stored.user(name)
        return _known_user(name, found)

    async def absent_pair(self, name: str, slug: str) -> tuple[PairRecord, bytes]:
        """One of a user of whom there was nothing a moment ago. Raises NotFound."""
        record, bitmap, may_be_stored = await self._gathering.read(
            self._partition(name), "read_pair", [name, slug]
        )
        found = (PairRecord.unpack(record), bitmap or b"") if record else None
        if may_be_stored:
            found = await self._stored.pair(name, slug)
        return _known_pair(name, slug, found)

    async def recent_pairs(self, name: str, limit: int, after: tuple[int, str] | None) -> list[RecentPair]:
        """Up to `limit` pairs of a user, latest first, from after this time in us and slug on.

        Pairs of which only `load` is known have no latest moment and come last. Raises NotFound when there is none.
        """
        partition = self._partition(name)
        time_us, slug = after or ("", "")
        record, may_be_stored, *found = await self._gathering.read(
            partition, "read_recent", [name, limit, time_us, slug]
        )
        if may_be_stored:
            pairs = await self._stored.recent_pairs(name, limit, after)
            is_known = bool(pairs) or (after is not None and await self._stored.user(name) is not None)
        else:
            pairs = [
                RecentPair(found[at].decode(), PairRecord.unpack(found[at + 1]))
                for at in range(0, len(found), 2)
            ]
            is_known = record is not None and UserRecord.unpack(record).events > 0
        if not is_known:
            raise _unknown_user(name)
        return pairs

    def _partition(self, name: str) -> int:
        return partition_of(name, self._partitions)


def _known_user(name: str, found: UserRecord | None) -> UserRecord:
    if found is None or not found.events:
        raise _unknown_user(name)
    return found


def _unknown_user(name: str) -> NotFound:
    return NotFound(f"no event of user {name!r} was ever received")


def _known_pair(name: str, slug: str, found: tuple[PairRecord, bytes] | None) -> tuple[PairRecord, bytes]:
    if found is None:
        raise NotFound(f"no event of user {name!r} on movie {slug!r} was ever received")
    return found
