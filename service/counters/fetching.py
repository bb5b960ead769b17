"""Records under plain keys: what is wanted at the same moment is fetched by one command.

Most of what reads want is in one string or two, and MGET gives many of them for what a script takes for one. A pair
that its user may have left is looked for by a script in the same go (`lua/fetch.lua`). All of one fetch is of one
moment. What several reads want at once, a hot movie say, is fetched once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from redis.exceptions import RedisError

from service.counters import keys, scripts
from service.counters.cluster import in_cluster
from service.counters.exchange import exchange
from service.counters.lanes import Lane, Lanes
from service.counters.servers import home_of
from service.errors import RedisUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from service.counters.cluster import Command

KEYS_AT_ONCE = 512
"""In one call: some hundred microseconds of Redis' time, in which it takes no events."""

PATIENCE_SECONDS = 0.002
"""How long a reader waits for the fetch before its own. Most take less; not those held back for an fsync."""


class Answer(Protocol):
    """Who waits for what is fetched, as a future does."""

    def done(self) -> bool: ...
    def set_result(self, found: list[bytes | None]) -> None: ...
    def set_exception(self, failed: Exception) -> None: ...


class Wanted(NamedTuple):
    """`left` is a movie that its user may have left: then the first two keys are of the user's stride and record."""

    keys: Sequence[str]
    left: str | None
    answer: Answer


class Fetching:
    """The fetched records of one process, for any number of readers at once.

    What was begun is answered whenever that is, with what was found, None where nothing is, or with RedisUnavailable.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._lanes: Lanes[Wanted] = Lanes(
            lambda partition: home_of(redis, keys.log(partition)),
            self._serve,
            patience_seconds=PATIENCE_SECONDS,
        )

    def begin(self, partition: int, spelled: Sequence[str], answer: Answer) -> None:
        """Tell what is under these keys of the partition."""
        self._lanes.add(partition, Wanted(spelled, None, answer))

    def begin_pair(self, partition: int, user: str, slug: str, answer: Answer) -> None:
        """Tell the user's stride and record, the pair's bitmap and, if the user has left the pair, its record."""
        spelled = [
            keys.stride(partition, user),
            keys.user(partition, user),
            keys.coverage(partition, user, slug),
        ]
        self._lanes.add(partition, Wanted(spelled, slug, answer))

    def begin_each(self, spelled: Sequence[str], answer: Answer) -> None:
        """Tell what is under these keys, one of each partition, in order: of one moment where one server has all."""
        if not in_cluster(self._redis):
            self.begin(0, spelled, answer)
            return
        found: list[bytes | None] = [None] * len(spelled)
        missing = set(range(len(spelled)))
        for partition, key in enumerate(spelled):
            self.begin(partition, [key], _Part(answer, found, missing, partition))

    async def _serve(self, lane: Lane[Wanted]) -> None:
        taken = _take(lane)
        if taken and not in_cluster(self._redis):  # all are on one server
            taken = {next(iter(taken)): [one for some in taken.values() for one in some]}
        shares = [Share(partition, some, _places_of(some)) for partition, some in taken.items()]
        try:
            replies = await self._ask(shares)
        except Exception as failed:  # whoever waits must hear of it, and the next ones get their turn
            replies = [failed] * len(shares)
        for share, reply in zip(shares, replies, strict=True):
            share.answer(reply)

    async def _ask(self, shares: list[Share]) -> list[Any]:
        """The reply to each, or what it failed with."""
        if any(one.left for share in shares for one in share.waiting):
            return await scripts.call(self._redis, [share.call() for share in shares])
        commands: list[Command] = [(("MGET", *share.places), {}) for share in shares]
        return await scripts.guarded(exchange(self._redis, commands)) if commands else []


class _Part:
    """Waits for one of what an answer needs all of; `found` and `missing` are those of all its parts."""

    def __init__(self, answer: Answer, found: list[bytes | None], missing: set[int], place: int) -> None:
        self._answer, self._found, self._missing, self._place = answer, found, missing, place

    def done(self) -> bool:
        return self._answer.done()

    def set_result(self, found: list[bytes | None]) -> None:
        (self._found[self._place],) = found
        self._missing.remove(self._place)
        if not self._missing:
            self._answer.set_result(self._found)

    def set_exception(self, failed: Exception) -> None:
        self._answer.set_exception(failed)


class Share(NamedTuple):
    """What one command asks for: in a cluster of one partition, since each is in a slot of its own.

    `places` has each key once, in the order of the command.
    """

    partition: int
    waiting: list[Wanted]
    places: dict[str, int]

    def call(self) -> scripts.Call:
        args: list[str | bytes | int] = [len(self.places), *self.places]
        for one in self.waiting:
            if one.left:
                args += (self.places[one.keys[0]] + 1, one.left)
        return "fetch", [keys.log(self.partition)], args

    def answer(self, reply: list[bytes | None] | Exception) -> None:
        """Tell those who still wait."""
        if isinstance(reply, Exception):
            for one in self.waiting:
                if not one.answer.done():
                    one.answer.set_exception(_unavailable(reply))
            return
        others = iter(reply[len(self.places) :])
        for one in self.waiting:
            found = [reply[self.places[key]] for key in one.keys]
            if one.left:
                found.append(next(others))
            if not one.answer.done():
                one.answer.set_result(found)


def _take(lane: Lane[Wanted]) -> dict[int, list[Wanted]]:
    """Some of what waits, first come first served within a partition, without what nobody waits for any more."""
    taken: dict[int, list[Wanted]] = {}
    room = KEYS_AT_ONCE
    for partition, queue in list(lane.waiting.items()):
        some: list[Wanted] = []
        while queue and room > 0:
            one = queue.popleft()
            if not one.answer.done():
                some.append(one)
                room -= len(one.keys)
        if some:
            taken[partition] = some
        if queue:  # behind the others next time
            lane.waiting[partition] = lane.waiting.pop(partition)
        else:
            del lane.waiting[partition]
    return taken


def _places_of(some: list[Wanted]) -> dict[str, int]:
    places: dict[str, int] = {}
    for one in some:
        for key in one.keys:
            places.setdefault(key, len(places))
    return places


def _unavailable(failed: Exception) -> Exception:
    """What a reply failed with, as readers are told it."""
    return RedisUnavailable(f"Redis did not answer: {failed}") if isinstance(failed, RedisError) else failed
