"""How events may be sent: paths, one or many, content types, and what is too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from service.limits import BODY_BYTES_MAX, EVENTS_PER_BODY_MAX
from tests.api.client import JSON, event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.client import Api

EVENT = orjson.dumps(event())
NONE = {"accepted": 0, "duplicates": 0, "rejected": []}


@pytest.mark.parametrize("path", ["/v1/events", "/events", "/"])
async def test_events_are_taken_at_each_of_three_paths(api: Api, path: str) -> None:
    answer = await api.send(EVENT, path=path)
    assert (answer.status, answer.json["accepted"]) == (200, 1)
    assert answer.headers["Content-Type"] == "application/json"
    assert await api.events() == 1


async def test_one_event_is_answered_with_the_state_of_its_pair(api: Api) -> None:
    answer = await api.post(event())
    assert answer.json == {"accepted": 1, "duplicates": 0, "rejected": [], "state": answer.json["state"]}
    whole = (await api.pair("ann", "dune")).json
    assert answer.json["state"] | {"coverage": [[4490, 4500]]} == whole


async def test_many_events_are_answered_with_their_number(api: Api) -> None:
    answer = await api.post([event(at=at) for at in (10, 20, 30)])
    assert answer.json == {"accepted": 3, "duplicates": 0, "rejected": []}
    assert (await api.pair("ann", "dune")).json["watch_seconds"] == 30


async def test_an_array_of_one_is_many(api: Api) -> None:
    assert (await api.post([event()])).json == {"accepted": 1, "duplicates": 0, "rejected": []}


async def test_an_empty_array_is_no_event_and_no_mistake(api: Api) -> None:
    answer = await api.post([])
    assert (answer.status, answer.json) == (200, NONE)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "application/json"},
        {"Content-Type": "application/json; charset=utf-8"},
        {"Content-Type": "text/plain;charset=UTF-8"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/octet-stream"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": ""},
        {"Content-Type": ";;;"},
        {"Content-Type": 'a/b; c*0*="'},
        {"Content-Encoding": "identity"},
        {"Content-Encoding": ""},
    ],
    ids=str,
)
async def test_whatever_a_client_calls_its_body_it_is_read_as_json(api: Api, headers: dict[str, str]) -> None:
    """Beacons say text/plain, curl says that it is a form, and some say nothing."""
    assert (await api.send(EVENT, headers)).status == 200
    assert (await api.send(orjson.dumps([event()]), headers)).status == 200
    assert await api.events() == 2


@pytest.mark.parametrize("around", [b"", b" \t\r\n"], ids=["bare", "white space"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
async def test_what_stands_around_an_event_means_nothing(api: Api, around: bytes, mark: bytes) -> None:
    assert (await api.send(mark + around + EVENT + around)).status == 200


async def in_pieces(body: bytes, piece_bytes: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), piece_bytes):
        yield body[start : start + piece_bytes]


async def test_a_body_may_come_in_chunks_of_unknown_number(api: Api) -> None:
    assert (await api.send(in_pieces(EVENT, 7))).status == 200
    assert (await api.send(in_pieces(orjson.dumps([event()] * 500), 1000))).json["accepted"] == 500


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \r\n",
        b"{",
        b"[",
        b"[{}",
        b"user=ann&slug=dune&at=4500",
        EVENT + EVENT,
        EVENT + b"\n" + EVENT,
        EVENT[:-1],
        b"[" + EVENT + b",]",
        b"{'user': 'ann'}",
        b'{"user": "\xff"}',
        b'{"user": "\x00"}',
        EVENT.decode().encode("utf-16"),
        b"\x1f\x8b",
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_what_is_not_json_is_400(api: Api, body: bytes) -> None:
    answer = await api.send(body)
    assert (answer.status, answer.json["reason"]) == (400, "not_json")
    assert answer.is_problem
    assert answer.json["detail"].startswith("the body is not JSON: ")
    assert answer.json["title"] == "Bad Request"
    assert answer.json["type"] == "about:blank"


@pytest.mark.parametrize("body", [b"5", b"null", b'"dune"', b"true", b"[5]", b"[[]]", b"[null]"])
async def test_json_that_is_no_event_is_422(api: Api, body: bytes) -> None:
    answer = await api.send(body)
    assert answer.status == 422
    assert answer.rejection["reason"] == "not_an_object"


async def test_a_body_that_announces_too_much_is_413(api: Api) -> None:
    answer = await api.send(b" " * (BODY_BYTES_MAX + 1))
    assert (answer.status, answer.json["reason"]) == (413, "too_large")
    assert answer.is_problem
    assert str(BODY_BYTES_MAX) in answer.json["detail"]


async def test_a_body_that_turns_out_to_be_too_much_is_413(api: Api) -> None:
    body = b"[" + b" " * BODY_BYTES_MAX + b"]"
    answer = await api.send(in_pieces(body, 1_000_000))
    assert (answer.status, answer.json["reason"]) == (413, "too_large")


async def test_a_body_of_just_as_much_as_may_be_is_taken(api: Api) -> None:
    body = EVENT + b" " * (BODY_BYTES_MAX - len(EVENT))
    assert (await api.send(b"[" + body[:-2] + b"]")).status == 200
    assert await api.events() == 1


async def test_an_array_of_too_many_events_is_413_and_none_of_them_counts(api: Api) -> None:
    answer = await api.post([event()] * (EVENTS_PER_BODY_MAX + 1))
    assert (answer.status, answer.json["reason"]) == (413, "too_many_events")
    assert await api.events() == 0


async def test_an_array_of_as_many_events_as_may_be_counts(api: Api) -> None:
    answer = await api.post([event(user=f"user {number}") for number in range(EVENTS_PER_BODY_MAX)])
    assert answer.json["accepted"] == EVENTS_PER_BODY_MAX
    assert (await api.movie("dune")).json["viewers"] == EVENTS_PER_BODY_MAX


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "x" * 5000])
async def test_an_unknown_encoding_is_415(api: Api, encoding: str) -> None:
    answer = await api.send(EVENT, JSON | {"Content-Encoding": encoding})
    assert (answer.status, answer.json["reason"]) == (415, "unknown_encoding")
    assert len(answer.json["detail"]) < 200
    assert await api.events() == 0


async def test_a_client_that_asks_first_is_told_to_go_on(api: Api) -> None:
    """curl does so with bodies of more than a megabyte."""
    answer = await api.send(EVENT, JSON | {"Expect": "100-continue"})
    assert answer.status == 200
