"""Servers that are away: what was reported counts once all the same, and what is known goes on."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from service.settings import Settings
from tests.api.conftest import serving
from tests.faults.surroundings import postgres_proxy
from tests.video.players import BY_NAME, PART, assign, call, pair, put_course, seek, segment, start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.client import Api
    from tests.api.valkey import OwnValkey
    from tests.faults.proxy import Proxy

BODY = {"segments": [segment("a", 0, 10), segment("b", 10, 20)], "seeks": [seek(20, 60)]}


@asynccontextmanager
async def through_proxy(redis_url: str, database_url: str) -> AsyncIterator[tuple[Api, Proxy]]:
    """The application, which reaches Postgres through a proxy."""
    async with postgres_proxy(database_url) as proxy:
        parts = urlsplit(database_url)
        user = parts.netloc.rpartition("@")[0] or "playhead"
        there = f"postgresql://{user}@127.0.0.1:{proxy.port}{parts.path}"
        async with serving(Settings(shutdown_seconds=1), redis_url, there) as api:
            yield api, proxy


async def test_without_postgres_known_sessions_go_on_and_nothing_counts_twice(
    emptied_redis_url: str, module_database_url: str, name: str
) -> None:
    async with through_proxy(emptied_redis_url, module_database_url) as (api, postgres):
        await put_course(api, name, "flag")
        await assign(api, name)
        player = await start(api, name)
        postgres.refuse()
        first = await player.report(segments=[segment("0", 90, 100)])
        assert first["accepted"] == 1
        assert (await call(api, "send_heartbeat", sessionId=player.session)).status == 200
        for _ in range(2):  # the segments are counted, and the seek cannot be judged
            refused = await call(api, "report_progress", BODY, sessionId=player.session)
            assert (refused.status, refused.json["reason"]) == (503, "unavailable")
        assert (await pair(api, name))["watch_seconds"] == 30
        unknown = await call(api, "report_progress", BODY, sessionId="nobody")
        assert (unknown.status, unknown.headers["Retry-After"]) == (503, "2")
        synced = await call(
            api, "sync_sessions", {"sessions": [{"sessionId": "nobody"}, {"sessionId": player.session}]}
        )
        assert [one["reason"] for one in synced.json["sessions"]] == ["unavailable"] * 2
        postgres.resume()
        answers = await asyncio.gather(*(player.report(**BODY) for _ in range(3)))
        assert {(one["accepted"], one["duplicates"]) for one in answers} == {(0, 2)}
        assert (await pair(api, name))["watch_seconds"] == 30
        skips = (await call(api, "get_skips", sessionId=player.session)).json
        assert (skips["skips"], len(skips["seeks"])) == (1, 1)


async def test_a_report_whose_answer_was_lost_counts_once(
    valkey: OwnValkey, module_database_url: str, name: str
) -> None:
    """Redis takes it, says nothing, is killed, and comes back."""
    settings = Settings(redis_timeout_seconds=0.4, shutdown_seconds=1)
    async with serving(settings, valkey.url, module_database_url) as api:
        await put_course(api, name, "flag")
        await assign(api, name)
        player = await start(api, name)
        await player.report(segments=BODY["segments"][:1])
        valkey.freeze()
        refused = await call(api, "report_progress", BODY, sessionId=player.session)
        assert (refused.status, refused.json["reason"]) == (503, "unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        valkey.thaw()
        done = await player.report(**BODY)
        assert done["accepted"] + done["duplicates"] == 2
        again = await player.report(**BODY)
        assert (again["accepted"], again["duplicates"]) == (0, 2)
        counted = await pair(api, name)
        assert (counted["watch_seconds"], counted["coverage"]) == (20, [[0, 20]])


async def test_without_any_server_every_call_is_unavailable(emptied_redis_url: str) -> None:
    bodies = {
        "start_session": {"userId": "ann", "lessonId": "intro"},
        "report_progress": BODY,
        "send_heartbeat": {},
        "sync_sessions": {"sessions": [{"sessionId": "known"}]},
    }
    async with serving(Settings(shutdown_seconds=1), emptied_redis_url) as api:
        for made in BY_NAME.values():
            parts = dict.fromkeys(PART.findall(made.path), "1")
            query = "?toSecond=1" if made.name == "get_seek_limit" else ""
            answer = await call(api, made.name, bodies.get(made.name), query, **parts)
            assert (answer.status, answer.json["reason"]) == (503, "unavailable"), made.name


@pytest.mark.parametrize("body", [b"", b"{", b"nothing", b"\xff"])
async def test_what_is_not_json_is_refused(api: Api, name: str, body: bytes) -> None:
    await put_course(api, name)
    player = await start(api, name)
    for made in ("start_session", "report_progress", "sync_sessions"):
        parts = {"sessionId": player.session} if made == "report_progress" else {}
        answer = await call(api, made, body, **parts)
        assert (answer.status, answer.json["reason"]) == (400, "not_json")
