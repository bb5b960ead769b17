"""API keys: who may make which call, and that no key is ever repeated."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import orjson
import pytest
from structlog.testing import capture_logs

from service.access.files import add_key, remove_key
from service.access.keyring import Key, Scope, digest_of, new_token
from service.api import guard
from service.api.routes import CALLS
from service.settings import Settings
from tests.api.client import JSON, event
from tests.api.deadline import until
from tests.api.keys import LINES, TOKENS, bearer
from tests.api.test_broken_clients import connected

if TYPE_CHECKING:
    from pathlib import Path

    from service.api.calls import Call
    from tests.api.client import Answer, Api
    from tests.api.conftest import Serve

BODY = orjson.dumps(event())
OPEN = {"get_health", "get_ready", "get_openapi", "get_docs", "get_welcome", "get_asset"}
SECRET = new_token()
INCLUDED = {Scope.INGEST: {"ingest", "admin"}, Scope.READ: {"read", "admin"}, Scope.ADMIN: {"admin"}}


@pytest.fixture
async def locked(serve: Serve) -> Api:
    """With one key a scope."""
    return await serve(Settings(keys=LINES, shutdown_seconds=1))


async def made(api: Api, call: Call, headers: dict[str, str], query: str = "") -> Answer:
    path = (
        call.path.replace("{user:[^/]+}", "ann")
        .replace("{slug:(?s:.+)}", "dune")
        .replace("{asset:.+}", "docs.js")
    )
    body = BODY if call.method == "POST" else None
    return await api.call(call.method, path + query, body, headers)


def test_what_is_open_is_what_says_nothing_of_anybody() -> None:
    assert {call.name for call in CALLS if call.scope is None} == OPEN


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
async def test_a_call_is_answered_to_those_who_may_make_it(locked: Api, call: Call) -> None:
    await locked.call("POST", "/", BODY, bearer(TOKENS[Scope.ADMIN]))
    without = await made(locked, call, {})
    unknown = await made(locked, call, bearer(SECRET))
    if call.scope is None:
        assert without.status < 400
        assert unknown.status < 400
        return
    for answer, reason in ((without, "no_key"), (unknown, "unknown_key")):
        assert (answer.status, answer.is_problem, answer.json["reason"]) == (401, True, reason)
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="playhead"')
    for name, token in TOKENS.items():
        answer = await made(locked, call, bearer(token))
        if name in INCLUDED[call.scope]:
            assert answer.status < 300 or (call.name, answer.status) == ("open_stream", 426)
        else:
            assert (answer.status, answer.is_problem, answer.json["reason"]) == (403, True, "missing_scope")
            assert repr(str(call.scope)) in answer.json["detail"]
            assert f'scope="{call.scope}"' in answer.headers["WWW-Authenticate"]


async def test_a_key_comes_in_a_header_or_for_beacons_in_the_address(locked: Api) -> None:
    token = TOKENS[Scope.INGEST]
    beacon = {"Content-Type": "text/plain"}
    for headers, query in (
        ({"Authorization": f"bearer  {token} "}, ""),
        ({"X-Api-Key": token}, ""),
        (beacon, f"?key={token}"),
        (beacon, f"?a=1&key={token}&b"),
    ):
        assert (await locked.call("POST", f"/v1/events{query}", BODY, headers)).status == 200
    for headers, query in (
        ({"Authorization": f"Basic {token}"}, ""),
        ({"Authorization": token}, ""),
        ({"X-Api-Key": "other"}, f"?key={token}"),
        ({}, f"?Key={token}"),
        ({"Cookie": f"key={token}"}, ""),
    ):
        assert (await locked.call("POST", f"/v1/events{query}", BODY, headers)).status == 401


async def test_who_may_not_counts_nothing(locked: Api) -> None:
    await locked.send(BODY)
    await locked.send(BODY, JSON | bearer(TOKENS[Scope.READ]))
    movie = await locked.call("GET", "/v1/movies/dune", headers=bearer(TOKENS[Scope.READ]))
    assert movie.status == 404


async def test_without_keys_nobody_is_asked(api: Api) -> None:
    assert (await api.send(BODY, JSON | bearer(SECRET))).status == 200
    document = (await api.get("/openapi.json")).json
    assert document["components"]["securitySchemes"] == {}
    assert not any("security" in call for path in document["paths"].values() for call in path.values())


async def test_the_description_names_keys_and_scopes(locked: Api) -> None:
    document = (await locked.get("/openapi.json")).json
    schemes = document["components"]["securitySchemes"]
    assert [scheme["type"] for scheme in schemes.values()] == ["http", "apiKey", "apiKey"]
    for call in CALLS:
        if not call.is_described:
            continue
        path = call.path.replace(":[^/]+", "").replace(":(?s:.+)", "")
        described = document["paths"][path][call.method.lower()]
        needed = [(name, scopes) for way in described.get("security", ()) for name, scopes in way.items()]
        assert {scope for _, scopes in needed for scope in scopes} == ({call.scope} if call.scope else set())
        assert {name for name, _ in needed} <= schemes.keys()
        assert ({"401", "403"} <= described["responses"].keys()) == (call.scope is not None)


async def test_a_revoked_key_is_refused_soon_and_a_new_one_taken(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also over a moment in which the file is unreadable, which neither opens nor shuts anything."""
    monkeypatch.setattr(guard, "RELOAD_SECONDS", 0.05)
    path = tmp_path / "keys"
    old, new = new_token(), new_token()
    add_key(path, Key("old", frozenset((Scope.INGEST,)), digest_of(old)))
    api = await serve(Settings(keys_file=path, shutdown_seconds=1))

    async def statuses() -> tuple[int, int]:
        return (await api.send(BODY, bearer(old))).status, (await api.send(BODY, bearer(new))).status

    assert await statuses() == (200, 401)
    add_key(path, Key("new", frozenset((Scope.INGEST,)), digest_of(new)))
    await until(statuses, equals=(200, 200))
    whole = path.read_text()
    with capture_logs() as logs:
        path.write_text("half a li")

        async def is_said() -> bool:
            return any(line["event"] == "keys_not_reloaded" for line in logs)

        await until(is_said, equals=True)
        assert await statuses() == (200, 200)
        path.write_text(whole)
        remove_key(path, "old")
        await until(statuses, equals=(401, 200))
        remove_key(path, "new")
        await until(statuses, equals=(401, 401))


async def test_no_key_is_ever_repeated(
    serve: Serve, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Not in answers, logs or metrics: to what is refused, fails, or is no HTTP, with the key wherever it may stand."""
    caplog.set_level(logging.DEBUG)
    api = await serve(Settings(keys=LINES, shutdown_seconds=1))
    said: list[Answer] = []
    with capture_logs() as logs:
        for token in (SECRET, TOKENS[Scope.READ]):
            for headers, query in ((bearer(token), ""), ({"X-Api-Key": token}, ""), ({}, f"?key={token}")):
                for method, path in (
                    ("POST", "/v1/events"),
                    ("PUT", "/v1/events"),
                    ("GET", "/nothing"),
                    ("GET", "/v1/movies/nothing"),
                    ("GET", "/v1/users/ann/movies"),
                    ("GET", "/openapi.json"),
                    ("GET", "/metrics"),
                ):
                    said.append(
                        await api.call(method, path + query, b"{" if method == "POST" else None, headers)
                    )
    raw = b""
    for garbage in (
        b"GET /?key=%b HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nX-Api-Key %b\r\n\r\n",
        b"%b\r\n\r\n",
    ):
        async with connected(api) as line:
            await line.send(garbage % SECRET.encode())
            raw += await line.rest()
    heard = "".join(f"{answer.headers}{answer.body!r}" for answer in said)
    everything = heard + repr(logs) + raw.decode() + caplog.text + "".join(capfd.readouterr())
    assert raw.count(b" 400 Bad Request") == 3
    for token in (SECRET, *TOKENS.values()):
        assert token not in everything
        assert digest_of(token).hex() not in everything
