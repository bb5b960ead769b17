"""Compressed bodies."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import orjson
import pytest

from service.limits import BODY_BYTES_MAX, STREAM_BYTES_MAX
from tests.api.client import JSON, NDJSON, event, lines

if TYPE_CHECKING:
    from tests.api.client import Answer, Api

BATCH = orjson.dumps([event(at=at) for at in range(10, 1010, 10)])


async def send(api: Api, body: bytes, headers: dict[str, str] = JSON, encoding: str = "gzip") -> Answer:
    return await api.send(body, headers | {"Content-Encoding": encoding})


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", " gzip ", "x-gzip"])
async def test_a_gzip_body_is_unpacked(api: Api, encoding: str) -> None:
    assert (await send(api, gzip.compress(BATCH), encoding=encoding)).json["accepted"] == 100
    assert (await send(api, gzip.compress(orjson.dumps(event())))).json["state"]["user"] == "ann"


async def test_gzip_lines_are_unpacked(api: Api) -> None:
    assert (await send(api, gzip.compress(lines(event(), event())), NDJSON)).json["accepted"] == 2


async def test_gzip_files_joined_end_to_end_are_one_body(api: Api) -> None:
    joined = gzip.compress(b"[" + orjson.dumps(event()) + b",") + gzip.compress(orjson.dumps(event()) + b"]")
    assert (await send(api, joined)).json["accepted"] == 2
    joined = b"".join(gzip.compress(lines(event())) for _ in range(300))
    assert (await send(api, joined, NDJSON)).json["accepted"] == 300


@pytest.mark.parametrize("missing", [1, 8, 20])
async def test_a_gzip_body_that_ends_too_early_is_400(api: Api, missing: int) -> None:
    answer = await send(api, gzip.compress(BATCH)[:-missing])
    assert (answer.status, answer.json["reason"]) == (400, "bad_gzip")
    assert answer.is_problem
    assert await api.events() == 0


@pytest.mark.parametrize(
    "body",
    [
        BATCH,
        b"\x1f\x8b",
        gzip.compress(BATCH, mtime=0) + b"rubbish",
        zlib.compress(BATCH),
        gzip.compress(BATCH, mtime=0)[:40] + b"\xff" * 40,
    ],
    ids=["plain", "two bytes", "rubbish behind it", "zlib", "broken within"],
)
async def test_what_is_not_gzip_is_400(api: Api, body: bytes) -> None:
    answer = await send(api, body)
    assert (answer.status, answer.json["reason"]) == (400, "bad_gzip")


async def test_lines_in_front_of_what_is_not_gzip_count_and_are_told(api: Api) -> None:
    answer = await send(api, gzip.compress(lines(event(), event())) + b"rubbish", NDJSON)
    assert (answer.status, answer.json["reason"], answer.json["accepted"]) == (400, "bad_gzip", 2)
    assert answer.json["detail"].endswith("events from index 2 on were not read")


async def test_an_empty_body_that_is_called_gzip_is_as_empty_as_any(api: Api) -> None:
    assert (await send(api, b"")).json["reason"] == "not_json"
    assert (await send(api, b"", NDJSON)).json == {"accepted": 0, "duplicates": 0, "rejected": []}


async def test_a_small_body_that_unpacks_to_a_huge_one_is_413(api: Api) -> None:
    body = gzip.compress(b"[" + b" " * BODY_BYTES_MAX, 9)
    assert len(body) < 10_000
    answer = await send(api, body)
    assert (answer.status, answer.json["reason"]) == (413, "too_large")


async def test_lines_that_unpack_to_too_much_are_413(api: Api) -> None:
    """As joined members, which pack even better than one: 512 MB come in half a megabyte."""
    member_bytes = 16 * 1024 * 1024
    body = gzip.compress(b" " * member_bytes) * (STREAM_BYTES_MAX // member_bytes + 1)
    answer = await send(api, body, NDJSON)
    assert (answer.status, answer.json["reason"]) == (413, "too_large")
