"""What players and their pages read: progress of this moment, sessions, what could be credited, completion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.client import JSON, escaped
from tests.courses.school import DAY_US, NOW
from tests.courses.viewings import Viewings
from tests.video.players import assign, call, put_course, start, unassign

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.client import Api


@pytest.fixture
async def viewings(module_database_url: str) -> AsyncIterator[Viewings]:
    made = await Viewings.connect(module_database_url)
    yield made
    await made.close()


async def test_progress_is_that_of_the_last_attempt_at_this_moment(api: Api, name: str) -> None:
    await put_course(api, name)
    before = await start(api, name)
    await before.play((0, 40), speed=2)
    attempt = await assign(api, name)
    player = await start(api, name)
    await player.play((0, 10), (20, 30))
    found = (await call(api, "get_lesson_progress", userId="ann", lessonId=f"{name} 1")).json
    assert (found["courseId"], found["isAssigned"], found["attempt"]["attemptId"]) == (name, True, attempt)
    progress = found["progress"]
    assert (progress["uniqueSeconds"], progress["limitSecond"]) == (20, 10)
    assert (progress["watchSeconds"], progress["effectiveSeconds"]) == (20, 20)
    assert (progress["neededSeconds"], progress["stillNeededSeconds"]) == (95, 75)
    assert progress["missing"] == [[10, 20], [30, 100]]
    total = found["total"]
    assert (total["watchSeconds"], total["effectiveSeconds"], total["uniqueSeconds"]) == (60, 40, 40)
    assert [one["sessionId"] for one in found["sessions"]] == [player.session, before.session]
    assert [one["attemptId"] for one in found["sessions"]] == [attempt, None]
    await unassign(api, name)
    closed = (await call(api, "get_lesson_progress", userId="ann", lessonId=f"{name} 1")).json
    assert (closed["isAssigned"], closed["attempt"]["closedAt"] is None) == (False, False)
    assert closed["progress"] == progress


async def test_progress_of_who_never_watched_is_nothing(api: Api, name: str) -> None:
    await put_course(api, name)
    found = (await call(api, "get_lesson_progress", userId="ann", lessonId=f"{name} 1")).json
    assert (found["attempt"], found["progress"], found["sessions"]) == (None, None, [])
    assert set(found["total"].values()) == {0}
    assert (await call(api, "get_lesson_progress", userId="ann", lessonId="none")).status == 404


async def test_sessions_show_what_was_played_in_them(api: Api, name: str, viewings: Viewings) -> None:
    await put_course(api, name)
    player = await start(api, name)
    slug = f"{name} video 1"
    await viewings.add(slug, (15, 35), session=player.session, scope=1, speed=2000)
    await viewings.add(slug, (0, 20), session=player.session, speed=2000)
    await viewings.add(slug, (0, 90), session="other")
    closed = (await call(api, "close_session", sessionId=player.session)).json
    assert (closed["watchSeconds"], closed["effectiveSeconds"], closed["uniqueSeconds"]) == (40, 20, 35)
    found = (await call(api, "get_lesson_progress", userId="ann", lessonId=f"{name} 1")).json
    assert found["sessions"] == [closed]


async def test_what_was_watched_while_not_assigned_is_listed_by_lesson(
    api: Api, name: str, viewings: Viewings
) -> None:
    user = f"eve {name}"
    await put_course(api, name, lessons=3)
    attempt = await assign(api, name, user)
    await unassign(api, name, user)
    for number in (1, 2, 3):
        slug = f"{name} video {number}"
        await viewings.own(attempt, f"{name} {number}", slug, 5, 5, user=user, part=9)
        await viewings.add(slug, (0, 50), user=user, session="own", scope=5)
        await viewings.add(slug, user=user, session="opened", scope=4)
    day = DAY_US
    await viewings.add(f"{name} video 2", (0, 20), user=user, session="a", at_us=NOW + day)
    await viewings.add(
        f"{name} video 2", (10, 30), user=user, session="b", scope=6, at_us=NOW + 3 * day, flagged=(10, 12)
    )
    await viewings.add(f"{name} video 1", (0, 200), user=user, session="c", at_us=NOW + 2 * day)
    pages = []
    query = "?limit=1"
    while query:
        page = (await call(api, "get_unassigned_history", query=query, userId=user)).json
        pages += page["items"]
        query = f"?limit=1&cursor={escaped(page['nextCursor'])}" if page["nextCursor"] else ""
    assert [(one["lessonId"], one["uniqueSeconds"]) for one in pages] == [
        (f"{name} 2", 30),
        (f"{name} 1", 100),
    ]
    assert (pages[0]["watchSeconds"], pages[0]["coverageFraction"], pages[0]["courseId"]) == (40, 0.3, name)
    sessions = [
        (one["sessionId"], one["uniqueSeconds"], one["flaggedSeconds"]) for one in pages[0]["sessions"]
    ]
    assert sessions == [("b", 20, 2), ("a", 20, 0)]
    assert (await call(api, "get_unassigned_history", userId="nobody")).json["items"] == []


@pytest.mark.parametrize("query", ["?limit=0", "?cursor=x", "?cursor=AAAA", "?cursor=YQBi"])
async def test_a_page_that_cannot_be_is_refused(api: Api, query: str) -> None:
    assert (await call(api, "get_unassigned_history", query=query, userId="ann")).status == 400


async def test_an_attempt_is_completed_by_what_was_watched_and_by_nothing_else(api: Api, name: str) -> None:
    await put_course(api, name, lessons=2)
    attempt = str(await assign(api, name))
    player = await start(api, name)
    await player.play((0, 94))
    refused = await call(api, "complete_attempt", attemptId=attempt)
    assert (refused.status, refused.json["reason"]) == (409, "incomplete")
    assert "96 more seconds" in refused.json["detail"]
    assert refused.json["lessons"] == [
        {"lessonId": f"{name} 1", "stillNeededSeconds": 1, "missing": [[94, 100]]},
        {"lessonId": f"{name} 2", "stillNeededSeconds": 95, "missing": [[0, 100]]},
    ]
    await player.play((94, 95))
    refused = await call(api, "complete_attempt", attemptId=attempt)
    assert [one["lessonId"] for one in refused.json["lessons"]] == [f"{name} 2"]
    second = await start(api, name, lessonId=f"{name} 2")
    await second.play((5, 100))
    done = await call(api, "complete_attempt", attemptId=attempt)
    assert (done.status, done.json["status"]) == (200, "Completed")
    assert done.json["completedAt"] is not None
    assert (await call(api, "complete_attempt", attemptId=attempt)).json == done.json
    listed = (await api.get(f"/v1/assignments/{escaped(name)}/ann")).json
    assert listed["completed_at"] == done.json["completedAt"]


async def test_an_attempt_that_was_closed_before_stays_incomplete(api: Api, name: str) -> None:
    await put_course(api, name)
    attempt = str(await assign(api, name))
    path = f"/v1/assignments/{escaped(name)}/ann/attempts"
    assert (await api.call("POST", path, b'{"after": 1}', JSON)).status == 200
    refused = await call(api, "complete_attempt", attemptId=attempt)
    assert (refused.status, refused.json["reason"]) == (409, "attempt_closed")


@pytest.mark.parametrize("attempt", ["0", "999999999", "x", "9" * 40, "-1"])
async def test_an_attempt_that_never_was_is_not_found(api: Api, attempt: str) -> None:
    assert (await call(api, "complete_attempt", attemptId=attempt)).status == 404
