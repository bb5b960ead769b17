"""Lua and the model agree, to the bit, on every sequence of events that Hypothesis can think of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.counters import coverage, current, images, keys
from service.counters.erasing import erase
from service.events.event import CUT, KINDS, Event
from service.rules.constants import Constants
from service.rules.model import Model, Outcome
from tests.lua.book import apply, book_of_model, book_of_redis
from tests.opening import open_partitions

if TYPE_CHECKING:
    from redis.asyncio import Redis

PARTITION = 3
CONSTANTS = Constants(idempotency_window_us=60_000_000)
START_US = 1_790_000_000_000_000

USERS = ("ann", "Zoë 🎬", "a:b", "{p9}")
SLUGS = ("dune", "c", "b:c", "a/b {x}\n", "s:1:")
SESSIONS = ("", "s", ":")

positions = st.one_of(
    st.integers(0, 120_000),
    st.integers(0, 24).map(lambda step: step * 5000),  # heartbeats, at whole steps up to the gap and past it
    st.integers(0, 120).map(lambda second: second * 1000),
    st.sampled_from((0, 1, 999, 1000, 31_999, 32_000, 32_001, 7_999_999, 172_799_999, 172_800_000)),
)
# Near each other, so that duplicates come up; at the window's distance, so that it slides; and far apart.
seqs = st.one_of(
    st.none(),
    st.integers(0, 12),
    st.integers(1010, 1050),
    st.integers(2030, 2070),
    st.integers(0, 5000),
    st.just(2**53 - 2),
)
speeds = st.one_of(st.none(), st.sampled_from((100, 500, 1000, 1250, 2000, 16000)), st.integers(100, 16000))


@st.composite
def events(draw: st.DrawFn) -> Event:
    kind = draw(st.just("heartbeat") | st.sampled_from((*KINDS, CUT)))
    received_us = START_US
    timed = draw(st.booleans())
    late_us = draw(st.one_of(st.just(0), st.integers(0, 60_000_000), st.integers(0, 10**15))) if timed else 0
    spans = st.lists(st.tuples(positions, positions), max_size=4).map(tuple)
    return Event(
        user=draw(st.sampled_from(USERS)),
        slug=draw(st.sampled_from(SLUGS)),
        kind=kind,
        at_ms=draw(positions),
        time_us=received_us - late_us,
        received_us=received_us,
        timed=timed,
        session=draw(st.sampled_from(SESSIONS)),
        seq=draw(seqs),
        id=draw(st.one_of(st.none(), st.sampled_from(("1", "2", "é", "a b")))),
        from_ms=draw(positions) if kind in ("segment", "seek") else None,
        speed=draw(speeds.filter(lambda speed: speed is not None)) if kind == "rate" else draw(speeds),
        segments=draw(spans) if kind == "claim" else (),
        duration_ms=draw(st.one_of(st.none(), positions)),
    )


def in_order(events: list[Event], steps: list[int]) -> list[Event]:
    """The same events, received one after the other: by as many us later as `steps` says."""
    elapsed_us, moved = 0, []
    for place, event in enumerate(events):
        elapsed_us += steps[place % len(steps)]
        moved.append(
            event._replace(time_us=event.time_us + elapsed_us, received_us=event.received_us + elapsed_us)
        )
    return moved


def spelled(outcome: Outcome) -> str:
    """An outcome as the script spells it."""
    if outcome.duplicate:
        return "D"
    excess = f"!{outcome.implausible_ms}" if outcome.implausible_ms else ""
    scope = f"@{outcome.scope}" if outcome.scope else ""
    return f"{outcome.credited_ms}{excess}{scope}"


steps = st.lists(st.sampled_from((0, 1, 500, 1_000_000, 10_000_000, 61_000_000)), min_size=1, max_size=9)
unhurried = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


async def agree(redis: Redis, events: list[Event], cut: int) -> None:
    """Apply the events to both, in runs of `cut`, and compare each outcome and all that is left."""
    await redis.flushall()
    await open_partitions(redis, PARTITION)
    model = Model(CONSTANTS)
    for start in range(0, len(events), cut):
        run = events[start : start + cut]
        assert await apply(redis, PARTITION, run, CONSTANTS) == [spelled(model.apply(event)) for event in run]
    since_us = events[-1].received_us - CONSTANTS.idempotency_window_us
    assert await book_of_redis(redis, PARTITION, model, since_us) == book_of_model(model, since_us)
    await agree_where_users_are(redis, model)


async def agree_where_users_are(redis: Redis, model: Model) -> None:
    """Of everybody one pair is in the user's own record, where it is read without a script."""
    names = list(model.pairs)
    users: list[Any] = await redis.mget([keys.user(PARTITION, user) for user, _ in names])
    strides: list[Any] = await redis.mget([keys.stride(PARTITION, user) for user, _ in names])
    bitmaps: list[Any] = await redis.mget([keys.coverage(PARTITION, *name) for name in names])
    found = 0
    for (user, slug), stride, record, bitmap in zip(names, strides, users, bitmaps, strict=True):
        if current_pair := current.pair_of(stride, record, slug, bitmap or b""):
            pair = model.pairs[user, slug]
            assert current_pair == (images.record_of(pair), coverage.bitmap_of(pair.seen))
            found += 1
    assert found == len(model.users)


@unhurried
@given(events=st.lists(events(), min_size=1, max_size=60), steps=steps, cut=st.integers(1, 60))
async def test_lua_and_the_model_agree(redis: Redis, events: list[Event], steps: list[int], cut: int) -> None:
    await agree(redis, in_order(events, steps), cut)


@unhurried
@given(
    events=st.lists(events(), min_size=1, max_size=30),
    cut=st.integers(1, 8),
    gone=st.lists(st.sampled_from(USERS)),
)
async def test_they_agree_on_who_was_erased(
    redis: Redis, events: list[Event], cut: int, gone: list[str]
) -> None:
    """After each run somebody is erased, who may come back in a later one."""
    await redis.flushall()
    await open_partitions(redis, PARTITION)
    model = Model(CONSTANTS)
    for number, start in enumerate(range(0, len(events), cut)):
        run = events[start : start + cut]
        assert await apply(redis, PARTITION, run, CONSTANTS) == [spelled(model.apply(event)) for event in run]
        user = gone[number % len(gone)] if gone else ""
        if user in model.users:
            totals = model.users[user].totals
            erased = await erase(redis, PARTITION, user)
            assert erased.totals.events == totals.events
            model.erase(user)
    assert await book_of_redis(redis, PARTITION, model, 0) == book_of_model(model, 0)


def few(draw_from: st.SearchStrategy[Event]) -> st.SearchStrategy[Event]:
    """The same events, all of one pair and one session: so that they meet."""
    return draw_from.map(lambda event: event._replace(user="ann", slug="dune", session="s"))


@unhurried
@given(events=st.lists(few(events()), min_size=2, max_size=60), steps=steps, cut=st.integers(1, 60))
async def test_they_agree_on_one_session(
    redis: Redis, events: list[Event], steps: list[int], cut: int
) -> None:
    await agree(redis, in_order(events, steps), cut)


@st.composite
def viewings(draw: st.DrawFn) -> list[Event]:
    """What viewers do: a heartbeat on, a jump, a gap at its bound, a late report, another device, another movie."""
    kinds = st.just("heartbeat") | st.sampled_from(
        ("heartbeat", "play", "pause", "seek", "rate", "segment", "mark", "load", CUT)
    )
    ahead = st.just(10_000) | st.sampled_from((0, 1, 5_000, 10_000, 29_999, 30_000, 30_001, 300_000))
    back = st.sampled_from((-10_000, -10_500, -25_000, -100_000))
    numbered = draw(st.sampled_from((None, 0, 1, 1020)))
    behind_us = draw(st.sampled_from((0, 40_000_000)))
    session, position_ms, viewing = "", draw(st.sampled_from((0, 60_000))), []
    for number, kind in enumerate(draw(st.lists(kinds, min_size=2, max_size=30))):
        before_ms, position_ms = position_ms, max(0, position_ms + draw(ahead | ahead | back))
        session = draw(st.sampled_from((session, session, session, "", "s")))
        late_us = draw(st.just(0) | st.sampled_from((0, 1, 1_000_000, 15_000_000)))
        late_us += behind_us if session == "s" else 0
        viewing.append(
            Event(
                "ann",
                draw(st.sampled_from(("dune",) * 7 + ("c",))),
                kind,
                position_ms,
                START_US - late_us,
                START_US,
                timed=late_us > 0 or draw(st.booleans()),
                session=session,
                seq=None
                if numbered is None
                else max(0, numbered + number - draw(st.sampled_from((0, 0, 0, 1)))),
                from_ms=before_ms if kind in ("seek", "segment") else None,
                speed=draw(st.sampled_from((500, 1000, 1500))) if kind == "rate" else None,
            )
        )
    return viewing


@unhurried
@given(events=viewings(), steps=steps, cut=st.integers(1, 30))
async def test_they_agree_on_a_viewing(redis: Redis, events: list[Event], steps: list[int], cut: int) -> None:
    await agree(redis, in_order(events, steps), cut)


@unhurried
@given(
    seqs=st.lists(
        st.integers(0, 40).map(lambda step: step * 61) | st.integers(0, 2300), min_size=1, max_size=80
    )
)
async def test_they_agree_on_what_was_seen(redis: Redis, seqs: list[int]) -> None:
    """Windows of `seq` with holes, sliding by whole and by odd bytes."""
    events = [Event("ann", "dune", "play", 0, START_US, START_US, seq=seq) for seq in seqs]
    await agree(redis, events, 80)


@pytest.mark.parametrize("cut", [1, 2, 3, 20])
async def test_they_agree_on_heartbeats_between_cuts(redis: Redis, cut: int) -> None:
    """In one run and in runs of their own; the second cut of two changes nothing."""
    kinds = ("heartbeat", CUT, "heartbeat", "heartbeat", CUT, CUT, "heartbeat", "seek", "heartbeat", CUT)
    events = [
        Event(
            "ann", "dune", kind, place * 9_000, START_US, START_US, from_ms=5_000 if kind == "seek" else None
        )
        for place, kind in enumerate(kinds * 2)
    ]
    await agree(redis, in_order(events, [9_000_000]), cut)


@pytest.mark.parametrize("cut", [1, 2, 20])
async def test_they_agree_on_who_watches_again_after_a_cut(redis: Redis, cut: int) -> None:
    """From the start, from the middle and back: within what the lifetime covers already; and too fast at the end."""
    positions_s = (
        *range(10, 210, 10),
        *range(10, 60, 10),
        *range(150, 180, 10),
        *range(60, 170, 10),
        185,
        210,
        235,
        260,
    )
    events = [
        Event("ann", "dune", "heartbeat", at_s * 1000, START_US, START_US, timed=True) for at_s in positions_s
    ]
    events.insert(20, Event("ann", "dune", CUT, 0, START_US, START_US))
    await agree(redis, in_order(events, [1_000_000, 9_000_000]), cut)
