"""The audit: holds live counters against what the raw events give, through the model.

The raw events alone, without any snapshot, are applied by `service.rules.model`, which shares no code with the Lua.
Live state is read together with the id of the last entry in it, and compared once Postgres has all rows up to there.
"""

from __future__ import annotations

import asyncio
import time
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from service.counters import coverage, images, keys, packing, scripts
from service.counters.records import PairRecord, SessionRecord, UserRecord
from service.db.records import START, EntryId
from service.errors import Unavailable
from service.rules.model import Model, Totals

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

    from service.db.history import History
    from service.db.ledger import Ledger
    from service.rules.constants import Constants

FLUSHED_SECONDS_MAX = 30.0
"""How long to wait for the flusher to bring the rows of what was read."""

POLL_SECONDS = 0.05

LOOKS_MORE = 3

USERS_AT_ONCE = 200
"""Users whose raw events are held in memory at once."""


class Drift(NamedTuple):
    """A counter that is not what the raw events give."""

    key: str
    expected: str
    found: str


class Verdict(NamedTuple):
    """`incomplete` pairs were left out, since some of their raw events are no longer kept."""

    users: int
    pairs: int
    events: int
    incomplete: int
    drifts: list[Drift]

    def plus(self, other: Verdict) -> Verdict:
        return Verdict(
            self.users + other.users,
            self.pairs + other.pairs,
            self.events + other.events,
            self.incomplete + other.incomplete,
            self.drifts + other.drifts,
        )


class Audit:
    """`keeps_all` says that no raw event was ever dropped; otherwise a pair with fewer of them is left out."""

    def __init__(
        self, redis: Redis, history: History, ledger: Ledger, constants: Constants, *, keeps_all: bool
    ) -> None:
        self._redis = redis
        self._history = history
        self._ledger = ledger
        self._constants = constants
        self._keeps_all = keeps_all

    async def known_users(self, partition: int) -> list[str]:
        """All users of a partition that Postgres knows, by name."""
        return [name async for names in self._history.users(partition) for name in names]

    async def users(self, partition: int, names: list[str]) -> Verdict:
        """Compare some users of a partition. Raises Unavailable when the flusher does not come after.

        What is asked for is named before it is read, and in between a user may begin another movie. So whoever seems
        to have drifted is looked at again: a real drift stays.
        """
        verdict = await self._once(partition, names)
        for _ in range(LOOKS_MORE):
            if not verdict.drifts:
                break
            verdict = await self._once(partition, names)
        return verdict

    async def _once(self, partition: int, names: list[str]) -> Verdict:
        live = await self._live(partition, names)
        if await scripts.guarded(self._redis.hexists(keys.log(partition), "evicted")):
            names = [name for name in names if name in live.users]  # the others may have left
        await self._wait_flushed(partition, live.upto)
        model, events = Model(self._constants), 0
        for _, event in await self._history.events(partition, names, START, live.upto):
            model.apply(event)
            events += 1
        drifts: list[Drift] = []
        incomplete = self._compare(partition, model, live, drifts)
        return Verdict(len(names), len(live.pairs), events, incomplete, drifts)

    async def _live(self, partition: int, names: list[str]) -> _Live:
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            pipeline.hkeys(keys.user(partition, name))
        named = packing.Names()
        for name, fields in zip(names, await scripts.guarded(pipeline.execute()), strict=True):
            for slug, session in _sessions_of(fields):
                named.place_session(name, slug, session)
        reply = await scripts.call_one(
            self._redis,
            "state",
            [keys.log(partition), *keys.of_names(partition, named)],
            [packing.pack_names(named)],
        )
        return _Live.read(named, reply)

    async def _wait_flushed(self, partition: int, upto: EntryId) -> None:
        deadline = time.monotonic() + FLUSHED_SECONDS_MAX
        while (await self._ledger.checkpoints([partition]))[partition].entry < upto:
            if time.monotonic() > deadline:
                raise Unavailable(f"the rows of partition {partition} up to {upto} did not reach Postgres")
            await asyncio.sleep(POLL_SECONDS)

    def _compare(self, partition: int, model: Model, live: _Live, drifts: list[Drift]) -> int:
        incomplete = 0
        short: set[str] = set()
        for user, slug in live.pairs.keys() | model.pairs.keys():
            record, bitmap = live.pairs.get((user, slug), (None, b""))
            pair = model.pairs.get((user, slug))
            kept = pair.totals.events if pair else 0
            if record and kept < record.events and not self._keeps_all:
                incomplete += 1
                short.add(user)
                continue
            field = f"{keys.user(partition, user)} {keys.pair_field(slug)}"
            _hold(drifts, field, images.record_of(pair) if pair else None, record)
            seen, found_seen = pair.seen if pair else 0, coverage.seen_of(bitmap)
            if seen != found_seen:
                drifts.append(Drift(keys.coverage(partition, user, slug), _spans(seen), _spans(found_seen)))
            for name, session in pair.sessions.items() if pair else ():
                found = live.sessions.get((user, slug, name))
                spelled = f"{keys.user(partition, user)} {keys.session_field(slug, name)}"
                _hold(drifts, spelled, session, images.session_of(found) if found else None)
        for user, counters in model.users.items():
            if user not in short:
                totals = live.users.get(user)
                found_totals = (Totals(*totals[:4]), totals.movies) if totals else None
                _hold(drifts, keys.user(partition, user), (counters.totals, counters.movies), found_totals)
        return incomplete


class _Live(NamedTuple):
    """What Redis held at one moment; `upto` is the last entry in it."""

    upto: EntryId
    users: dict[str, UserRecord]
    pairs: dict[tuple[str, str], tuple[PairRecord, bytes]]
    sessions: dict[tuple[str, str, str], SessionRecord]

    @classmethod
    def read(cls, names: packing.Names, reply: list[list[bytes | None]]) -> _Live:
        upto, user_records, _, pair_records, coverages, session_records = reply
        assert isinstance(upto, bytes)
        users = list(names.users)
        pairs = names.named_pairs()
        sessions = [(*pairs[pair], session) for pair, session in names.sessions]
        return cls(
            EntryId.parse(upto),
            {
                name: UserRecord.unpack(found)
                for name, found in zip(users, user_records, strict=True)
                if found
            },
            {
                name: (PairRecord.unpack(found), bitmap or b"")
                for name, found, bitmap in zip(pairs, pair_records, coverages, strict=True)
                if found
            },
            {
                name: SessionRecord.unpack(found)
                for name, found in zip(sessions, session_records, strict=True)
                if found
            },
        )


def _sessions_of(fields: list[bytes]) -> list[tuple[str, str]]:
    """Slug and session of each field that is a session's: `s:<bytes of the slug>:<slug><session>`."""
    found = []
    for field in fields:
        if field.startswith(b"s:"):
            length, _, rest = field[2:].partition(b":")
            found.append((rest[: int(length)].decode(), rest[int(length) :].decode()))
    return found


def _hold(drifts: list[Drift], key: str, expected: object, found: object) -> None:
    if expected != found:
        drifts.append(Drift(key, str(expected), str(found)))


def _spans(seen: int) -> str:
    return str(coverage.spans(coverage.bitmap_of(seen)))


async def audit_all(
    audit: Audit, partitions: int, on_progress: Callable[[Verdict], None], *, sample: int = 0, seed: int = 0
) -> Verdict:
    """Every user of every partition; or, with `sample`, about so many of them, picked by `seed`."""
    total = Verdict(0, 0, 0, 0, [])
    pick = Random(seed)  # noqa: S311 - a sample, no secret
    for partition in range(partitions):
        known = await audit.known_users(partition)
        if sample:
            known = pick.sample(known, min(len(known), -(-sample // partitions)))
        for start in range(0, len(known), USERS_AT_ONCE):
            total = total.plus(await audit.users(partition, known[start : start + USERS_AT_ONCE]))
            on_progress(total)
    return total
