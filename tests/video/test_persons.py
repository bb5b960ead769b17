"""A learner reads and writes only their own, call by call; a manager also reads their teams'; keys need scopes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from pydantic import SecretStr

from service.access.keyring import Scope
from service.api.video.calls import VIDEO_CALLS
from service.settings import Settings
from tests.api.client import escaped
from tests.api.conftest import serving
from tests.api.keys import LINES, TOKENS, bearer
from tests.api.provider import AUDIENCE, ISSUER, SECRET
from tests.api.test_keys import INCLUDED
from tests.api.test_openapi import conforms, fits
from tests.courses.test_readers import PEOPLE
from tests.video.players import BY_NAME, PART, put_course, segment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.api.calls import Call
    from tests.api.client import Answer, Api, Document

READERS = {"ann", "sales", "admin"}
WRITERS = {"ann", "admin"}
OTHERS_REASONS = {(403, "foreign_user"), (422, "foreign_user")}


@pytest.fixture(scope="module")
async def guarded(emptied_redis_url: str, module_database_url: str) -> AsyncIterator[Api]:
    settings = Settings(
        keys=LINES,
        tokens_secret=SecretStr(SECRET),
        tokens_issuer=ISSUER,
        tokens_audience=AUDIENCE,
        shutdown_seconds=1,
    )
    async with serving(settings, emptied_redis_url, module_database_url) as api:
        yield api


class Admin:
    """Makes the same calls as everybody, as admin."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def call(self, method: str, path: str, body: bytes | None = None, _: object = None) -> Answer:
        return await self._api.call(method, path, body, bearer(PEOPLE["admin"]))


@pytest.fixture(scope="module")
async def anns(guarded: Api) -> Document:
    """A session and an attempt of Ann's; she is in the team `sales`."""
    admin: Any = Admin(guarded)
    await put_course(admin, "safety")
    for path, body in (
        ("/v1/assignments", {"course": "safety", "user": "ann"}),
        ("/v1/teams/sales", {"title": "T"}),
        ("/v1/teams/sales/members", {"users": ["ann"]}),
        ("/video/sessions", {"userId": "ann", "lessonId": "safety 1"}),
    ):
        method = "PUT" if path == "/v1/teams/sales" else "POST"
        made = await admin.call(method, path, orjson.dumps(body))
        assert made.status == 200, made.body
    return {
        "userId": "ann",
        "lessonId": "safety 1",
        "sessionId": made.json["sessionId"],
        "attemptId": str(made.json["attemptId"]),
    }


def body_of(made: Call, anns: Document) -> Document | None:
    known = {"sessionId": anns["sessionId"], "segments": [segment("s", 0, 10)]}
    offline = {"clientSessionId": "tab", "userId": "ann", "lessonId": "safety 1"}
    bodies: dict[str, Document] = {
        "start_session": {"userId": "ann", "lessonId": "safety 1"},
        "report_progress": {"segments": [segment("s", 0, 10)]},
        "sync_sessions": {"sessions": [known, offline]},
    }
    return bodies.get(made.name)


async def make(api: Api, made: Call, anns: Document, headers: Document) -> Answer:
    path = PART.sub(lambda part: escaped(anns[part[1]]), made.path)
    query = "?toSecond=5" if made.name == "get_seek_limit" else ""
    body = body_of(made, anns)
    answer = await api.call(made.method, path + query, orjson.dumps(body) if body else None, headers)
    conforms(made, answer)
    return answer


@pytest.mark.parametrize("made", VIDEO_CALLS, ids=lambda made: made.name)
async def test_a_call_about_ann_is_for_ann_and_admins_and_reading_for_who_manages_her(
    guarded: Api, anns: Document, made: Call
) -> None:
    may = READERS if made.method == "GET" else WRITERS
    for who, token in PEOPLE.items():
        answer = await make(guarded, made, anns, bearer(token))
        if who in may:
            incomplete = made.name == "complete_attempt" and answer.status == 409
            assert answer.status == 200 or incomplete, (who, answer.body)
        else:
            assert (answer.status, answer.json["reason"]) in OTHERS_REASONS, (who, answer.body)


async def test_others_have_changed_nothing(guarded: Api, anns: Document) -> None:
    """Nor have they learned anything: what they were told is the same for who was never heard of."""
    before = (await guarded.call("GET", "/v1/users/ann/movies", None, bearer(PEOPLE["ann"]))).body
    for who in ("bob", "sales", "stores"):
        for made in VIDEO_CALLS:
            if made.method != "GET":
                await make(guarded, made, anns, bearer(PEOPLE[who]))
    assert (await guarded.call("GET", "/v1/users/ann/movies", None, bearer(PEOPLE["ann"]))).body == before
    for name in ("get_lesson_progress", "get_unassigned_history"):
        known = await make(guarded, BY_NAME[name], anns, bearer(PEOPLE["bob"]))
        unknown = await make(guarded, BY_NAME[name], anns | {"userId": "nobody"}, bearer(PEOPLE["bob"]))
        assert (known.status, known.body) == (403, unknown.body)


async def test_in_a_sync_what_is_anothers_is_refused_and_the_own_is_done(
    guarded: Api, anns: Document
) -> None:
    sessions = [
        {"sessionId": anns["sessionId"], "segments": [segment("foreign", 0, 10)]},
        {"clientSessionId": "x", "userId": "ann", "lessonId": "safety 1"},
        {
            "clientSessionId": "x",
            "userId": "bob",
            "lessonId": "safety 1",
            "segments": [segment("own", 0, 10)],
        },
    ]
    body = orjson.dumps({"sessions": sessions})
    answer = await guarded.call("POST", "/video/sync", body, bearer(PEOPLE["bob"]))
    found = answer.json["sessions"]
    assert [one["reason"] for one in found] == ["foreign_user", "foreign_user", None]
    assert (found[0]["accepted"], found[1]["sessionId"], found[2]["accepted"]) == (0, None, 1)


@pytest.mark.parametrize("made", VIDEO_CALLS, ids=lambda made: made.name)
async def test_a_key_needs_the_scope_to_ingest_or_to_read(guarded: Api, anns: Document, made: Call) -> None:
    assert made.scope == (Scope.READ if made.method == "GET" else Scope.INGEST)
    assert (await make(guarded, made, anns, {})).status == 401
    for scope, token in TOKENS.items():
        answer = await make(guarded, made, anns, bearer(token))
        assert (answer.status == 403) == (scope not in INCLUDED[made.scope]), (scope, answer.body)


def test_every_call_is_described_with_examples_that_fit() -> None:
    for made in VIDEO_CALLS:
        for said in made.answers:
            if said.example:
                fits(said, orjson.dumps(said.example))
