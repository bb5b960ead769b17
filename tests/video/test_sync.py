"""What was buffered offline counts once, however it comes."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from service.settings import Settings
from tests.api.client import event
from tests.api.conftest import serving
from tests.integration.waiting import until
from tests.video.players import assign, call, pair, put_course, seek, segment, start
from workers.flushing import flush_until_stopped

if TYPE_CHECKING:
    from tests.api.client import Api, Document

SENT = 1_790_000_000


def offline(name: str, **more: object) -> Document:
    return {"clientSessionId": name, "userId": "ann", "lessonId": f"{name} 1"} | more


async def synced(api: Api, *sessions: object, **more: object) -> list[Any]:
    answer = await call(api, "sync_sessions", {"sessions": sessions} | more)
    assert answer.status == 200, answer.body
    found = answer.json["sessions"]
    assert isinstance(found, list)
    return found


async def test_a_session_that_was_started_offline_is_started_and_counted_once(api: Api, name: str) -> None:
    await put_course(api, name)
    attempt = await assign(api, name)
    body = offline(
        name,
        startedAt=SENT - 100,
        segments=[segment(f"s{at}", at * 10, at * 10 + 10, at=SENT - 90 + at * 10) for at in range(9)],
        closedAt=SENT - 5,
    )
    answers = await asyncio.gather(*(synced(api, body, sentAt=SENT) for _ in range(4)))
    assert sum(one["accepted"] for [one] in answers) == 9
    assert {(one["sessionId"], one["attemptId"]) for [one] in answers} == {
        (answers[0][0]["sessionId"], attempt)
    }
    assert all(one["isClosed"] and one["reason"] is None for [one] in answers)
    counted = await pair(api, name)
    assert (counted["watch_seconds"], counted["implausible_seconds"]) == (90, 0)
    progress = (await call(api, "get_lesson_progress", userId="ann", lessonId=f"{name} 1")).json
    assert progress["progress"]["uniqueSeconds"] == 90
    [session] = progress["sessions"]
    assert session["closedBy"] == "client"
    assert session["startedAt"] < session["closedAt"]


async def test_what_does_not_say_when_it_was_played_is_plausible_where_it_can_be(api: Api, name: str) -> None:
    await put_course(api, name)
    await synced(api, offline(name, segments=[segment("a", 0, 60), segment("b", 60, 90, speed=2)]))
    counted = await pair(api, name)
    assert (counted["watch_seconds"], counted["implausible_seconds"]) == (90, 0)


async def test_a_report_after_another_was_played_since_that_one(api: Api, name: str) -> None:
    """However long ago the session was started: else who waits could report anything."""
    await put_course(api, name)
    body = offline(name, startedAt=SENT - 3600, segments=[segment("a", 0, 30)])
    [first] = await synced(api, body, sentAt=SENT)
    assert (await pair(api, name))["implausible_seconds"] == 0
    more = {"segments": [segment("b", 30, 60), segment("c", 60, 90)]}
    await call(api, "report_progress", more, sessionId=first["sessionId"])
    assert (await pair(api, name))["implausible_seconds"] >= 35


async def test_pieces_may_come_in_any_order_and_any_number_of_times(api: Api, name: str) -> None:
    await put_course(api, name, "flag")
    await assign(api, name)
    known = await start(api, name)
    draw = random.Random(7)
    pieces = [segment(f"s{at}", at, at + 1, at=SENT - 100 + at) for at in range(100)]
    for _ in range(3):
        bodies: list[Document] = []
        draw.shuffle(pieces)
        for at in range(0, 100, 20):
            bodies += [{"sessionId": known.session, "segments": pieces[at : at + 20]}]
            bodies += [offline(name, segments=pieces[at : at + 20], seeks=[seek(at, at + 50, f"k{at}")])]
        draw.shuffle(bodies)
        answers = await asyncio.gather(
            synced(api, *bodies[:6], sentAt=SENT), synced(api, *bodies[4:], sentAt=SENT)
        )
        assert all(one["reason"] is None for answer in answers for one in answer)
    counted = await pair(api, name)
    assert (counted["watch_seconds"], counted["coverage"]) == (200, [[0, 100]])


async def test_days_later_what_was_counted_is_known_all_the_same(
    emptied_redis_url: str, module_database_url: str, name: str
) -> None:
    """Redis has forgotten its ids by then; the raw events have not."""
    settings = Settings(
        idempotency_window_seconds=1,
        redis_url=emptied_redis_url,
        database_url=module_database_url,
        flush_interval_ms=10,
        shutdown_seconds=1,
        audit_users_per_minute=0,
    )
    stop = asyncio.Event()
    flushing = asyncio.create_task(flush_until_stopped(settings, stop, name))
    async with serving(settings, emptied_redis_url, module_database_url) as api:
        await put_course(api, name, "flag")
        pieces = [segment("a", 0, 10), segment("b", 50, 60, at=SENT - 50)]
        body = offline(name, startedAt=SENT - 100, segments=pieces, seeks=[seek(10, 50)])
        [first] = await synced(api, body, sentAt=SENT)
        probe = event(user=f"{name} probe", id="probe")

        async def is_forgotten() -> bool:
            return bool((await api.post(probe)).json["accepted"] == 1)

        assert await is_forgotten()
        await until(is_forgotten, "ids are forgotten")
        await until(lambda: is_stored(module_database_url, first["sessionId"], 4), "raw events are stored")
        before = await pair(api, name)
        body["segments"] = [*pieces, segment("c", 60, 70)]
        [again] = await synced(api, body, sentAt=SENT)
        assert (first["accepted"], again["accepted"], again["duplicates"]) == (2, 1, 2)
        after = await pair(api, name)
        assert (before["watch_seconds"], after["watch_seconds"]) == (20, 30)
        assert after["latest"]["at"] == 70
        [again] = await synced(api, body, sentAt=SENT)
        assert (await pair(api, name))["latest"] == after["latest"]
    stop.set()
    await flushing


async def is_stored(database_url: str, session: str, events: int) -> bool:
    connection = await asyncpg.connect(database_url)
    found = await connection.fetchval("SELECT count(*) FROM events WHERE session = $1", session)
    await connection.close()
    return bool(found == events)


async def test_what_is_wrong_with_one_session_keeps_back_no_other(api: Api, name: str) -> None:
    await put_course(api, name)
    good = offline(name, segments=[segment("s", 0, 10), {"startSecond": 3}])
    found = await synced(
        api,
        {"sessionId": "nobody"},
        {"clientSessionId": "tab", "userId": "ann"},
        offline(name) | {"lessonId": "none"},
        offline(name, unknown=1),
        7,
        good,
    )
    reasons = ["not_found", "missing_field", "not_found", "unknown_field", "not_an_object", None]
    assert [one["reason"] for one in found] == reasons
    assert (found[0]["sessionId"], found[1]["clientSessionId"]) == ("nobody", "tab")
    assert found[1]["rejected"][0]["field"] == "sessions[1].lessonId"
    assert found[3]["rejected"][0]["field"] == "sessions[3].unknown"
    assert found[5]["accepted"] == 1
    assert {one["field"] for one in found[5]["rejected"]} == {
        "sessions[5].segments[1].clientEventId",
        "sessions[5].segments[1].endSecond",
    }
    assert (await pair(api, name))["watch_seconds"] == 10


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "sessions"), ({"sessions": 3}, "sessions"), ({"sessions": [{}] * 101}, "sessions"), ([], "")],
)
async def test_a_body_that_cannot_be_is_refused(api: Api, body: object, field: str) -> None:
    answer = await call(api, "sync_sessions", body)
    assert (answer.status, answer.json["rejected"][0]["field"]) == (422, field)


async def test_where_nothing_could_be_done_it_is_a_problem(api: Api, name: str) -> None:
    answer = await call(api, "sync_sessions", {"sessions": [{"sessionId": name[:20]}, {}]})
    assert (answer.status, answer.json["reason"]) == (422, "not_found")
    assert [one["reason"] for one in answer.json["sessions"]] == ["not_found", "missing_field"]
    assert (await call(api, "sync_sessions", {"sessions": []})).json == {"sessions": []}
