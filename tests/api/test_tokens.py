"""Bearer tokens: what persons may do with each call, and the keys that their tokens are checked with."""

from __future__ import annotations

import asyncio
import gzip
import logging
import re
from itertools import product
from typing import TYPE_CHECKING

import orjson
import pytest
from structlog.testing import capture_logs

from service import clock
from service.access import jwks
from service.access.jwks import BYTES_MAX
from service.access.keyring import Scope
from service.api.routes import CALLS
from service.settings import Settings
from tests.api.client import JSON, NDJSON, event, lines
from tests.api.conftest import serving
from tests.api.deadline import until
from tests.api.keys import LINES, TOKENS, bearer
from tests.api.provider import HS256, SECRET, Provider, Signer, es256, publishing, rs256, rsa_key, self_signed
from tests.api.streams import streaming
from tests.api.test_keys import made

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.api.client import Answer, Api, Document
    from tests.api.conftest import Serve

ANN, BOB = rs256().token(), es256().token(sub="bob")
MAX = es256().token(sub="max", roles=["manager"])
EVE = rs256().token(sub="eve", roles=["admin"])
PEOPLE = {"ann": ANN, "bob": BOB, "max": MAX, "eve": EVE}


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with publishing() as provider:
        yield provider


@pytest.fixture
async def guarded(serve: Serve, provider: Provider) -> Api:
    """With tokens, without API keys."""
    return await serve(provider.settings())


async def seen(api: Api, user: str = "ann") -> list[Document]:
    """All that is known of a user, as an admin sees it."""
    paths = (f"/v1/users/{user}", f"/v1/users/{user}/movies", f"/v1/users/{user}/movies/dune")
    return [(await api.call("GET", path, headers=bearer(EVE))).json for path in paths]


def refusal(answer: Answer) -> tuple[int, str]:
    assert answer.is_problem
    return answer.status, answer.json["reason"]


OWN, ROLE, MIXED = (403, "foreign_user"), (403, "missing_role"), (422, "foreign_user")
ADMINS_ONLY = {"ann": ROLE, "bob": ROLE, "max": ROLE}
OWN_ONLY = {"bob": OWN, "max": OWN}
REFUSED = {
    "post_events": {"bob": MIXED, "max": MIXED},
    "post_events_at_events": {"bob": MIXED, "max": MIXED},
    "post_events_at_root": {"bob": MIXED, "max": MIXED},
    "open_stream": dict.fromkeys(PEOPLE, (426, "no_websocket")),
    "get_movie": {},
    "get_user": OWN_ONLY,
    "get_user_movies": OWN_ONLY,
    "get_pair": OWN_ONLY,
    "delete_user": ADMINS_ONLY,
    "get_metrics": ADMINS_ONLY,
}
"""Who is refused, of whom the call is about Ann; what is not listed here is for admins."""


GUARDED = [call for call in CALLS if call.scope]


async def test_a_call_about_ann_is_answered_to_those_who_may_make_it(guarded: Api) -> None:
    for call, (name, token) in product(GUARDED, PEOPLE.items()):
        await guarded.post([event(), event(user="bob")], Authorization=f"Bearer {EVE}")
        answer = await made(guarded, call, bearer(token))
        refused = REFUSED.get(call.name, ADMINS_ONLY)
        if name in refused:
            assert refusal(answer) == refused[name], (call.name, name)
        else:
            assert answer.status < 300, (call.name, name)
        if answer.status == 403:
            assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


async def test_what_is_refused_does_not_tell_who_is_known(guarded: Api) -> None:
    await guarded.post(event(), Authorization=f"Bearer {ANN}")
    for path in ("", "/movies", "/movies/dune", "/movies?limit=0"):
        known = await guarded.call("GET", f"/v1/users/ann{path}", headers=bearer(BOB))
        unknown = await guarded.call("GET", f"/v1/users/nobody{path}", headers=bearer(BOB))
        assert (known.status, known.body) == (unknown.status, unknown.body)


async def test_no_spelling_of_a_path_leads_to_another(guarded: Api) -> None:
    await guarded.post(event(), Authorization=f"Bearer {ANN}")
    for spelling in ("ann", "%61nn", "ann%2F", "ANN", "ann%20", "a%CC%8Ann", "ann/../bob", "bob%2F../ann"):
        answer = await guarded.call("GET", f"/v1/users/{spelling}", headers=bearer(BOB))
        assert refusal(answer) in (OWN, (404, "not_found"))


async def test_a_name_with_a_slash_is_its_owners(guarded: Api) -> None:
    token = rs256().token(sub="a/b é")
    assert (await guarded.post(event(user="a/b é"), Authorization=f"Bearer {token}")).status == 200
    for path in ("/v1/users/a%2Fb%20%C3%A9", "/v1/users/a%2Fb%20%C3%A9/movies/dune"):
        assert (await guarded.call("GET", path, headers=bearer(token))).json["user"] == "a/b é"


async def test_a_learner_writes_nothing_of_another_by_any_way(guarded: Api) -> None:
    """What is the learner's own in the same batch counts."""
    await guarded.post(event(), Authorization=f"Bearer {ANN}")
    before = await seen(guarded)
    both = [event(user="bob"), event(at=9000), event(user="bob", at=-1), event(user="Bob"), event(user="bob")]
    ours = bearer(BOB)
    ways = [
        await guarded.send(orjson.dumps(both), JSON | ours),
        await guarded.send(lines(*both), NDJSON | ours),
        await guarded.send(gzip.compress(lines(*both)), NDJSON | ours | {"Content-Encoding": "gzip"}),
        await guarded.send(orjson.dumps(both), {"Content-Type": "text/plain"}, f"/v1/events?key={BOB}"),
    ]
    for answer in ways:
        assert (answer.status, answer.json["accepted"]) == (200, 2)
        said = [(one["index"], one["field"], one["reason"]) for one in answer.json["rejected"]]
        assert said == [(1, "user", "foreign_user"), (2, "at", "out_of_range"), (3, "user", "foreign_user")]
    twice = b'{"user": "bob", "slug": "dune", "at": 1, "user": "ann"}'
    assert refusal(await guarded.send(twice, JSON | ours)) == MIXED
    for method, path in (("DELETE", "/v1/users/ann"), ("DELETE", "/v1/users/bob")):
        assert refusal(await guarded.call(method, path, headers=ours)) == ROLE
    assert await seen(guarded) == before
    assert (await seen(guarded, "bob"))[0]["events"] == 8


async def test_lines_that_are_anothers_are_told_by_their_index(guarded: Api) -> None:
    """Also past the first thousand, which are applied together."""
    many = [event(user="ann" if number == 1500 else "bob") for number in range(2000)]
    answer = await guarded.send(lines(*many), NDJSON | bearer(BOB))
    assert (answer.json["accepted"], answer.rejection["index"]) == (1999, 1500)


async def test_a_stream_takes_what_is_its_users_own(guarded: Api) -> None:
    async with streaming(guarded, f"?key={BOB}") as client:
        await client.send(event(user="bob"))
        await client.answered(1)
        await client.send(event(), [event(user="bob"), event(user="max")])
        books = await client.answered(4)
    assert (books.accepted, books.reasons) == (2, [(1, "foreign_user"), (3, "foreign_user")])
    assert (await guarded.call("GET", "/v1/users/ann", headers=bearer(EVE))).status == 404


async def test_an_admin_sends_and_erases_for_everybody(serve: Serve, provider: Provider) -> None:
    api = await serve(provider.settings(redis_timeout_seconds=0.2))
    assert (await api.post([event(), event(user="bob")], Authorization=f"Bearer {EVE}")).json["accepted"] == 2
    assert (await api.call("DELETE", "/v1/users/bob", headers=bearer(EVE))).status == 202
    assert refusal(await api.call("DELETE", f"/v1/users/ann?key={EVE}")) == (401, "no_key")


async def test_a_token_is_no_good_where_none_are_taken(serve: Serve) -> None:
    api = await serve(Settings(keys=LINES, shutdown_seconds=1))
    for token in (ANN, HS256.token(roles=["admin"])):
        assert refusal(await api.call("GET", "/v1/users/ann", headers=bearer(token))) == (401, "unknown_key")


async def test_an_api_key_is_a_server_beside_tokens(serve: Serve, provider: Provider) -> None:
    api = await serve(provider.settings(keys=LINES))
    server = bearer(TOKENS[Scope.INGEST])
    assert (await api.send(lines(event(), event(user="bob")), NDJSON | server)).json["accepted"] == 2
    assert refusal(await api.call("GET", "/v1/users/ann", headers=server)) == (403, "missing_scope")
    read = bearer(TOKENS[Scope.READ])
    assert (await api.call("GET", "/v1/users/ann", headers=read)).status == 200
    assert (await api.call("GET", "/v1/users/ann", headers=bearer(ANN))).status == 200
    assert refusal(await api.call("GET", "/v1/users/ann", headers=bearer("playhead_x"))) == (
        401,
        "unknown_key",
    )


async def test_a_secret_is_enough(serve: Serve) -> None:
    api = await serve(Settings(tokens_secret=SECRET, shutdown_seconds=1))
    token = HS256.token(aud=None)
    assert (await api.post(event(), Authorization=f"Bearer {token}")).status == 200
    assert (await api.call("GET", "/v1/users/ann", headers={"X-Api-Key": token})).status == 200
    other = Signer(None, "HS256", SECRET[::-1]).token(aud=None)
    assert refusal(await api.call("GET", "/v1/users/ann", headers=bearer(other))) == (401, "bad_signature")


NO_GOOD = [
    (rs256().token(exp=1), "token_expired"),
    (rs256().token(exp=None), "missing_claim"),
    (rs256().token(nbf=4_000_000_000), "token_not_valid_yet"),
    (rs256().token(iss="https://login.example.evil.example/"), "wrong_issuer"),
    (rs256().token(aud="shop"), "wrong_audience"),
    (rs256().token(sub=None), "missing_claim"),
    (rs256().token(roles=7), "bad_claim"),
    (Signer("rsa", "RS256", rsa_key(1)).token(), "bad_signature"),
    (rs256("invented").token(), "unknown_kid"),
    (HS256.token({"kid": "rsa"}), "unknown_algorithm"),
    (rs256().token(teams=["a" * 9000]), "token_too_long"),
    ("a.b", "not_a_token"),
]


async def test_a_token_that_is_no_good_is_refused_everywhere_and_never_repeated(
    guarded: Api, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = []
    with capture_logs() as logs:
        for (token, reason), call in product(NO_GOOD, GUARDED):
            for headers in (bearer(token), {"X-Api-Key": token}):
                answers.append(await made(guarded, call, headers))
                assert refusal(answers[-1]) == (401, reason)
                assert answers[-1].headers["WWW-Authenticate"].endswith(' error="invalid_token"')
    answers.append(await guarded.call("GET", "/metrics", headers=bearer(EVE)))
    heard = "".join(f"{answer.headers}{answer.body!r}" for answer in answers)
    everything = heard + repr(logs) + caplog.text + "".join(capfd.readouterr())
    for token, reason in NO_GOOD:
        assert f'playhead_refusals_total{{reason="{reason}"}}' in answers[-1].body.decode()
        assert not any(part in everything for part in token.split(".") if len(part) > 8)


async def status(api: Api, token: str) -> int:
    return (await api.call("GET", "/v1/movies/dune", headers=bearer(token))).status


async def fetches(api: Api, outcome: str) -> float:
    text = (await api.call("GET", "/metrics", headers=bearer(EVE))).body.decode()
    found = re.search(rf'playhead_jwks_fetches_total{{outcome="{outcome}"}} (\S+)', text)
    assert bool(found) == (f'playhead_jwks_timestamp_seconds{{outcome="{outcome}"}} ' in text)
    return float(found[1]) if found else 0


async def test_keys_are_rotated_without_a_restart(
    serve: Serve, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new key is fetched as soon as it is shown, one that was withdrawn soon no longer taken, also of a stream."""
    monkeypatch.setattr(jwks, "PAUSE_SECONDS", 0.05)
    api = await serve(provider.settings())
    new = rs256("new", 1).token()
    assert (await status(api, ANN), await status(api, new)) == (404, 401)
    async with streaming(api, headers=bearer(ANN)) as client:
        await client.send(event())
        await client.answered(1)
        provider.signers = [rs256("new", 1), es256()]
        await until(lambda: status(api, new), equals=200)
        assert await status(api, ANN) == 401
        await client.send(event())
        assert await client.closed() == (1008, "the token is signed with a key that is not known here (kid)")
        assert client.books.received == 1


async def test_a_withdrawn_key_is_no_longer_taken_though_nobody_shows_a_new_one(
    serve: Serve, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "LIFETIME_SECONDS", 0.05)
    api = await serve(provider.settings())
    assert await status(api, ANN) == 404
    provider.signers = [es256()]
    await until(lambda: status(api, ANN), equals=401)
    assert await status(api, BOB) == 404


async def test_nobody_makes_us_hammer_the_provider(guarded: Api, provider: Provider) -> None:
    invented = [rs256(f"invented {number}").token() for number in range(20)]
    assert await asyncio.gather(*(status(guarded, token) for token in invented)) == [401] * 20
    assert provider.fetches == 1


async def test_those_who_show_unknown_keys_at_the_same_moment_share_a_fetch(
    serve: Serve, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = await serve(provider.settings())
    assert await status(api, ANN) == 404
    provider.signers.append(rs256("new", 1))
    monkeypatch.setattr(clock, "steady_seconds", lambda: 1e12)  # much later
    new = [rs256("new", 1).token(sub=f"user {number}") for number in range(20)]
    assert await asyncio.gather(*(status(api, token) for token in new)) == [404] * 20
    assert provider.fetches == 2


AWAY: dict[str, dict[str, object]] = {
    "fails": {"status": 500},
    "leads elsewhere": {"status": 302},
    "is silent": {"is_slow": True},
    "is no JWKS": {"document": b"<html>"},
    "has no keys": {"document": b'{"keys": []}'},
    "never ends": {"document": orjson.dumps({"keys": [es256().jwk()]}) + b" " * BYTES_MAX},
}


async def test_keys_are_kept_while_the_provider_is_away(
    serve: Serve, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whatever way; that is said once, and counted. What is signed with a key that may be new has to wait."""
    for name in ("LIFETIME_SECONDS", "PAUSE_SECONDS", "TIMEOUT_SECONDS"):
        monkeypatch.setattr(jwks, name, 0.05)
    api = await serve(provider.settings())
    assert await status(api, ANN) == 404
    for number, (way, wrong) in enumerate(AWAY.items(), start=1):
        failed, new = await fetches(api, "failed"), rs256(f"new {number}", 1)

        async def has_failed_twice() -> bool:
            return await fetches(api, "failed") >= failed + 2  # noqa: B023

        with capture_logs() as logs:
            for name, value in wrong.items():
                setattr(provider, name, value)
            await until(has_failed_twice, equals=True)
            assert await status(api, ANN) == 404, way
            unknown = await api.call("GET", "/v1/movies/dune", headers=bearer(new.token()))
            assert refusal(unknown) == (503, "unavailable"), way
            assert int(unknown.headers["Retry-After"]) > 0
        (said,) = [line for line in logs if line["event"] == "jwks_unavailable"]
        assert (said["keys_of_before"], said["url"]) == (1 + number, provider.url.partition("?")[0])
        provider.status, provider.is_slow, provider.document = 200, False, None
        provider.signers.append(new)
        await until(lambda: status(api, new.token()), equals=404)  # noqa: B023


async def test_playhead_starts_while_the_provider_is_away(
    serve: Serve, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "PAUSE_SECONDS", 0.05)
    provider.status = 503
    api = await serve(provider.settings(keys=LINES))
    assert await status(api, TOKENS[Scope.READ]) == 404
    assert await status(api, ANN) == 503
    assert await status(api, HS256.token()) == 401
    provider.status = 200
    await until(lambda: status(api, ANN), equals=404)


async def test_keys_are_not_taken_from_whom_nobody_vouches_for(serve: Serve, tmp_path: Path) -> None:
    async with publishing(self_signed(tmp_path)) as provider:
        with capture_logs() as logs:
            api = await serve(provider.settings())
            assert await status(api, ANN) == 503
        (said,) = [line for line in logs if line["event"] == "jwks_unavailable"]
        assert "CERTIFICATE_VERIFY_FAILED" in said["detail"]
        assert provider.fetches == 0


async def test_playhead_stops_while_a_fetch_is_under_way(
    redis_url: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long that might take."""
    monkeypatch.setattr(jwks, "TIMEOUT_SECONDS", 3600)
    provider.is_slow = True

    async def asked() -> int:
        return provider.fetches

    async with serving(provider.settings(), redis_url):
        await until(asked, equals=1)


async def test_the_description_names_tokens_and_roles(guarded: Api) -> None:
    document = (await guarded.get("/openapi.json")).json
    assert document["components"]["securitySchemes"]["token"]["bearerFormat"] == "JWT"
    roles = {
        operation["operationId"]: way["token"]
        for path in document["paths"].values()
        for operation in path.values()
        for way in operation.get("security", ())
        if "token" in way and operation["operationId"] in {call.name for call in CALLS}
    }
    assert roles == {
        call.name: ["admin" if REFUSED.get(call.name, ADMINS_ONLY) is ADMINS_ONLY else "learner"]
        for call in CALLS
        if call.scope
    }
