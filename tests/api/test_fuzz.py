"""Whatever is sent: never a 500, always JSON, and playhead counts right afterwards."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service.events.event import KINDS
from tests.api.client import NDJSON, event, lines

if TYPE_CHECKING:
    from tests.api.client import Answer, Api

REFUSALS = (400, 413, 415, 422)

unhurried = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)

text = st.text(max_size=12)
values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | text
    | st.sampled_from((0, -0.0, 1e308, 2**53, 2**63, 2**64, "\0", "\ud800", "2026-11-20T10:00:00Z", "")),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(text, inner, max_size=5),
    max_leaves=20,
)
NAMES = (
    "user",
    "slug",
    "at",
    "id",
    "session",
    "seq",
    "kind",
    "from",
    "speed",
    "segments",
    "ts",
    "sent_at",
    "duration",
)
positions = st.integers(0, 200_000) | st.floats(0, 200_000)
likely: dict[str, st.SearchStrategy[Any]] = {
    "user": st.sampled_from(("ann", "bob")) | text,
    "slug": st.sampled_from(("dune", "arrival")) | text,
    "at": positions,
    "id": text,
    "session": text,
    "seq": st.integers(0, 5000),
    "kind": st.sampled_from(KINDS),
    "from": positions,
    "speed": st.floats(0.05, 20),
    "segments": st.lists(st.tuples(positions, positions), max_size=5),
    "ts": st.integers(900_000_000, 4_200_000_000)
    | st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    "sent_at": st.integers(900_000_000, 4_200_000_000),
    "duration": positions,
}


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """An event with likely values, some of which are changed to anything, left out, or joined by strangers."""
    whole = {
        name: draw(likely[name]) for name in ("user", "slug", "at", *draw(st.sets(st.sampled_from(NAMES))))
    }
    whole |= draw(st.dictionaries(st.sampled_from(NAMES) | text, values, max_size=2))
    for name in draw(st.sets(st.sampled_from(NAMES), max_size=1)):
        whole.pop(name, None)
    return whole


def spelled(value: object) -> bytes:
    return json.dumps(value).encode()


jsons = values.map(spelled) | mutated().map(spelled) | st.lists(mutated() | values, max_size=5).map(spelled)
torn = st.tuples(jsons, st.integers(0, 60), st.binary(max_size=4)).map(
    lambda drawn: drawn[0][: drawn[1]] + drawn[2] + drawn[0][drawn[1] :]
)
bodies = st.one_of(
    st.binary(max_size=200),
    jsons,
    torn,
    st.lists(jsons | st.binary(max_size=20), max_size=6).map(b"\n".join),
)
packed = st.one_of(bodies, bodies.map(gzip.compress), bodies.map(lambda body: gzip.compress(body)[:-3]))
header_text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40)
headers = st.fixed_dictionaries(
    {},
    optional={
        "Content-Type": header_text
        | st.sampled_from(
            (
                NDJSON["Content-Type"],
                "application/json",
                "text/plain",
                "application/x-ndjson;charset=\"'",
                "a/b;*0*=x",
            )
        ),
        "Content-Encoding": header_text | st.sampled_from(("gzip", "identity", "deflate", "br", "gzip,gzip")),
        "Accept": header_text,
        "Accept-Encoding": header_text,
        "Cookie": header_text,
        "If-None-Match": header_text,
        "Range": header_text,
        "X-Forwarded-For": header_text,
    },
)
paths = st.lists(
    st.sampled_from(
        (
            "v1",
            "events",
            "users",
            "movies",
            "ann",
            "dune",
            "",
            ".",
            "..",
            "%2F",
            "%ff",
            "%",
            "%00",
            "%F0%9F%8E%AC",
        )
    )
    | st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#?%"), max_size=8),
    max_size=7,
).map(lambda pieces: "/" + "/".join(pieces))
queries = st.dictionaries(
    st.sampled_from(("limit", "cursor", "x")),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#&"), max_size=20),
    max_size=2,
).map(lambda query: "?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else "")


def assert_told(answer: Answer) -> None:
    assert answer.status in (200, *REFUSALS), answer.body
    document = answer.json
    if answer.status == 200:
        assert document["accepted"] + document["duplicates"] + len(document["rejected"]) >= 0
    else:
        assert answer.is_problem
        assert document["reason"].isidentifier()
        assert document["detail"]


async def assert_counts(api: Api) -> None:
    """One event more is one event more."""
    before = await api.events("canary")
    answers = [
        await api.post(event(slug="canary", at=10)),
        await api.post([event(slug="canary", at=20)]),
        await api.send(lines(event(slug="canary", at=30)), NDJSON),
    ]
    assert [answer.status for answer in answers] == [200] * 3
    assert await api.events("canary") == before + 3


@unhurried
@given(body=packed, headers=headers)
@example(body=b"[" * 1000, headers={})
@example(body=b'[{"user":"a","slug":"b","at":1}' + b",[" * 995 + b"]" * 996, headers={})
@example(body=b'{"user":"\\ud800"}', headers={"Content-Type": "application/x-ndjson"})
async def test_any_body_under_any_headers_is_answered(api: Api, body: bytes, headers: dict[str, str]) -> None:
    assert_told(await api.send(body, headers))
    await assert_counts(api)


@unhurried
@given(events=st.lists(mutated(), max_size=6))
async def test_events_are_each_in_exactly_one_of_three(api: Api, events: list[dict[str, Any]]) -> None:
    before = await sum_of_events(api)
    answer = await api.send(spelled(events))
    assert_told(answer)
    told = answer.json
    assert told["accepted"] + told["duplicates"] + len(told["rejected"]) == len(events)
    assert len({one["index"] for one in told["rejected"]}) == len(told["rejected"])
    assert all(
        0 <= one["index"] < len(events) and one["reason"] and one["detail"] for one in told["rejected"]
    )
    if all(one.get("user") in ("ann", "bob") for one in events):
        assert await sum_of_events(api) == before + told["accepted"]


async def sum_of_events(api: Api) -> int:
    answers = [await api.user(user) for user in ("ann", "bob")]
    return sum(answer.json["events"] for answer in answers if answer.status == 200)


@unhurried
@given(
    method=st.sampled_from(("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "PROPFIND")),
    path=paths,
    query=queries,
)
async def test_any_path_is_answered(api: Api, method: str, path: str, query: str) -> None:
    answer = await api.call(method, path + query, headers={"Accept": "*/*"})
    assert answer.status in (200, 302, 304, *REFUSALS, 404, 405) or _is_away(answer), answer.body
    if answer.status >= 400 and method != "HEAD":
        assert answer.is_problem


def _is_away(answer: Answer) -> bool:
    """There is no Postgres here, and only that knows of courses, and of users who were never seen watching."""
    return answer.status == 503 and b"where courses are" in answer.body


@unhurried
@given(sent=st.lists(st.binary(max_size=60) | jsons, max_size=5), complete=st.booleans())
async def test_any_bytes_on_a_connection_harm_nobody_else(
    api: Api, sent: list[bytes], complete: bool
) -> None:
    """As requests of their own, and as what a request that began well goes on with."""
    head = b"POST /v1/events HTTP/1.1\r\nHost: playhead\r\nTransfer-Encoding: chunked\r\n\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(head * complete + b"\r\n".join(sent))
    await writer.drain()
    writer.transport.abort()
    assert (await api.get("/healthz")).status == 200
