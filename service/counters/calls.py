"""One call for what waits: several partitions' runs in one round trip, each counted once however often it is sent.

A call whose answer was lost is repeated under the same token, and the script then gives the answer of the first one
instead of counting again (`lua/apply.lua`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol
from uuid import uuid4

from service import metrics
from service.counters import keys, packing, scripts
from service.counters.cluster import in_cluster
from service.counters.servers import home_of
from service.errors import RedisUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from service.counters.records import PairRecord
    from service.events.event import Event
    from service.rules.constants import Constants

REPEAT_PAUSE_SECONDS = 0.05
REPEAT_PAUSE_SECONDS_MAX = 0.5
"""How long to wait before a failed call is repeated: at first, and doubled up to."""

WAIT_SHARE = 0.8
"""Of the time that is left of a call, how much replicas may take: servers look at their clocks ten times a second."""

CALL_SHARE_MIN = 0.25
"""What a call gets at least of the time that a request may wait, however long its events waited in the queue."""

CALL_EVENTS_MAX = 1000
"""In one call of the script, where it is of several runs: for some ten milliseconds Redis does nothing else."""

Reply = list[bytes] | Exception
"""What the script answered for one run, its outcomes and then its states, or why it was refused."""

Outcomes = tuple[list[bytes], "PairRecord | None"]
"""What the script said of each event (`service.counters.outcomes`), and the pair right after where that was wanted."""


class Answer(Protocol):
    """Who waits for outcomes: a future, or whoever is to be told in the same turn of the loop. It must not fail."""

    def done(self) -> bool: ...

    def set_result(self, outcomes: Outcomes, /) -> None: ...

    def set_exception(self, failed: Exception, /) -> None: ...


@dataclass(slots=True)
class Share:
    """What one request has for one partition: some events, and who waits for their outcomes."""

    events: Sequence[Event]
    segments: int
    wants_state: bool
    deadline: float
    answer: Answer


@dataclass(frozen=True, slots=True)
class Bounds:
    """`backlog_events_max` may wait in one partition, `queue_events_max` in this process."""

    queue_events_max: int
    backlog_events_max: int
    timeout_seconds: float
    replicas_min: int = 0
    """How many replicas must have an event before it is acknowledged."""


class Calls:
    """The calls of one writer: `_name` and a token tell each from all others."""

    def __init__(self, redis: Redis, constants: Constants, bounds: Bounds) -> None:
        self._redis = redis
        self._bounds = bounds
        self._constants = [
            str(constant).encode()  # once, and not in every call
            for constant in (
                constants.heartbeat_interval_ms,
                constants.heartbeat_gap_ms,
                constants.implausible_tolerance_ms,
                constants.idempotency_window_us,
                bounds.backlog_events_max,
            )
        ]
        self._name = uuid4().hex
        self._made = 0

    async def make(self, taken: dict[int, list[Share]]) -> list[Reply]:
        """One call for all partitions, with its metrics; gives what the script answered for each, in the same order.

        Raises RedisUnavailable when there was no answer in time.
        """
        runs = [_pack(partition, shares) for partition, shares in taken.items()]
        first = min([shares[0].deadline for shares in taken.values()])  # shares stand as they came
        metrics.CALL_EVENTS.observe(sum([run.events for run in runs]))
        with metrics.CALL_SECONDS.time():
            return await self._call_until_answered(self._grouped(runs), first)

    async def _call_until_answered(self, groups: list[list[_Packed]], first: float) -> list[Reply]:
        """One round trip; repeated while Redis cannot be reached, as long as whoever came `first` may wait."""
        self._made += 1
        token, loop = self._made, asyncio.get_running_loop()
        deadline = max(first, loop.time() + self._bounds.timeout_seconds * CALL_SHARE_MIN)
        pause, repeated, failed = REPEAT_PAUSE_SECONDS, False, None
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    spelled = [self._spell(runs, token, repeated) for runs in groups]
                    # A slot that has moved is not followed: the server's name is one of the arguments.
                    replies = await scripts.call(self._redis, spelled, self._copies(deadline), follow=False)
                    return _by_run(groups, replies)
            except TimeoutError:
                raise failed or RedisUnavailable(
                    "Redis did not answer in time; whether this was counted is not known"
                ) from None
            except RedisUnavailable as unavailable:
                failed = unavailable
                if loop.time() + pause >= deadline:
                    raise
            await asyncio.sleep(pause)
            pause, repeated = min(2 * pause, REPEAT_PAUSE_SECONDS_MAX), True

    def _grouped(self, runs: list[_Packed]) -> list[list[_Packed]]:
        """Small runs share a call of the script; in a cluster each is in a slot of its own."""
        groups: list[list[_Packed]] = []
        room = 0
        for run in runs:
            room -= run.events
            if room < 0 or in_cluster(self._redis):
                groups.append([])
                room = CALL_EVENTS_MAX - run.events
            groups[-1].append(run)
        return groups

    def _copies(self, deadline: float) -> scripts.Copies:
        """Replicas may take until shortly before the deadline, so that it is them who are said to be late."""
        left_seconds = deadline - asyncio.get_running_loop().time()
        return scripts.Copies(self._bounds.replicas_min, max(1, int(left_seconds * WAIT_SHARE * 1000)))

    def _spell(self, runs: list[_Packed], token: int, repeated: bool) -> scripts.Call:
        first = runs[0].partition
        spelled = [key for run in runs for key in (keys.stream(run.partition), keys.log(run.partition))]
        home = home_of(self._redis, keys.log(first))
        told = [word for run in runs for word in (run.run, run.wanted)]
        return (
            "apply",
            [*spelled, keys.call(first, self._name)],
            [token, "1" if repeated else "0", *self._constants, home, *told],
        )


class _Packed(NamedTuple):
    """`wanted` says of which events the state is wanted, a byte each (`lua/apply.lua`)."""

    partition: int
    run: bytes
    wanted: bytes
    events: int


def _pack(partition: int, shares: list[Share]) -> _Packed:
    run = packing.pack([event for share in shares for event in share.events])
    wanted = b"".join([b"1" if share.wants_state else b"0" * len(share.events) for share in shares])
    return _Packed(partition, run, wanted.rstrip(b"0"), len(wanted))


def _by_run(groups: list[list[_Packed]], replies: list[Reply]) -> list[Reply]:
    """A reply for each run: its outcomes and the states that it wanted, or why it, or all of its call, was refused."""
    answered: list[Reply] = []
    for runs, reply in zip(groups, replies, strict=True):
        if isinstance(reply, Exception):
            answered += [reply] * len(runs)
            continue
        states_at = len(runs)
        for run, outcomes in zip(runs, reply, strict=False):
            if isinstance(outcomes, Exception):
                answered.append(scripts.translated(outcomes))
            else:
                states_end = states_at + 2 * run.wanted.count(b"1")
                answered.append([outcomes, *reply[states_at:states_end]])
                states_at = states_end
    return answered
