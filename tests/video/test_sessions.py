"""Sessions: what a player starts, reports and ends is counted, once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from service import limits
from tests.video.players import assign, call, pair, put_course, seek, segment, start, unassign

if TYPE_CHECKING:
    from tests.api.client import Api, Document


async def test_a_session_of_who_is_assigned_belongs_to_the_open_attempt(api: Api, name: str) -> None:
    await put_course(api, name)
    attempt = await assign(api, name)
    body = {"userId": "ann", "lessonId": f"{name} 1", "isAssigned": True, "clientInfo": {"player": "ü"}}
    made = (await call(api, "start_session", body)).json
    assert (made["attemptId"], made["isAssigned"], made["resumeSecond"]) == (attempt, True, 0)
    assert made["message"] == f"watching counts for attempt {attempt} at the course {name!r}"
    wrong = (await call(api, "start_session", body | {"isAssigned": False})).json
    assert wrong["message"].endswith("the player took it not to be assigned, but it is")


async def test_a_session_of_who_is_not_assigned_has_no_attempt_and_says_so(api: Api, name: str) -> None:
    await put_course(api, name)
    body = {"userId": "ann", "lessonId": f"{name} 1", "isAssigned": True}
    made = (await call(api, "start_session", body)).json
    assert (made["attemptId"], made["isAssigned"]) == (None, False)
    assert "is not assigned" in made["message"]
    assert made["message"].endswith("the player took it to be assigned, but it is not")
    await assign(api, name)
    await unassign(api, name)
    assert (await start(api, name)).attempt is None


async def test_what_was_played_is_counted_exactly(api: Api, name: str) -> None:
    await put_course(api, name)
    player = await start(api, name)
    done = await player.play((0, 10), (10, 20.5), speed=2)
    assert (done["accepted"], done["duplicates"], done["rejected"]) == (2, 0, [])
    counted = await pair(api, name)
    assert (counted["watch_seconds"], counted["effective_seconds"]) == (20.5, 10.25)
    assert (counted["coverage"], counted["latest"]["at"]) == ([[0, 21]], 20.5)


async def test_the_same_report_counts_once_however_it_comes(api: Api, name: str) -> None:
    """Twice, at the same time, and in other bodies."""
    await put_course(api, name)
    player = await start(api, name)
    segments = [segment(f"s{at}", at * 5, at * 5 + 5) for at in range(6)]
    answers = await asyncio.gather(*(player.report(segments=segments) for _ in range(5)))
    assert sum(answer["accepted"] for answer in answers) == 6
    assert sum(answer["duplicates"] for answer in answers) == 24
    again = await player.report(segments=[segments[3], segment("new", 30, 35), segments[0]])
    assert (again["accepted"], again["duplicates"]) == (1, 2)
    assert (await pair(api, name))["watch_seconds"] == 35


async def test_names_of_segments_are_of_their_session(api: Api, name: str) -> None:
    await put_course(api, name)
    for player in (await start(api, name), await start(api, name)):
        assert (await player.report(segments=[segment("s", 0, 10)]))["accepted"] == 1
    counted = await pair(api, name)
    assert (counted["watch_seconds"], counted["unique_seconds"]) == (20, 10)


async def test_a_session_that_the_player_named_is_started_once(api: Api, name: str) -> None:
    await put_course(api, name, lessons=2)
    first, again = [await start(api, name, clientSessionId="tab 1") for _ in range(2)]
    assert first.session == again.session
    assert (await start(api, name, "bob", clientSessionId="tab 1")).session != first.session
    body = {"userId": "ann", "lessonId": f"{name} 2", "clientSessionId": "tab 1"}
    answer = await call(api, "start_session", body)
    assert (answer.status, answer.json["reason"]) == (409, "session_elsewhere")
    assert (await api.movie(f"{name} video 1")).json["events"] == 2  # each session's beginning


async def test_a_video_is_resumed_where_it_was_left(api: Api, name: str) -> None:
    await put_course(api, name)
    player = await start(api, name)
    await player.play((0, 42))
    body = {"userId": "ann", "lessonId": f"{name} 1"}
    assert (await call(api, "start_session", body)).json["resumeSecond"] == 42
    await call(api, "send_heartbeat", {"positionSecond": 17}, sessionId=player.session)
    assert (await call(api, "start_session", body)).json["resumeSecond"] == 17
    await player.play((42, 100))
    assert (await call(api, "start_session", body)).json["resumeSecond"] == 0


async def test_an_attempt_is_resumed_where_it_was_left_and_may_be_sought_to(api: Api, name: str) -> None:
    await put_course(api, name, "flag")
    before = await start(api, name)
    await before.play((0, 90))
    await assign(api, name)
    body = {"userId": "ann", "lessonId": f"{name} 1", "clientInfo": "Mozilla/5.0"}
    assert (await call(api, "start_session", body)).json["resumeSecond"] == 0
    player = await start(api, name)
    await player.play((0, 20), (50, 60))
    assert (await call(api, "start_session", body)).json["resumeSecond"] == 60
    await put_course(api, name, "block")
    assert (await call(api, "start_session", body)).json["resumeSecond"] == 20


async def test_a_heartbeat_counts_nothing_as_watched(api: Api, name: str) -> None:
    await put_course(api, name)
    player = await start(api, name)
    await player.play((0, 10))
    for body in (None, {}, {"positionSecond": 12}, {"positionSecond": 20, "speed": 1.5}):
        answer = await call(api, "send_heartbeat", body, sessionId=player.session)
        assert (answer.status, answer.json["isClosed"]) == (200, False)
    assert (await pair(api, name))["watch_seconds"] == 10


async def test_a_closed_session_stays_closed_and_goes_on_counting(api: Api, name: str) -> None:
    await put_course(api, name)
    player = await start(api, name)
    closed = (await call(api, "close_session", sessionId=player.session)).json
    assert (closed["closedBy"], closed["userId"], closed["lessonId"]) == ("client", "ann", f"{name} 1")
    assert (await call(api, "close_session", sessionId=player.session)).json == closed
    assert (await player.play((0, 10)))["accepted"] == 1
    assert (await call(api, "send_heartbeat", sessionId=player.session)).json["isClosed"] is True


async def test_what_was_played_faster_than_the_clock_counts_and_is_implausible(api: Api, name: str) -> None:
    """Also where it comes as many segments that do not say when they were played."""
    await put_course(api, name)
    await (await start(api, name)).play((0, 60))
    assert (await pair(api, name))["implausible_seconds"] >= 49
    player = await start(api, name, "bob")
    await player.play((0, 30), (30, 60), (60, 90))
    counted = await pair(api, name, "bob")
    assert counted["watch_seconds"] == 90
    assert counted["implausible_seconds"] >= 59


async def test_what_was_buffered_for_as_long_as_it_took_is_plausible(api: Api, name: str) -> None:
    await put_course(api, name)
    player = await start(api, name)
    sent = 1_790_000_000
    segments = [segment(f"s{at}", at * 30, at * 30 + 30, at=sent - 90 + at * 30) for at in range(3)]
    assert (await player.report(segments=segments, sentAt=sent))["accepted"] == 3
    counted = await pair(api, name)
    assert (counted["watch_seconds"], counted["implausible_seconds"]) == (90, 0)


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({"userId": "ann"}, "lessonId", "missing_field"),
        ({"userId": "", "lessonId": "x"}, "userId", "empty"),
        ({"userId": "a\0", "lessonId": "x"}, "userId", "invalid_string"),
        ({"userId": 1, "lessonId": "x"}, "userId", "wrong_type"),
        ({"userId": "ann", "lessonId": "x" * 129}, "lessonId", "too_long"),
        ({"userId": "ann", "lessonId": "x", "isAssigned": 1}, "isAssigned", "wrong_type"),
        ({"userId": "ann", "lessonId": "x", "clientInfo": {"a": "x" * 5000}}, "clientInfo", "too_long"),
        ({"userId": "ann", "lessonId": "x", "clientInfo": [1]}, "clientInfo", "wrong_type"),
        ({"userId": "ann", "lessonId": "x", "clientInfo": {"a": "\0"}}, "clientInfo", "invalid_string"),
        ({"userId": "ann", "lessonId": "x", "clientSessionId": ""}, "clientSessionId", "empty"),
        ({"userId": "ann", "lessonId": "x", "user_id": "ann"}, "user_id", "unknown_field"),
    ],
)
async def test_a_session_that_cannot_be_is_refused_field_by_field(
    api: Api, body: Document, field: str, reason: str
) -> None:
    answer = await call(api, "start_session", body)
    assert (answer.status, answer.json["reason"]) == (422, reason)
    assert (answer.json["rejected"][0]["field"], answer.json["rejected"][0]["reason"]) == (field, reason)


SEGMENT = segment("s", 0, 10)


@pytest.mark.parametrize(
    ("item", "field", "reason"),
    [
        ({"segments": [SEGMENT | {"endSecond": -1}]}, "segments[0].endSecond", "out_of_range"),
        ({"segments": [SEGMENT | {"startSecond": 11}]}, "segments[0].endSecond", "out_of_range"),
        ({"segments": [SEGMENT | {"endSecond": 172_801}]}, "segments[0].endSecond", "out_of_range"),
        ({"segments": [SEGMENT | {"speed": 0}]}, "segments[0].speed", "out_of_range"),
        ({"segments": [SEGMENT | {"speed": "1"}]}, "segments[0].speed", "wrong_type"),
        ({"segments": [SEGMENT | {"clientEventId": ""}]}, "segments[0].clientEventId", "empty"),
        ({"segments": [SEGMENT | {"clientEventId": "x" * 129}]}, "segments[0].clientEventId", "too_long"),
        ({"segments": [SEGMENT | {"clientEventId": "\0"}]}, "segments[0].clientEventId", "invalid_string"),
        ({"segments": [SEGMENT | {"at": "noon"}]}, "segments[0].at", "invalid_time"),
        ({"segments": [SEGMENT | {"at": 5}]}, "segments[0].at", "out_of_range"),
        ({"segments": [{"startSecond": 0, "endSecond": 1}]}, "segments[0].clientEventId", "missing_field"),
        ({"segments": [3]}, "segments[0]", "not_an_object"),
        ({"segments": {}}, "segments", "wrong_type"),
        ({"segments": [SEGMENT] * (limits.PROGRESS_SEGMENTS_MAX + 1)}, "segments", "too_long"),
        ({"seeks": [seek(1, -1)]}, "seeks[0].toSecond", "out_of_range"),
        ({"seeks": [seek(1, 2, allowed="yes")]}, "seeks[0].allowed", "wrong_type"),
        ({"seeks": [seek(1, 2, reason="x" * 501)]}, "seeks[0].reason", "too_long"),
        ({"position": 3}, "position", "unknown_field"),
    ],
)
async def test_a_report_that_cannot_be_is_refused_field_by_field(
    api: Api, name: str, item: Document, field: str, reason: str
) -> None:
    await put_course(api, name)
    player = await start(api, name)
    answer = await call(api, "report_progress", item, sessionId=player.session)
    assert (answer.status, answer.json["reason"]) == (422, reason), answer.body
    assert (answer.json["rejected"][0]["field"], answer.json["rejected"][0]["reason"]) == (field, reason)
    assert (await pair(api, name))["watch_seconds"] == 0


async def test_a_piece_that_cannot_be_read_does_not_keep_back_the_others(api: Api, name: str) -> None:
    await put_course(api, name)
    player = await start(api, name)
    done = await player.report(
        segments=[segment("a", 0, 10), {"endSecond": 3}, segment("b", 10, 20)], seeks=["x", seek(20, 5)]
    )
    assert done["accepted"] == 2
    assert {one["field"] for one in done["rejected"]} == {
        "segments[1].clientEventId",
        "segments[1].startSecond",
        "seeks[0]",
    }
    assert [one["toSecond"] for one in done["seeks"]] == [5]


@pytest.mark.parametrize("session", ["nobody", "%00", "x" * 65])
async def test_a_session_that_never_was_is_not_found(api: Api, session: str) -> None:
    for made in ("report_progress", "send_heartbeat", "close_session"):
        answer = await call(api, made, {}, sessionId=session.replace("%00", "\0"))
        assert answer.status == (404 if session == "nobody" else 400)


async def test_what_a_player_says_of_itself_may_be_anything_small(api: Api, name: str) -> None:
    await put_course(api, name)
    for info in (None, "Mozilla/5.0", {}, {"os": {"version": 10**18}, "é": [None, True, 1e300]}):
        await start(api, name, clientInfo=info)
    huge = b'{"userId": "ann", "lessonId": "x", "clientInfo": {"a": 18446744073709551616}}'
    assert (await call(api, "start_session", huge)).json["reason"] == "out_of_range"


async def test_a_lesson_that_never_was_is_not_found(api: Api, name: str) -> None:
    answer = await call(api, "start_session", {"userId": "ann", "lessonId": name})
    assert (answer.status, answer.json["reason"]) == (404, "not_found")
