"""Whatever the old system does, or whatever stands in its place, clients hear what it said or that it is away."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import web
from multidict import CIMultiDict

from service.errors import OldApiRefused, OldApiUnavailable
from service.moving.old_api import OldApi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TYPED = {"Content-Type": "application/json"}


@dataclass
class Stranger:
    """Answers as it is told, and remembers what it was asked."""

    status: int = 200
    body: bytes = b'{"data": {"n": 1}}'
    headers: dict[str, str] = field(default_factory=lambda: dict(TYPED))
    broken: int = 0
    """So many connections that it closes without a word."""
    asked: list[tuple[dict[str, str], Any]] = field(default_factory=list)
    """Headers by their names in small letters, and bodies."""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(
            (
                {name.lower(): value for name, value in request.headers.items()},
                orjson.loads(await request.read()),
            )
        )
        if self.broken:
            self.broken -= 1
            assert request.transport
            request.transport.close()
        return web.Response(status=self.status, body=self.body, headers=self.headers)


@asynccontextmanager
async def listening(stranger: Stranger) -> AsyncIterator[OldApi]:
    app = web.Application()
    app.router.add_post("/graphql", stranger.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    old_api = OldApi(f"http://127.0.0.1:{runner.addresses[0][1]}/graphql", 5)
    yield old_api
    await old_api.close()
    await runner.cleanup()


async def test_of_what_a_client_sends_its_credentials_are_passed_on() -> None:
    """Of what is set for ourselves, all."""
    stranger, document = Stranger(), {"query": "{ n }", "variables": {"a": [1, "é"]}}
    given = {
        "authorization": "Bearer x",
        "X-API-KEY": "da2-x",
        "Cookie": "a=b",
        "Host": "here",
        "X-Amz-Date": "1",
    }
    async with listening(stranger) as old_api:
        answer = await old_api.post(document, CIMultiDict(given))
        [(headers, asked)] = stranger.asked
        assert await old_api.ask({}, {"x-api-key": "ours", "X-Our-Own": "1"}) == {"n": 1}
        assert (stranger.asked[1][0]["x-api-key"], stranger.asked[1][0]["x-our-own"]) == ("ours", "1")
    assert (answer.status, answer.body, answer.content_type) == (200, stranger.body, "application/json")
    assert (headers["authorization"], headers["x-api-key"], asked) == ("Bearer x", "da2-x", document)
    assert headers["content-type"] == "application/json"
    assert not headers.keys() & {"cookie", "x-amz-date"}
    assert "here" not in headers["host"]


async def test_an_error_of_its_own_is_an_answer() -> None:
    for status in (200, 401):
        said = orjson.dumps({"data": {"n": None}, "errors": [{"message": "not\n you"}]})
        async with listening(Stranger(status, said)) as old_api:
            answer = await old_api.post({}, {})
            assert (answer.status, answer.body, answer.said) == (status, said, "not you")
            with pytest.raises(OldApiRefused, match="the old system said: not you"):
                await old_api.ask({}, {})


@pytest.mark.parametrize(
    ("stranger", "said"),
    [
        (Stranger(500, b'{"errors": [{"message": "no room"}]}'), "answered 500: no room"),
        (Stranger(429), "answered 429"),
        (Stranger(302, headers=TYPED | {"Location": "http://127.0.0.1:1/"}), "answered 302"),
        (Stranger(204, b""), "answered 204"),
        (Stranger(body=b"<p>", headers={"Content-Type": "text/html"}), "with text/html, which is no JSON"),
        (Stranger(403, b"<p>", {"Content-Type": "text/html"}), "answered 403 with text/html"),
        (Stranger(body=b"1" * 5000), "more than 4096 bytes"),
        (Stranger(broken=2), "cannot be reached"),
    ],
)
async def test_what_is_broken_is_unavailable(
    stranger: Stranger, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.moving.old_api.OLD_ANSWER_BYTES_MAX", 4096)
    async with listening(stranger) as old_api:
        with pytest.raises(OldApiUnavailable, match=said) as refused:
            await old_api.post({}, {})
    assert refused.value.reason == "old_api_unavailable"


async def test_a_connection_that_is_closed_is_opened_again_once() -> None:
    """Every point has an id by then, so that a repetition is known."""
    async with listening(stranger := Stranger(broken=1)) as old_api:
        assert (await old_api.post({}, {})).data == {"n": 1}
    assert len(stranger.asked) == 2


async def test_what_is_no_graphql_is_nothing_taken() -> None:
    for body in (b"[1]", b"nonsense", b'{"data": null}', b"{}"):
        async with listening(Stranger(body=body)) as old_api:
            assert not (await old_api.post({}, {})).is_taken
