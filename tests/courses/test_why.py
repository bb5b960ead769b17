"""Why an attempt stands where it stands, over HTTP: each second with its reason, and each reason with its session."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from service.settings import Settings
from tests.api.client import JSON
from tests.courses.test_calls import call, course
from tests.integration.waiting import until
from workers.flushing import flush_until_stopped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.client import Api

START = 1_760_000_000
"""In seconds since 1970."""


@pytest.fixture
async def flushed(api: Api, emptied_redis_url: str, module_database_url: str) -> AsyncIterator[None]:
    assert api
    settings = Settings(
        redis_url=emptied_redis_url,
        database_url=module_database_url,
        audit_users_per_minute=0,
        follow_interval_seconds=0.05,
    )
    stop = asyncio.Event()
    running = asyncio.create_task(flush_until_stopped(settings, stop, "flusher"))
    yield
    stop.set()
    await running


async def play(
    api: Api, name: str, session: str, at: int, start: float, end: float, speed: float = 1
) -> None:
    """From one second of the movie to another; `at` is when that ended, in seconds after START."""
    segment = {"user": name, "slug": name, "kind": "segment", "session": session, "ts": START + at}
    answer = await api.post(segment | {"from": start, "at": end, "speed": speed})
    assert answer.json["accepted"] == 1


async def explained(api: Api, attempt: str) -> Any:
    answer = await call(api, "get_why", attempt=attempt)
    assert answer.status == 200, answer.body
    return answer.json


async def assigned(api: Api, name: str) -> str:
    made = await call(api, "post_assignments", {"course": name, "user": name})
    return str(made.json["assignment"]["attempt"])


async def put(api: Api, name: str, **changed: object) -> None:
    lesson = {"lesson": name, "slug": name, "title": "T", "duration_seconds": 100}
    await call(api, "put_course", course(lessons=[lesson], **changed), course=name)


@pytest.mark.usefixtures("flushed")
async def test_why(api: Api, name: str) -> None:
    await put(api, name, skip_policy="flag", credit={"window_months": 120})
    await play(api, name, "before", 0, 0, 20)

    async def is_credited() -> bool:
        answer = await call(api, "post_credits", {"course": name, "user": name})
        return bool(answer.json["unique_seconds"])

    attempt = await assigned(api, name)
    await until(is_credited, "what was watched before is credited")
    await play(api, name, "a", 3600, 20, 30)
    await play(api, name, "a", 3605, 30, 40, 2)
    await play(api, name, "a", 3615, 40, 80)
    await play(api, name, "b", 3615, 70, 90, 0.5)

    async def is_followed() -> bool:
        [lesson] = (await explained(api, attempt))["lessons"]
        return len(lesson["implausible"]) == 2 and len(lesson["speeds"]) == 3

    await until(is_followed, "all of it is followed")
    why = await explained(api, attempt)
    [lesson] = why["lessons"]
    assert why["status"] == "InProgress"
    assert (lesson["covered"], lesson["missing"]) == ([[0, 90]], [[90, 100]])
    assert (lesson["unique_seconds"], lesson["needed_seconds"], lesson["still_needed_seconds"]) == (90, 95, 5)
    assert (lesson["watch_seconds"], lesson["effective_seconds"]) == (80, 95)
    assert [(one["session"], one["unique_seconds"], one["coverage"]) for one in lesson["credited"]] == [
        ("before", 20, [[0, 20]])
    ]
    assert [
        (one["speed"], one["watch_seconds"], one["effective_seconds"], one["coverage"])
        for one in lesson["speeds"]
    ] == [(0.5, 20, 40, [[70, 90]]), (1, 50, 50, [[20, 30], [40, 80]]), (2, 10, 5, [[30, 40]])]
    assert {
        (one["session"], one["reason"]): (one["implausible_seconds"], one["coverage"])
        for one in lesson["implausible"]
    } == {("a", "faster_than_clock"): (20, [[60, 80]]), ("b", "parallel_playback"): (15, [[75, 90]])}


async def test_what_was_skipped_is_told_with_the_limit_of_then(api: Api, name: str) -> None:
    await put(api, name, skip_policy="block")
    attempt = await assigned(api, name)
    body = orjson.dumps({"userId": name, "lessonId": name})
    session = (await api.call("POST", "/video/sessions", body, JSON)).json["sessionId"]
    seek = orjson.dumps({"seeks": [{"fromSecond": 0, "toSecond": 60}]})
    await api.call("POST", f"/video/sessions/{session}/progress", seek, JSON)
    [lesson] = (await explained(api, attempt))["lessons"]
    [skipped] = lesson["skipped"]
    assert (skipped["session"], skipped["verdict"], skipped["happened"], skipped["skip"]) == (
        session,
        "blocked",
        False,
        False,
    )
    assert (skipped["from_seconds"], skipped["to_seconds"], skipped["limit_seconds"]) == (0, 60, 0)
    assert lesson["covered"] == []


async def test_of_nothing_everything_is_missing(api: Api, name: str) -> None:
    await put(api, name)
    why = await explained(api, await assigned(api, name))
    [lesson] = why["lessons"]
    assert (why["status"], lesson["missing"], lesson["still_needed_seconds"]) == ("Assigned", [[0, 100]], 95)
    assert (lesson["started_at"], lesson["last_viewed_at"], lesson["completed_at"]) == (None, None, None)


async def test_of_an_attempt_that_never_was_there_is_no_why(api: Api) -> None:
    assert (await call(api, "get_why", attempt="999999")).status == 404
