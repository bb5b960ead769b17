"""The one writer of counters: requests that wait at the same moment share one round trip and one fsync.

While a call is under way, events gather in the queue; the next call takes them all, one run a partition, and waits for
those who are just coming. So the busier it is, the less one event costs, and an idle service answers a single event at
once. In a cluster each master has its
own queue and its own calls (`service.counters.lanes`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, NamedTuple

from service import metrics
from service.counters import keys
from service.counters.calls import Answer, Bounds, Calls, Outcomes, Reply, Share
from service.counters.current import counted_pair
from service.counters.lanes import Lane, Lanes
from service.counters.outcomes import ABSENT, DUPLICATE, split
from service.counters.partitions import partition_of
from service.counters.servers import home_of
from service.errors import QueueFull, RedisUnavailable, Unavailable
from service.limits import RUN_EVENTS_MAX, RUN_SEGMENTS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from redis.asyncio import Redis

    from service.counters.records import PairRecord
    from service.events.event import Event
    from service.rules.constants import Constants

GATHER_EVENTS = 32
"""With fewer than these a call is worth a moment's waiting, in which those who were just answered come back: what it
costs beside its events is what some ten of them cost."""

GATHER_SECONDS_MAX = 0.002
"""Less than an fsync takes at its worst."""

ABSENT_TRIES = 3
"""How often users may leave again between being brought in and being counted."""

Admit = Callable[[int, Collection[str]], Awaitable[None]]
"""Brings users of a partition into Redis, who are in Postgres only, or nowhere yet. Raises Unavailable."""


class Applied(NamedTuple):
    """How many events were duplicates, and why others could not be counted, by their place."""

    duplicates: int
    failures: dict[int, Unavailable]


class Writer:
    """Applies events. `run` is its loop, for one task of the process; `apply` may be called by any number at once."""

    def __init__(
        self, redis: Redis, partitions: int, constants: Constants, bounds: Bounds, admit: Admit
    ) -> None:
        self._redis = redis
        self._admit = admit
        self._partitions = partitions
        self._bounds = bounds
        self._calls = Calls(redis, constants, bounds)
        self._lanes = Lanes(self._home, self._serve)
        self._waiting_events = 0
        self._closing = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @property
    def waiting_events(self) -> int:
        return self._waiting_events

    async def apply(self, events: Sequence[Event]) -> Applied:
        """Count these events, each wholly or not at all.

        Events of several partitions are several calls, and some of those may fail while others succeed. Raises
        Unavailable when none was counted: at once when too many wait, or when Redis does not take them in time.
        """
        self._make_room(len(events))
        by_partition: dict[int, list[Event]] = {}
        for event in events:
            by_partition.setdefault(partition_of(event.user, self._partitions), []).append(event)
        shares = [(partition, some) for partition, mine in by_partition.items() for some in _cut(mine)]
        answers = [self._begin(partition, some) for partition, some in shares]
        settled = await asyncio.gather(*answers, return_exceptions=True)
        duplicates = 0
        failures: dict[int, Unavailable] = {}
        absent: list[tuple[int, list[Event]]] = []
        for (partition, some), answer in zip(shares, settled, strict=True):
            if not isinstance(answer, BaseException):
                duplicates += answer[0].count(DUPLICATE)
                if ABSENT in answer[0]:
                    absent.append((partition, _absent_of(some, answer[0])))
            elif not isinstance(answer, Unavailable) or len(some) == len(events):
                raise answer
            else:
                failures |= dict.fromkeys(map(id, some), answer)
        for late in await asyncio.gather(*(self._bring_in(*some) for some in absent)):
            duplicates += late.duplicates
            failures |= late.failures
        return Applied(duplicates, _placed(events, failures) if failures else {})

    async def apply_one(self, event: Event) -> tuple[bool, PairRecord]:
        """Count one event; gives whether it was a duplicate, and its pair right after."""
        answer: asyncio.Future[Outcomes] = self._loop.create_future()
        self.begin_one(event, answer)
        return read_one(await answer) or await self.bring_in_one(event)

    def begin_one(self, event: Event, answer: Answer) -> None:
        """Have one event counted if its user is in Redis, which `read_one` tells of what `answer` is told.

        Raises QueueFull; of whatever else `apply_one` raises `answer` is told.
        """
        self._make_room(1)
        self._enqueue_one(event, answer)

    async def bring_in_one(self, event: Event) -> tuple[bool, PairRecord]:
        """The same as `apply_one` of an event that was not counted, since its user was not in Redis."""
        for _ in range(ABSENT_TRIES):
            await self._admit(partition_of(event.user, self._partitions), (event.user,))
            answer: asyncio.Future[Outcomes] = self._loop.create_future()
            self._enqueue_one(event, answer)
            if counted := read_one(await answer):
                return counted
        raise _left_again()

    def _enqueue_one(self, event: Event, answer: Answer) -> None:
        deadline = self._loop.time() + self._bounds.timeout_seconds
        partition = partition_of(event.user, self._partitions)
        self._enqueue(partition, Share((event,), len(event.segments), True, deadline, answer))

    async def _bring_in(self, partition: int, events: list[Event]) -> Applied:
        """Apply events of users who are not in Redis. Failures are by the `id` of the event object."""
        duplicates = 0
        try:
            for _ in range(ABSENT_TRIES):
                await self._admit(partition, {event.user for event in events})
                outcomes, _ = await self._begin(partition, events)
                duplicates += outcomes.count(DUPLICATE)
                events = _absent_of(events, outcomes)
                if not events:
                    return Applied(duplicates, {})
            raise _left_again()
        except Unavailable as failed:
            return Applied(duplicates, dict.fromkeys(map(id, events), failed))

    async def run(self) -> None:
        """Ends after `close`, once everything that waits is answered."""
        await self._closing.wait()
        await self._lanes.empty()

    def close(self) -> None:
        """Let `run` end."""
        self._closing.set()

    def _home(self, partition: int) -> str:
        return home_of(self._redis, keys.log(partition))

    async def _serve(self, lane: Lane[Share]) -> None:
        await self._gather()
        if not await self._settle(lane, _take(lane)):
            self._fail_overdue(lane)

    async def _gather(self) -> None:
        """Let more events come, as long as some come at each turn of the loop: whoever is alone waits for one turn."""
        loop, before = self._loop, -1
        deadline = loop.time() + GATHER_SECONDS_MAX
        while before != self._waiting_events < GATHER_EVENTS and loop.time() < deadline:
            before = self._waiting_events
            await asyncio.sleep(0)

    def _make_room(self, events: int) -> None:
        if self._waiting_events + events > max(events, self._bounds.queue_events_max):
            raise QueueFull(f"{self._waiting_events} events wait already (PLAYHEAD_QUEUE_EVENTS_MAX)")

    def _begin(self, partition: int, events: Sequence[Event]) -> asyncio.Future[Outcomes]:
        answer: asyncio.Future[Outcomes] = self._loop.create_future()
        segments = sum([len(event.segments) for event in events])
        deadline = self._loop.time() + self._bounds.timeout_seconds
        self._enqueue(partition, Share(events, segments, False, deadline, answer))
        return answer

    def _enqueue(self, partition: int, share: Share) -> None:
        self._waiting_events += len(share.events)
        self._lanes.add(partition, share)

    async def _settle(self, lane: Lane[Share], taken: dict[int, list[Share]]) -> bool:
        """Apply what was taken and answer everybody who waits for it, whatever happens; False if the call failed.

        Where enough waits for a call of its own, it is sent first: Redis need not wait until all are answered.
        """
        try:
            replies = await self._calls.make(taken)
        except Exception as failed:  # whoever waits must hear of it, and the loop must go on
            for shares in taken.values():
                self._fail(shares, failed)
            return False
        finally:
            self._waiting_events -= sum([len(share.events) for shares in taken.values() for share in shares])
        if self._waiting_events >= GATHER_EVENTS:
            self._loop.call_soon(self._answer, taken, replies)
        else:
            self._answer(taken, replies)
            await asyncio.sleep(0)  # the loop has not looked yet who comes back
        return True

    def _answer(self, taken: dict[int, list[Share]], replies: list[Reply]) -> None:
        accepted = duplicates = 0
        for shares, reply in zip(taken.values(), replies, strict=True):
            if isinstance(reply, Exception):
                self._fail(shares, reply)
                continue
            outcomes = split(reply[0])
            repeated = outcomes.count(DUPLICATE)
            duplicates += repeated
            accepted += len(outcomes) - repeated - outcomes.count(ABSENT)
            _distribute(shares, outcomes, reply)
        if accepted:
            metrics.ACCEPTED.inc(accepted)
        if duplicates:
            metrics.DUPLICATES.inc(duplicates)

    def _fail_overdue(self, lane: Lane[Share]) -> None:
        """Answer those who waited for their turn so long behind a failed call that theirs would come too late."""
        now = self._loop.time()
        for partition, queue in list(lane.waiting.items()):
            while queue and queue[0].deadline <= now:
                share = queue.popleft()
                self._waiting_events -= len(share.events)
                self._fail([share], RedisUnavailable("Redis did not answer in time; this was not counted"))
            if not queue:
                del lane.waiting[partition]

    def _fail(self, shares: list[Share], reason: Exception) -> None:
        for share in shares:
            if not share.answer.done():
                share.answer.set_exception(reason)


def read_one(answer: Outcomes) -> tuple[bool, PairRecord] | None:
    """Whether the one event was a duplicate, and its pair right after; None where its user must be brought in first."""
    outcomes, record = answer
    return None if record is None else (outcomes[0] == DUPLICATE, record)


def _take(lane: Lane[Share]) -> dict[int, list[Share]]:
    """What the next call applies: of each partition the shares that fit into one run, first come first served."""
    taken: dict[int, list[Share]] = {}
    for partition, queue in list(lane.waiting.items()):
        events = segments = 0
        shares: list[Share] = []
        while queue and events + len(queue[0].events) <= RUN_EVENTS_MAX and segments <= RUN_SEGMENTS_MAX:
            share = queue.popleft()
            events += len(share.events)
            segments += share.segments
            shares.append(share)
        if not queue:
            del lane.waiting[partition]
        taken[partition] = shares
    return taken


def _absent_of(events: Sequence[Event], outcomes: list[bytes]) -> list[Event]:
    return [event for event, outcome in zip(events, outcomes, strict=True) if outcome == ABSENT]


def _left_again() -> Unavailable:
    return RedisUnavailable("users leave Redis as fast as they are brought in; this was not counted")


def _placed(events: Sequence[Event], failures: dict[int, Unavailable]) -> dict[int, Unavailable]:
    """Failures by the place of their event. Raises one of them when there is nothing else."""
    placed = {place: failures[id(event)] for place, event in enumerate(events) if id(event) in failures}
    if len(placed) == len(events):
        raise placed[0]
    return placed


def _cut(events: list[Event]) -> Iterator[list[Event]]:
    """These events in pieces, in order, each of which fits into one run."""
    start = segments = 0
    for place, event in enumerate(events):
        segments += len(event.segments)
        if place > start and (place - start >= RUN_EVENTS_MAX or segments > RUN_SEGMENTS_MAX):
            yield events[start:place]
            start, segments = place, len(event.segments)
    yield events[start:]


def _distribute(shares: list[Share], outcomes: list[bytes], reply: list[bytes]) -> None:
    start, state_at = 0, 1
    for share in shares:
        end, answer, state = start + len(share.events), share.answer, None
        if share.wants_state:
            if record := reply[state_at + 1]:  # of who is absent there is none
                state = counted_pair(reply[state_at], record)
            state_at += 2
        if not answer.done():
            answer.set_result((outcomes[start:end], state))
        start = end
