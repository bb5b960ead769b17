"""The loader: one library made of many files, which the server may lose at any moment."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from service.counters import keys, scripts
from service.counters.current import counted_pair
from service.errors import NotRecovered, RedisUnavailable
from service.events.event import Event
from service.rules.constants import Constants
from tests.lua.book import apply, apply_each
from tests.opening import open_partitions

if TYPE_CHECKING:
    from redis.asyncio import Redis

EVENT = Event("ann", "dune", "heartbeat", 10_000, 1_790_000_000_000_000, 1_790_000_000_000_000)


def test_every_lua_file_is_part_of_the_library() -> None:
    _, source = scripts.whole_library()
    folder = files("lua")
    written = [*folder.iterdir(), *folder.joinpath("include").iterdir()]
    names = [path.name for path in written if path.name.endswith(".lua") and path.name != "playhead.lua"]
    assert len(names) > 10
    assert "@include" not in source.partition("\n-- @include")[2]
    for path in written:
        if path.name in names:
            assert path.read_text(encoding="utf-8") in source


def test_keys_and_arguments_are_bound_to_names_once() -> None:
    """`KEYS[n]` and `ARGV[n]` never appear: functions get them as parameters, and bind them on top."""
    _, source = scripts.whole_library()
    assert not re.search(r"\b(KEYS|ARGV)\[", source)


async def test_what_the_server_lost_is_loaded_again(redis: Redis) -> None:
    """Flushed, or an empty server in its place: the call that finds it missing did nothing, and is made again."""
    await open_partitions(redis, 0)
    assert await apply(redis, 0, [EVENT], Constants()) == ["10000"]
    await redis.function_flush()
    assert await apply(redis, 0, [EVENT._replace(at_ms=20_000)], Constants(), token="2") == ["10000"]
    assert await redis.hget(keys.log(0), "appended") == b"2"


async def test_versions_run_beside_each_other(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """During an upgrade: the names of functions differ, so none meets another version's code."""
    await open_partitions(redis, 0)
    version, source = scripts.whole_library()
    assert await apply(redis, 0, [EVENT], Constants()) == ["10000"]
    with monkeypatch.context() as patched:
        patched.setattr(scripts, "whole_library", lambda: ("newer", source.replace(version, "newer")))
        assert await apply(redis, 0, [EVENT._replace(at_ms=20_000)], Constants(), token="2") == ["10000"]
    assert await apply(redis, 0, [EVENT._replace(at_ms=30_000)], Constants(), token="3") == ["10000"]
    libraries = {entry[1].decode() for entry in await redis.function_list()}
    assert {f"playhead_{version}", "playhead_newer"} <= libraries
    await redis.function_delete("playhead_newer")


async def test_a_refusal_is_said_and_changes_nothing(redis: Redis) -> None:
    await open_partitions(redis, 0)
    await redis.set(keys.user(0, "ann"), "somebody else's")
    with pytest.raises(RedisUnavailable, match="too short"):
        await apply(redis, 0, [EVENT], Constants())
    assert await redis.exists(keys.stream(0), keys.movie(0, "dune")) == 0


async def test_a_repeated_call_answers_again_and_counts_once(redis: Redis) -> None:
    await open_partitions(redis, 0)
    assert await apply(redis, 0, [EVENT], Constants(), token="7") == ["10000"]
    assert await apply(redis, 0, [EVENT], Constants(), token="7", repeated=True) == ["10000"]
    assert await apply(redis, 0, [EVENT], Constants(), token="8", repeated=True) == ["0"]
    assert await redis.xlen(keys.stream(0)) == 2


async def test_a_call_of_several_partitions_refuses_each_for_itself(redis: Redis) -> None:
    """And says the same again when it is repeated, though the partition is open by then."""
    await open_partitions(redis, 0)
    runs = {1: [EVENT, EVENT._replace(at_ms=20_000)], 0: [EVENT, EVENT._replace(at_ms=20_000)]}
    for repeated in (False, True):
        refused, counted, *states = await apply_each(redis, runs, Constants(), "7", repeated, wanted=b"01")
        assert isinstance(refused, NotRecovered)
        assert counted == b"10000,10000"
        stride, record = states
        pair = counted_pair(stride, record)
        assert (pair.events, pair.watch_ms, pair.latest_ms) == (2, 20_000, 20_000)
        await open_partitions(redis, 0, 1)
    assert await redis.xlen(keys.stream(0)) == 1
    assert not await redis.exists(keys.stream(1))


async def test_every_key_carries_the_hash_tag_of_its_partition(redis: Redis) -> None:
    await open_partitions(redis, 3)
    await apply(redis, 3, [EVENT._replace(id="x", user="{p9}", slug="{p8}")], Constants())
    found = [bytes(key) for key in await redis.keys("*")]  # type: ignore[arg-type]
    assert len(found) == 7
    assert all(key.startswith(b"{p3}:") for key in found)


async def test_memory_of_a_pair_and_an_hour_of_video(redis: Redis) -> None:
    """An hour watched in heartbeats, with a session, costs some hundred bytes with any allocator, names and all."""
    await open_partitions(redis, 0)
    watched = [
        EVENT._replace(at_ms=at * 10_000, session="0123456789abcdef", user="user-0001", slug="movie-0001")
        for at in range(1, 361)
    ]
    await apply(redis, 0, watched, Constants())
    used = 0
    for key in (
        keys.user(0, "user-0001"),
        keys.stride(0, "user-0001"),
        keys.coverage(0, "user-0001", "movie-0001"),
    ):
        used += await redis.memory_usage(key) or 0
    assert used < 500
