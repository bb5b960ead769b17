"""Seeks: free up to what was watched without a gap, and past that as the course's policy says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.api.client import JSON, escaped
from tests.video.players import assign, call, pair, put_course, seek, segment, start

if TYPE_CHECKING:
    from tests.api.client import Api


@pytest.mark.parametrize(
    ("policy", "reason", "allowed", "skip", "flagged"),
    [
        ("block", "blocked", False, False, False),
        ("flag", "flagged", True, True, True),
        ("allow", "allowed", True, True, False),
        (None, "not_assigned", True, True, False),
    ],
)
async def test_past_what_was_watched_the_policy_decides(
    api: Api, name: str, policy: str | None, reason: str, allowed: bool, skip: bool, flagged: bool
) -> None:
    await put_course(api, name, policy or "block")
    if policy:
        await assign(api, name)
    player = await start(api, name)
    await player.play((0, 20.5))
    judged = await player.seek(20.5, 60, reason="chapter")
    assert (judged["reason"], judged["allowed"], judged["happened"]) == (reason, allowed, allowed)
    assert (judged["isSkip"], judged["isFlagged"], judged["limitSecond"]) == (skip, flagged, 21)
    skips = (await call(api, "get_skips", sessionId=player.session)).json
    assert (skips["skips"], skips["skippedSeconds"]) == (int(skip), 39 if skip else 0)
    assert (skips["blocked"], skips["flagged"]) == (int(reason == "blocked"), int(flagged))
    [kept] = skips["seeks"]
    assert (kept["fromSecond"], kept["toSecond"], kept["limitSecond"]) == (20.5, 60, 21)
    assert (kept["reason"], kept["happened"]) == ("chapter", allowed)
    assert (await pair(api, name))["latest"]["at"] == (60 if allowed else 20.5)


async def test_the_limit_holds_on_where_the_video_is_revised_under_its_slug(api: Api, name: str) -> None:
    """What the session plays from then on counts for the new revision, so it is judged by that one."""
    await put_course(api, name)
    await assign(api, name)
    player = await start(api, name)
    await player.play((0, 50))
    await put_course(api, name, revision=2)
    await player.play((0, 10))
    judged = await player.seek(10, 50)
    assert (judged["reason"], judged["limitSecond"]) == ("blocked", 10)
    await put_course(api, name, revision=3, slug=f"{name} other video")
    judged = await player.seek(10, 60)
    assert (judged["reason"], judged["limitSecond"]) == ("not_assigned", 50)


async def test_within_what_was_watched_seeking_is_free_and_not_kept(api: Api, name: str) -> None:
    await put_course(api, name)
    await assign(api, name)
    player = await start(api, name)
    done = await player.report(segments=[segment("s", 0, 30)], seeks=[seek(30, 5), seek(5, 30)])
    assert [one["reason"] for one in done["seeks"]] == ["within_limit"] * 2
    assert (await call(api, "get_skips", sessionId=player.session)).json["seeks"] == []


async def test_up_to_five_seconds_past_the_limit_is_no_skip(api: Api, name: str) -> None:
    await put_course(api, name, "allow")
    await assign(api, name)
    player = await start(api, name)
    await player.play((0, 20))
    assert (await player.seek(20, 25))["isSkip"] is False
    assert (await player.seek(20, 25.001))["isSkip"] is True


async def test_what_was_watched_past_the_limit_is_kept_but_does_not_move_it(api: Api, name: str) -> None:
    await put_course(api, name, "flag")
    await assign(api, name)
    player = await start(api, name)
    await player.play((0, 20), (60, 80))
    assert (await player.seek(80, 70))["limitSecond"] == 20
    assert (await pair(api, name))["coverage"] == [[0, 20], [60, 80]]
    await player.play((20, 60))
    assert (await player.seek(60, 80))["limitSecond"] == 80


async def test_what_the_player_did_counts_whatever_it_was_told(api: Api, name: str) -> None:
    await put_course(api, name, "block")
    await assign(api, name)
    player = await start(api, name)
    let = await player.seek(0, 60, allowed=True)
    assert (let["allowed"], let["happened"], let["isSkip"]) == (False, True, True)
    await put_course(api, name, "allow")
    kept = await player.seek(0, 60, allowed=False)
    assert (kept["allowed"], kept["happened"], kept["isSkip"]) == (True, False, False)
    skips = (await call(api, "get_skips", sessionId=player.session)).json
    assert (skips["skips"], len(skips["seeks"])) == (1, 2)


async def test_the_same_seek_is_kept_and_counted_once(api: Api, name: str) -> None:
    """By its name, and without one by what it says."""
    await put_course(api, name, "flag")
    await assign(api, name)
    player = await start(api, name)
    before = (await pair(api, name))["unique_seconds"]
    body = {"seeks": [seek(0, 60, "k"), seek(0, 60), seek(0, 60), seek(1, 60)]}
    answers = await asyncio.gather(*(player.report(**body) for _ in range(4)))
    assert all(answer["seeks"] == answers[0]["seeks"] for answer in answers)
    assert len((await call(api, "get_skips", sessionId=player.session)).json["seeks"]) == 4
    movie = (await api.movie(f"{name} video 1")).json
    assert (movie["events"], before) == (5, 0)  # the session's beginning, and the seeks


async def test_a_seek_is_judged_by_what_was_played_before_it(api: Api, name: str) -> None:
    """In a body that says when everything was; otherwise seeks come after what was played."""
    await put_course(api, name, "flag")
    await assign(api, name)
    sent = 1_790_000_000
    body = {
        "segments": [segment("a", 0, 20, at=sent - 70), segment("b", 20, 90, at=sent)],
        "seeks": [seek(20, 60, "k", at=sent - 70)],
    }
    player = await start(api, name)
    [judged] = (await player.report(**body, sentAt=sent))["seeks"]
    assert (judged["limitSecond"], judged["isSkip"]) == (20, True)


async def test_a_player_may_ask_before_it_seeks(api: Api, name: str) -> None:
    await put_course(api, name, "block")
    await assign(api, name)
    player = await start(api, name)
    await player.play((0, 20))
    for to, allowed in (("0", True), ("20", True), ("20.001", False), ("172800", False)):
        answer = await call(api, "get_seek_limit", query=f"?toSecond={to}", sessionId=player.session)
        assert (answer.json["allowed"], answer.json["limitSecond"]) == (allowed, 20)
        assert answer.json["policy"] == "block"
    assert (await call(api, "get_skips", sessionId=player.session)).json["seeks"] == []
    free = await start(api, name, "bob")
    answer = await call(api, "get_seek_limit", query="?toSecond=50", sessionId=free.session)
    assert (answer.json["allowed"], answer.json["policy"], answer.json["isSkip"]) == (True, None, True)


@pytest.mark.parametrize(
    "query", ["", "?toSecond=", "?toSecond=x", "?toSecond=-1", "?toSecond=nan", "?toSecond=1e9"]
)
async def test_a_place_that_cannot_be_is_refused(api: Api, query: str) -> None:
    answer = await call(api, "get_seek_limit", query=query, sessionId="any")
    assert (answer.status, answer.json["reason"]) == (400, "bad_query")


async def test_the_limit_starts_afresh_with_the_next_attempt(api: Api, name: str) -> None:
    """And what was watched before it was assigned does not move it."""
    await put_course(api, name, "block")
    before = await start(api, name)
    await before.play((0, 50))
    await assign(api, name)
    player = await start(api, name)
    assert (await player.seek(0, 40))["limitSecond"] == 0
    await player.play((0, 30))
    assert (await player.seek(30, 40))["limitSecond"] == 30
    answer = await api.call("POST", f"/v1/assignments/{escaped(name)}/ann/attempts", b'{"after": 1}', JSON)
    assert answer.status == 200
    assert (await player.seek(30, 20))["limitSecond"] == 0
