"""The description is well formed, and what it says is what happens."""

from __future__ import annotations

import asyncio
import gzip
import re
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from pydantic import ValidationError

from service import limits
from service.api.posting import EVENT_BODIES
from service.api.routes import CALLS
from service.settings import Settings
from tests.api.client import JSON, NDJSON, Answer, Api, event, lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from service.api.calls import Answer as Described
    from service.api.calls import Call
    from tests.api.client import Document
    from tests.api.conftest import Serve
    from tests.api.valkey import OwnValkey

BY_NAME = {call.name: call for call in CALLS}
POST = BY_NAME["post_events"]
KEYWORDS = {
    "$ref", "additionalProperties", "anyOf", "const", "contentMediaType", "contentSchema", "default", "description",
    "enum", "examples", "exclusiveMinimum", "format", "items", "maxItems", "maxLength", "maximum", "minItems",
    "minLength", "minimum", "oneOf", "pattern", "prefixItems", "properties", "required", "title", "type",
}  # fmt: skip
TYPES = {"array", "boolean", "integer", "null", "number", "object", "string"}


def described(call: Call, answer: Answer) -> Described:
    """What the description says of an answer with this status."""
    found = {said.status: said for said in call.answers}
    return found.get(answer.status) or found["default"]


def conforms(call: Call, answer: Answer) -> None:
    """Media type, shape and headers are as described; a problem's reason is among the words of its description."""
    said = described(call, answer)
    is_problem = answer.status >= 400
    media_type = answer.headers["Content-Type"].partition(";")[0]
    assert media_type == ("application/problem+json" if is_problem else "application/json")
    fits(said, answer.body)
    if "Retry-After" in said.headers:
        assert int(answer.headers["Retry-After"]) > 0
    if is_problem:
        assert f"`{answer.json['reason']}`" in said.description


def fits(said: Described, body: bytes) -> None:
    failures = []
    for model in said.models:
        try:
            model.model_validate_json(body)
        except ValidationError as invalid:
            failures.append(invalid)
        else:
            return
    raise AssertionError(failures)


@pytest.fixture
async def document(api: Api) -> Document:
    answer = await api.get("/openapi.json")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    found = answer.json
    assert isinstance(found, dict)
    return found


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def nodes(value: Any) -> Iterator[Document]:
    """Every object in a document."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(part)


def schemas(value: Any) -> Iterator[Document]:
    """A schema, and those within it."""
    yield value
    for keyword in ("items", "contentSchema"):
        if keyword in value:
            yield from schemas(value[keyword])
    for part in value.get("properties", {}).values():
        yield from schemas(part)
    for keyword in ("anyOf", "oneOf", "prefixItems"):
        for part in value.get(keyword, ()):
            yield from schemas(part)


def test_every_route_is_described_and_named_once() -> None:
    names = [call.name for call in CALLS]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names)
    assert [call.path for call in CALLS if not call.is_described] == ["/docs/{asset:.+}"]


async def test_every_described_path_is_served(api: Api, document: Document) -> None:
    for path, method, _ in operations(document):
        filled = path.replace("{user}", "nobody").replace("{slug}", "nothing")
        filled = filled.replace("{attempt}", "1").replace("{attemptId}", "1").replace("{credit}", "1")
        answer = await api.call(method.upper(), filled)
        assert answer.status != 405
        assert answer.status != 404 or "was ever received" in answer.json["detail"]


async def test_every_reference_leads_somewhere_and_every_schema_is_used(document: Document) -> None:
    assert document["openapi"] == "3.1.0"
    references = {node["$ref"] for node in nodes(document) if "$ref" in node}
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references <= known
    roots = {"#/components/schemas/Event"}
    assert known - references <= roots


async def test_every_schema_is_written_in_words_of_json_schema(document: Document) -> None:
    found = list(document["components"]["schemas"].values())
    for _, _, operation in operations(document):
        found += [parameter["schema"] for parameter in operation.get("parameters", ())]
        contents = [operation.get("requestBody", {}), *operation["responses"].values()]
        found += [kind["schema"] for content in contents for kind in content.get("content", {}).values()]
    for root in found:
        for schema in schemas(root):
            assert set(schema) <= KEYWORDS
            assert schema.get("type", "object") in TYPES
            assert set(schema.get("required", ())) <= set(schema.get("properties", ()))
            re.compile(schema.get("pattern", ""))


async def test_every_operation_is_complete(document: Document) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for path, _, operation in operations(document):
        assert set(operation["tags"]) <= tags
        assert operation["summary"]
        in_path = {
            parameter["name"] for parameter in operation.get("parameters", ()) if parameter["required"]
        }
        assert in_path == set(re.findall(r"{(\w+)}", path))
        for status, response in operation["responses"].items():
            assert re.fullmatch(r"101|[2-5]\d\d|default", status)
            assert response["description"]


async def test_the_bounds_are_those_that_hold(document: Document) -> None:
    properties = document["components"]["schemas"]["Event"]["properties"]
    assert properties["user"]["maxLength"] == limits.USER_CHARS_MAX
    assert properties["slug"]["maxLength"] == limits.SLUG_CHARS_MAX
    assert properties["at"]["maximum"] == limits.POSITION_MAX_S
    _, many = document["paths"]["/v1/events"]["post"]["requestBody"]["content"]["application/json"]["schema"][
        "oneOf"
    ]
    assert many["maxItems"] == limits.EVENTS_PER_BODY_MAX
    said = document["paths"]["/v1/events"]["post"]["description"]
    assert "$" not in said
    assert f"{limits.BODY_BYTES_MAX // 2**20} MiB" in said


async def test_the_words_follow_the_settings(serve: Serve) -> None:
    api = await serve(Settings(heartbeat_interval_seconds=7, heartbeat_gap_seconds=21, shutdown_seconds=1))
    said = (await api.get("/openapi.json")).json["paths"]["/v1/events"]["post"]["description"]
    assert "at most 21 s back" in said
    assert "the last 7 s" in said


async def test_who_has_the_description_is_not_sent_it_again(api: Api) -> None:
    first = await api.get("/openapi.json")
    again = await api.call("GET", "/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


def examples() -> list[tuple[str, object]]:
    return [(body.media_type, value) for body in EVENT_BODIES for value in body.examples.values()]


@pytest.mark.parametrize("path", ["/v1/events", "/events", "/"])
@pytest.mark.parametrize(("media_type", "value"), examples())
async def test_every_example_is_accepted_whole(api: Api, path: str, media_type: str, value: object) -> None:
    body = value.encode() if isinstance(value, str) else orjson.dumps(value)
    answer = await api.send(body, {"Content-Type": media_type}, path)
    assert answer.status == 200
    assert answer.json["accepted"] > 0
    assert not answer.json["rejected"]
    conforms(POST, answer)


def test_every_example_of_an_answer_has_its_shape() -> None:
    for call in CALLS:
        for said in call.answers:
            if said.example:
                fits(said, orjson.dumps(said.example))


async def test_the_example_of_an_answer_is_what_its_request_gets(api: Api) -> None:
    """But for the moment, which is now."""
    got = (await api.post(event())).json
    got["state"]["latest"]["updated_at"] = POST.answers[0].example["state"]["latest"]["updated_at"]  # type: ignore[index]
    assert got == POST.answers[0].example
    for name, path in (("get_movie", "/v1/movies/dune"), ("get_user", "/v1/users/ann")):
        assert (await api.get(path)).json == BY_NAME[name].answers[0].example


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (orjson.dumps(event()), JSON),
        (orjson.dumps(event(kind="load", at=0)), JSON),
        (orjson.dumps([event(), event(user="")]), JSON),
        (b"[]", JSON),
        (lines(event(), event(at=None)), NDJSON),
        (gzip.compress(lines(event()), mtime=0), NDJSON | {"Content-Encoding": "gzip"}),
        (orjson.dumps(event()), {"Content-Type": "text/plain"}),
    ],
)
async def test_what_counts_is_answered_as_described(api: Api, body: bytes, headers: dict[str, str]) -> None:
    answer = await api.send(body, headers)
    assert answer.status == 200
    conforms(POST, answer)


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (400, b"{", JSON),
        (400, b"no gzip", JSON | {"Content-Encoding": "gzip"}),
        (400, b"no gzip", NDJSON | {"Content-Encoding": "gzip"}),
        (413, b" " * (limits.BODY_BYTES_MAX + 1), JSON | {"Content-Encoding": "identity"}),
        (413, b"[" + b"0," * limits.EVENTS_PER_BODY_MAX + b"0]", JSON),
        (413, b"0\n" * (limits.STREAM_REJECTIONS_MAX + 1), NDJSON),
        (415, b"{}", JSON | {"Content-Encoding": "br"}),
        (422, b"0\nnothing\n", NDJSON),
        (422, b"nothing\n", NDJSON),
        (422, b"7", JSON),
    ],
)
async def test_a_body_that_cannot_be_used_is_answered_as_described(
    api: Api, status: int, body: bytes, headers: dict[str, str]
) -> None:
    async def sent() -> AsyncIterator[bytes]:
        yield body

    answer = await api.send(sent(), headers)
    assert answer.status == status
    conforms(POST, answer)


@pytest.mark.parametrize(
    "wrong",
    [
        event(at=None),
        event(colour="red"),
        event(from_=1),
        event(at="4500"),
        event(kind="dance"),
        event(user=""),
        event(user="a" * 257),
        event(at=-1),
        event(ts="yesterday"),
        event(user="a\0"),
        event(kind="claim"),
        event(kind="rate"),
        event(kind="claim", segments=[[0, "1"]]),
    ],
)
async def test_a_rejection_is_answered_as_described(api: Api, wrong: Document) -> None:
    answer = await api.post(wrong)
    assert answer.status == 422
    conforms(POST, answer)


def at_and_past(schema: Document) -> Iterator[tuple[object, bool]]:
    """The largest value that a schema allows, one past it, and likewise the smallest; and whether it allows them."""
    largest = next(schema[word] for word in ("maxLength", "maximum", "maxItems") if word in schema)
    if schema["type"] == "string":
        yield from (("a" * largest, True), ("a" * (largest + 1), False))
        yield from (("a", True), ("", schema.get("minLength", 0) == 0))
    elif schema["type"] == "array":
        yield from (([[0, 1]] * largest, True), ([[0, 1]] * (largest + 1), False))
    else:
        smallest = schema["minimum"]
        yield from ((largest, True), (largest + 1, False), (smallest, True), (smallest - 1, False))


@pytest.mark.parametrize(
    "field", ["user", "slug", "session", "id", "seq", "at", "speed", "duration", "segments"]
)
async def test_the_service_takes_what_the_schema_allows_and_no_more(
    api: Api, document: Document, field: str
) -> None:
    schema = document["components"]["schemas"]["Event"]["properties"][field]
    kind = {"kind": "claim"} if field == "segments" else {}
    for value, is_allowed in at_and_past(schema.get("anyOf", [schema])[0]):
        answer = await api.post(event(**kind, **{field: value}))
        assert (answer.status == 200) == is_allowed


async def test_the_kinds_are_those_that_are_taken(api: Api, document: Document) -> None:
    said = document["paths"]["/v1/events"]["post"]["description"]
    needed: dict[str, Document] = {
        "segment": {"from": 1},
        "seek": {"from": 1},
        "claim": {"segments": []},
        "rate": {"speed": 2},
    }
    for kind in document["components"]["schemas"]["Event"]["properties"]["kind"]["enum"]:
        assert f"`{kind}`" in said
        assert (await api.post(event(kind=kind, **needed.get(kind, {})))).status == 200


async def test_reads_are_answered_as_described(api: Api) -> None:
    await api.post([event(), event(slug="alien", kind="load", at=0), event(slug="a/b", at=1.5, speed=1.25)])
    for name, path in (
        ("get_movie", "/v1/movies/dune"),
        ("get_movie", "/v1/movies/a/b"),
        ("get_user", "/v1/users/ann"),
        ("get_user_movies", "/v1/users/ann/movies"),
        ("get_user_movies", "/v1/users/ann/movies?limit=1"),
        ("get_pair", "/v1/users/ann/movies/dune"),
        ("get_pair", "/v1/users/ann/movies/alien"),
        ("get_pair", "/v1/users/ann/movies/a%2Fb"),
        ("get_health", "/healthz"),
        ("get_ready", "/readyz"),
    ):
        answer = await api.get(path)
        assert answer.status == 200
        conforms(BY_NAME[name], answer)


async def test_reads_that_fail_are_answered_as_described(api: Api) -> None:
    await api.post(event())
    for status, name, path in (
        (404, "get_movie", "/v1/movies/nothing"),
        (404, "get_user", "/v1/users/nobody"),
        (404, "get_user_movies", "/v1/users/nobody/movies"),
        (404, "get_pair", "/v1/users/ann/movies/nothing"),
        (400, "get_user_movies", "/v1/users/ann/movies?limit=0"),
        (400, "get_user_movies", "/v1/users/ann/movies?cursor=x"),
    ):
        answer = await api.get(path)
        assert answer.status == status
        conforms(BY_NAME[name], answer)


async def test_another_method_is_answered_as_described(api: Api) -> None:
    for call, method in ((POST, "PUT"), (BY_NAME["get_user"], "PATCH"), (BY_NAME["get_openapi"], "POST")):
        answer = await api.call(method, re.sub(r"\{user[^}]*\}", "ann", call.path))
        assert answer.status == 405
        assert call.method in answer.headers["Allow"].split(", ")
        conforms(call, answer)


async def test_silence_is_answered_as_described(serve: Serve) -> None:
    api = await serve(Settings(body_timeout_seconds=0.05, shutdown_seconds=1))
    answered = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield b'{"user": '
        await answered.wait()

    for headers in (JSON, NDJSON):
        answer = await api.send(stalled(), headers)
        assert answer.status == 408
        conforms(POST, answer)


async def test_a_full_backlog_is_answered_as_described(serve: Serve) -> None:
    api = await serve(Settings(backlog_events_max=1, shutdown_seconds=1))
    assert (await api.post(event())).status == 200
    for headers in (JSON, NDJSON):
        answer = await api.send(orjson.dumps(event()), headers)
        assert answer.status == 503
        conforms(POST, answer)
    answer = await api.get("/readyz")
    assert answer.status == 503
    conforms(BY_NAME["get_ready"], answer)


async def test_a_redis_that_went_away_is_answered_as_described(serve: Serve, valkey: OwnValkey) -> None:
    api = await serve(Settings(redis_timeout_seconds=0.5, shutdown_seconds=1), valkey.url)
    valkey.kill()
    for name, path in (
        ("get_movie", "/v1/movies/dune"),
        ("get_user", "/v1/users/ann"),
        ("get_user_movies", "/v1/users/ann/movies"),
        ("get_pair", "/v1/users/ann/movies/dune"),
        ("get_ready", "/readyz"),
    ):
        answer = await api.get(path)
        assert answer.status == 503
        conforms(BY_NAME[name], answer)
    answer = await api.post(event())
    assert answer.status == 503
    conforms(POST, answer)
    assert (await api.get("/metrics")).status == 200
