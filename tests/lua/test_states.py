"""What plain keys tell of users, and of which pairs the script must be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.counters import keys
from service.counters.packing import Names
from service.counters.states import read_current, read_states
from service.errors import RedisUnavailable
from service.events.event import CUT, Event
from service.rules.constants import Constants
from tests.lua.book import apply
from tests.opening import open_partitions

if TYPE_CHECKING:
    from redis.asyncio import Redis

T0 = 1_790_000_000_000_000


def heartbeat(user: str, slug: str, at: int, session: str = "one") -> Event:
    time_us = T0 + at * 1_000_000
    return Event(user, slug, "heartbeat", at * 1000, time_us, time_us, session=session)


EVENTS = [
    *(heartbeat("goes on", "dune", at) for at in (10, 20, 30)),
    heartbeat("turned away", "dune", 10),
    heartbeat("turned away", "alien", 20),
    heartbeat("sits elsewhere", "dune", 10),
    heartbeat("sits elsewhere", "dune", 20, session="two"),
    heartbeat("was cut", "dune", 10),
    Event("was cut", "dune", CUT, 0, T0, T0),
    heartbeat("was cut", "dune", 20),
]


async def test_what_plain_keys_tell_is_what_the_script_tells(redis: Redis) -> None:
    await open_partitions(redis, 0)
    await apply(redis, 0, EVENTS, Constants())
    wanted = {
        ("goes on", "dune"): {"one"},
        ("turned away", "dune"): {"one"},
        ("turned away", "alien"): {"one"},
        ("sits elsewhere", "dune"): {"one", "two"},
        ("was cut", "dune"): {"one"},
        ("", "dune"): set(),
        ("nobody knows", "dune"): {"one"},
    }
    names = Names()
    for pair, sessions in wanted.items():
        for session in sessions:
            names.place_session(*pair, session)
    told = await read_states(redis, 0, names)
    here, elsewhere = await read_current(redis, 0, wanted, ["dune", "alien", "nobody's"])
    assert elsewhere == [("turned away", "dune"), ("sits elsewhere", "dune"), ("was cut", "dune")]
    assert here.pairs.keys() == {("goes on", "dune"), ("turned away", "alien")}
    assert here.pairs == {pair: told.pairs[pair] for pair in here.pairs}
    assert here.sessions == {name: told.sessions[name] for name in [(*pair, "one") for pair in here.pairs]}
    assert (here.last, here.users, here.movies) == (told.last, told.users, told.movies)
    assert not here.scopes
    assert told.scopes.keys() == {("was cut", "dune")}
    assert len(told.users) == 4
    assert len(told.pairs) == 5


async def test_a_server_that_refuses_says_so(redis: Redis) -> None:
    await redis.set(keys.log(0), "a stranger's")
    with pytest.raises(RedisUnavailable, match="wrong kind"):
        await read_current(redis, 0, {("ann", "dune"): {"one"}}, [])
