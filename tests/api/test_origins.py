"""Pages of other origins: only those of the allow-list may read an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest
from pydantic import ValidationError

from service.access.keyring import Scope
from service.settings import Settings
from tests.api.client import JSON, event
from tests.api.keys import LINES, TOKENS, bearer
from tests.api.test_broken_clients import connected

if TYPE_CHECKING:
    from tests.api.client import Answer, Api
    from tests.api.conftest import Serve

OURS, THEIRS = "https://watch.example", "https://watch.example.evil.example"
BODY = orjson.dumps(event())
ALLOW = "Access-Control-Allow-Origin"
SHARED = ["/v1/events", "/events", "/", "/v1/movies/dune", "/v1/users/ann/movies/a%2Fb"]


@pytest.fixture
async def shared(serve: Serve) -> Api:
    return await serve(
        Settings(keys=LINES, cors_origins=f"{OURS}, http://localhost:3000", shutdown_seconds=1)
    )


async def preflight(api: Api, path: str, origin: str) -> Answer:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return await api.call("OPTIONS", path, headers=asked)


@pytest.mark.parametrize("path", SHARED)
async def test_a_preflight_is_answered_without_a_key(shared: Api, path: str) -> None:
    answer = await preflight(shared, path, OURS)
    assert (answer.status, answer.body, answer.headers[ALLOW]) == (204, b"", OURS)
    assert answer.headers["Access-Control-Allow-Methods"] == (
        "GET" if "/v1/m" in path or "/u" in path else "POST"
    )
    assert {"Authorization", "Content-Type", "X-Api-Key"} <= set(
        answer.headers["Access-Control-Allow-Headers"].split(", ")
    )
    assert int(answer.headers["Access-Control-Max-Age"]) > 0
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "origin", [THEIRS, "null", OURS.upper(), OURS + "/", OURS + ":8443", "http://watch.example", ""]
)
async def test_others_are_told_nothing(shared: Api, origin: str) -> None:
    answers = [
        await preflight(shared, "/v1/events", origin),
        await shared.send(BODY, JSON | bearer(TOKENS[Scope.INGEST]) | {"Origin": origin}),
    ]
    for answer in answers:
        assert not any(name.lower().startswith("access-control") for name in answer.headers)
        assert answer.headers["Vary"] == "Origin"


async def test_answers_may_be_read_also_where_they_are_refusals(shared: Api) -> None:
    for headers, status in (
        (bearer(TOKENS[Scope.INGEST]), 200),
        ({}, 401),
        (bearer(TOKENS[Scope.READ]), 403),
    ):
        answer = await shared.send(BODY, JSON | headers | {"Origin": OURS})
        assert (answer.status, answer.headers[ALLOW]) == (status, OURS)
        assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_what_is_not_shared_is_not(shared: Api) -> None:
    for path in ("/healthz", "/readyz", "/docs", "/openapi.json", "/nothing"):
        answer = await shared.call("GET", path, headers={"Origin": OURS})
        assert ALLOW not in answer.headers
    assert (await preflight(shared, "/healthz", OURS)).status == 405


async def test_all_may_be_let_in_by_an_explicit_word(serve: Serve) -> None:
    api = await serve(Settings(cors_origins="*", shutdown_seconds=1))
    answer = await api.send(BODY, JSON | {"Origin": THEIRS})
    assert answer.headers[ALLOW] == "*"
    assert "Vary" not in answer.headers
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert (await preflight(api, "/v1/events", THEIRS)).headers[ALLOW] == "*"


async def test_unless_it_is_set_nobody_is_let_in(api: Api) -> None:
    answer = await api.send(BODY, JSON | {"Origin": OURS})
    assert answer.status == 200
    assert ALLOW not in answer.headers
    assert (await preflight(api, "/v1/events", OURS)).status == 405


@pytest.mark.parametrize(
    "origins", ["watch.example", "https://watch.example/", "https://*.example", "null", "https://A.example"]
)
def test_what_is_no_origin_is_refused_at_start(origins: str) -> None:
    with pytest.raises(ValidationError, match="no origin"):
        Settings(cors_origins=origins)


async def test_no_browser_may_guess_what_an_answer_is(api: Api) -> None:
    for method, path in (
        ("POST", "/"),
        ("GET", "/docs"),
        ("GET", "/v1/movies/nothing"),
        ("GET", "/nothing"),
        ("GET", "/healthz"),
    ):
        answer = await api.call(method, path, BODY if method == "POST" else None)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    async with connected(api) as line:
        await line.send(b"hello\r\n\r\n")
        assert b"application/problem+json" in await line.rest()
