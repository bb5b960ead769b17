"""Progress as it changes, whichever way it came."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, WSCloseCode, WSServerHandshakeError
from pydantic import SecretStr

from service import clock, limits
from service.access.keyring import Scope
from service.api.graphql import live, socket
from service.settings import Settings
from service.stored.scopes import Scopes
from tests.api.conftest import serving
from tests.api.keys import LINES, TOKENS, bearer
from tests.api.provider import HS256, SECRET
from tests.courses.test_readers import PEOPLE
from tests.graphql.asking import ask
from tests.graphql.subscriber import Subscriber, subscribing
from tests.graphql.test_access import anns, guarded
from tests.graphql.test_old_shapes import CREATE, given, point
from tests.integration.waiting import until
from tests.video.players import start

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.client import Api, Document

UPDATES = "subscription ($id: ID!) { onUpdateUserLesson(id: $id) { id progress maxProgress status } }"
POINTS = "subscription ($id: ID!) { onCreateUserLessonProgress(userLessonId: $id) { progress userLessonId } }"
STANDING = """subscription ($user: ID!, $lesson: ID!) {
  lessonProgressChanged(userId: $user, lessonId: $lesson) { positionSecond furthestSecond status attemptId }
}"""


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that tests need not wait."""
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.1)


async def test_what_comes_by_any_way_is_told(api: Api, name: str) -> None:
    """By GraphQL, by REST, and as an event: how it stands at once, then each change."""
    _, lesson = await given(api, name)
    async with subscribing(api) as client:
        await client.greeted()
        await client.subscribe(UPDATES, id=lesson)
        assert (await client.next())["progress"] == 0
        await point(api, lesson, 10)
        assert (await client.next())["progress"] == 10
        player = await start(api, name)
        await player.play((10, 30))
        assert (await client.next())["progress"] == 30
        event = {"user": "ann", "slug": f"{name} video 1", "kind": "segment", "from": 30, "at": 100}
        assert (await api.post(event)).status == 200
        assert await client.next() == {
            "id": lesson,
            "progress": 100,
            "maxProgress": 100,
            "status": "Completed",
        }


async def test_what_lies_around_a_lesson_is_told_as_it_is_then(
    api: Api, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer is read anew, and bounded by itself, however many a connection has had."""
    monkeypatch.setattr("service.api.graphql.context.GRAPHQL_ITEMS_MAX", 3)
    _, lesson = await given(api, name)
    around = UPDATES.replace("status", "userCourse { status userLessons { items { id progress } } }")
    async with subscribing(api) as client:
        await client.greeted()
        await client.subscribe(around, id=lesson)
        assert (await client.next())["userCourse"]["status"] == "Assigned"
        for at in (10, 20, 30):
            await point(api, lesson, at)
            told = (await client.next())["userCourse"]
            assert told["status"] == "InProgress"
            assert [one["progress"] for one in told["userLessons"]["items"] if one["id"] == lesson] == [at]


async def test_each_subscription_tells_in_its_own_shape_and_ends_alone(api: Api, name: str) -> None:
    _, lesson = await given(api, name)
    async with subscribing(api) as client:
        await client.greeted({})
        await client.subscribe(POINTS, "points", id=lesson)  # nothing was watched yet, so there is no point
        await client.subscribe(STANDING, "standing", user="ann", lesson=f"{name} 1")
        assert (await client.next("standing"))["status"] == "Assigned"
        await point(api, lesson, 12.5)
        told: Document = {}
        for _ in range(2):
            message = await client.told()
            [told[message["id"]]] = message["payload"]["data"].values()
        assert told["points"] == {"progress": 12.5, "userLessonId": lesson}
        assert (told["standing"]["positionSecond"], told["standing"]["status"]) == (12.5, "InProgress")
        await client.send("complete", id="standing")
        await point(api, lesson, 20)
        assert (await client.next("points"))["progress"] == 20


async def test_all_subscribers_share_one_look_a_second(
    api: Api, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = [f"user {number}" for number in range(10)]
    _, lesson = await given(api, name, *users)
    looks: list[int] = []
    read = Scopes.read

    async def counted(self: Scopes, pairs: Any) -> Any:
        scopes = await read(self, pairs)
        looks.append(len(pairs))
        return scopes

    async def found_nothing_new() -> bool:
        return looks[-2:] == [10, 10]

    monkeypatch.setattr(live, "AGE_SECONDS_MAX", 3600.0)
    monkeypatch.setattr(Scopes, "read", counted)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(subscribing(api)) for _ in range(20)]
        for number, client in enumerate(clients):
            await client.greeted()
            await client.subscribe(STANDING, user=users[number // 2], lesson=f"{name} 1")
            await client.next()
        await until(found_nothing_new, "two looks at all ten, one after the other")
        began, first = clock.steady_seconds(), len(looks)
        await point(api, lesson, 5)
        told = await asyncio.gather(clients[0].next(), clients[1].next())
        seconds = clock.steady_seconds() - began
    assert [one["positionSecond"] for one in told] == [5, 5]
    # All ten at once, each time; and the two lessons of the course that changed, for who told it and for who follow it.
    assert set(looks[first:]) == {10, 2}
    assert (looks[first:].count(10) <= seconds / live.LOOK_SECONDS + 2, looks[first:].count(2)) == (True, 2)


REFUSED: list[tuple[str, Document, str]] = [
    (UPDATES, {"id": "nobody's"}, "not_found"),
    (STANDING, {"user": "ann", "lesson": "no lesson"}, "not_found"),
    ("{ courses { nextCursor } }", {}, "wrong_operation"),
    (CREATE, {"input": {"userLessonId": "x", "progress": 1}}, "wrong_operation"),
    ("subscription { nothing }", {}, "invalid_query"),
    (UPDATES, {}, "invalid_query"),
]


async def test_what_cannot_be_followed_is_refused(api: Api) -> None:
    async with subscribing(api) as client:
        await client.greeted()
        for number, (query, variables, reason) in enumerate(REFUSED):
            await client.subscribe(query, str(number), **variables)
            assert await client.failure() == reason
            if reason == "not_found":
                assert (await client.told())["type"] == "complete"


async def test_a_connection_has_so_many_subscriptions_and_a_process_so_many(
    api: Api, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, lesson = await given(api, name)
    most = limits.SUBSCRIPTIONS_PER_CONNECTION_MAX
    async with subscribing(api) as client:
        await client.greeted()
        for number in range(most):
            await client.subscribe(UPDATES, str(number), id=lesson)
            await client.next(str(number))
        await client.subscribe(UPDATES, "more", id=lesson)
        assert (await client.told())["type"] == "error"
        monkeypatch.setattr("service.api.graphql.live.SUBSCRIPTIONS_MAX", most)
        async with subscribing(api) as other:
            await other.greeted()
            await other.subscribe(UPDATES, id=lesson)
            assert await other.failure() == "too_many_subscriptions"


@pytest.mark.parametrize("how", ["header", "address", "payload", "bare payload"])
async def test_a_key_or_token_is_shown_in_one_of_these_places(guarded: Api, anns: Document, how: str) -> None:
    token = PEOPLE["ann"]
    headers = bearer(token) if how == "header" else None
    payload = {"payload": {"Authorization": f"Bearer {token}"}, "bare payload": {"authorization": token}}.get(
        how
    )
    async with subscribing(guarded, f"?key={token}" if how == "address" else "", headers) as client:
        await client.greeted(payload)
        await client.subscribe(UPDATES, id=anns["lesson"])
        assert (await client.next())["id"] == anns["lesson"]


async def test_who_shows_nothing_or_what_is_no_good_is_sent_away(guarded: Api) -> None:
    for payload in (None, {}, {"Authorization": "Bearer x"}, {"Authorization": 1}):
        async with subscribing(guarded) as client:
            await client.send("connection_init", payload=payload or {})
            assert await client.closed() == 4403
    async with subscribing(guarded) as client:
        await client.subscribe(UPDATES, id="x")
        assert await client.closed() == 4401


@pytest.mark.parametrize(
    ("who", "may"), [("ann", True), ("sales", True), ("admin", True), ("bob", False), ("stores", False)]
)
async def test_what_is_anothers_cannot_be_followed(guarded: Api, anns: Document, who: str, may: bool) -> None:
    async with subscribing(guarded, "", bearer(PEOPLE[who])) as client:
        await client.greeted()
        for number, query in enumerate((UPDATES, POINTS)):
            await client.subscribe(query, str(number), id=anns["lesson"])
            message = await client.told()
            if may:
                assert "errors" not in message["payload"]
            else:
                assert message["payload"]["errors"][0]["extensions"]["reason"] == "not_found"
                assert (await client.told())["type"] == "complete"
        await client.subscribe(STANDING, "standing", user="ann", lesson="safety 1")
        message = await client.told()
        reasons = [one["extensions"]["reason"] for one in message["payload"].get("errors", ())]
        assert reasons == ([] if may else ["foreign_user"])


async def test_one_person_alone_takes_not_all_that_there_is(
    guarded: Api, anns: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over all of their connections; who ends one may begin another."""
    monkeypatch.setattr("service.api.graphql.live.SUBSCRIPTIONS_PER_PERSON_MAX", 1)
    ann = bearer(PEOPLE["ann"])
    async with (
        subscribing(guarded, "", ann) as first,
        subscribing(guarded, "", ann) as second,
        subscribing(guarded, "", bearer(PEOPLE["admin"])) as other,
    ):
        for client in (first, second, other):
            await client.greeted()
        for client in (first, other):
            await client.subscribe(UPDATES, id=anns["lesson"])
            await client.next()

        async def is_taken() -> bool:
            await second.subscribe(UPDATES, id=anns["lesson"])
            if "errors" not in (await second.told())["payload"]:
                return True
            assert (await second.told())["type"] == "complete"
            return False

        assert not await is_taken()
        await first.send("complete", id="1")
        await until(is_taken, "the place of the one that ended is free")


async def test_a_key_needs_the_scope_to_read(guarded: Api, anns: Document) -> None:
    for scope, token in TOKENS.items():
        async with subscribing(guarded, "", bearer(token)) as client:
            await client.greeted()
            await client.subscribe(UPDATES, id=anns["lesson"])
            if scope is Scope.INGEST:
                assert await client.failure() == "missing_scope"
            else:
                assert (await client.next())["id"] == anns["lesson"]


async def test_a_key_that_is_revoked_listens_no_longer(
    emptied_redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.api.guard.RELOAD_SECONDS", 0.05)
    monkeypatch.setattr(socket, "RECHECK_SECONDS", 0.05)
    file = tmp_path / "keys"
    file.write_text(LINES.replace(";", "\n"))
    settings, shown = Settings(keys_file=file, shutdown_seconds=1), bearer(TOKENS[Scope.READ])
    async with serving(settings, emptied_redis_url) as api, subscribing(api, "", shown) as client:
        await client.greeted()
        file.write_text(LINES.split(";")[0] + "\n")
        assert await client.closed() == 4403


async def test_a_token_that_expires_listens_no_longer(
    emptied_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "RECHECK_SECONDS", 0.05)
    settings = Settings(tokens_secret=SecretStr(SECRET), tokens_leeway_seconds=0, shutdown_seconds=1)
    async with serving(settings, emptied_redis_url) as api, subscribing(api) as client:
        token = HS256.token(aud=None, exp=clock.now_us() / 1e6 + 0.5)
        await client.greeted({"Authorization": f"Bearer {token}"})
        assert await client.closed() == 4403


async def test_no_other_protocol_and_no_page_of_another_origin_is_let_in(api: Api) -> None:
    for headers, protocol, status in (
        ({}, "graphql-ws", 400),
        ({"Origin": "https://evil.example"}, "graphql-transport-ws", 403),
    ):
        with pytest.raises(WSServerHandshakeError) as refused:
            async with subscribing(api, "", headers, protocol):
                pass
        assert refused.value.status == status


async def test_a_message_that_is_none_ends_the_connection(api: Api) -> None:
    for message in ("x", "[]", '{"type": "dance"}', '{"type": "subscribe"}'):
        async with subscribing(api) as client:
            await client.greeted()
            await client.socket.send_str(message)
            assert await client.closed() == 4400


async def test_playhead_stops_while_somebody_listens(
    emptied_redis_url: str, module_database_url: str, name: str
) -> None:
    """And says so; nothing is left running."""
    settings = Settings(shutdown_seconds=1)
    async with ClientSession() as session:
        async with serving(settings, emptied_redis_url, module_database_url) as api:
            _, lesson = await given(api, name)
            url = f"http://127.0.0.1:{api.port}/graphql"
            client = Subscriber(await session.ws_connect(url, protocols=("graphql-transport-ws",)))
            await client.greeted()
            await client.subscribe(UPDATES, id=lesson)
            await client.next()
            ending = asyncio.create_task(client.closed())
        assert await ending == WSCloseCode.GOING_AWAY
    assert not [task for task in asyncio.all_tasks() if task.get_name() in ("live", "recheck", "farewell")]


async def test_metrics_count_subscriptions(api: Api, name: str) -> None:
    _, lesson = await given(api, name)
    async with subscribing(api) as client:
        await client.greeted()
        await client.subscribe(UPDATES, id=lesson)
        await client.next()
        text = (await api.get("/metrics")).body.decode()
        assert "playhead_graphql_subscriptions 1.0" in text
    assert (await ask(api, "{ __typename }")) == {"__typename": "Query"}


__all__ = ["anns", "guarded"]
