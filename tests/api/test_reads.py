"""Counters as clients read them."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.api.client import event

if TYPE_CHECKING:
    from tests.api.client import Api

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
TS = "2026-11-20T10:00:00.250Z"

VIEWING = [
    event(kind="segment", from_=0, at=30, ts="2026-11-20T09:00:00Z"),
    event(kind="segment", from_=20, at=50.5, speed=2, ts="2026-11-20T09:30:00Z"),
    event(kind="segment", from_=100, at=101.5, ts=TS),
]
PAIR = {
    "user": "ann",
    "slug": "dune",
    "latest": {"at": 101.5, "updated_at": "2026-11-20T10:00:00.250000Z"},
    "furthest": 101.5,
    "verified": 51,
    "watch_seconds": 62,
    "effective_seconds": 46.75,
    "unique_seconds": 53,
    "implausible_seconds": 0,
}


async def test_a_pair_reads_as_the_interface_says(api: Api) -> None:
    await api.post(VIEWING)
    answer = await api.pair("ann", "dune")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == PAIR | {"coverage": [[0, 51], [100, 102]]}


async def test_a_movie_reads_as_the_interface_says(api: Api) -> None:
    await api.post([*VIEWING, event(user="bob", kind="segment", from_=0, at=1)])
    answer = await api.movie("dune")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == {
        "slug": "dune",
        "watch_seconds": 63,
        "effective_seconds": 47.75,
        "unique_seconds": 54,
        "viewers": 2,
        "events": 4,
    }


async def test_a_user_reads_as_the_interface_says(api: Api) -> None:
    await api.post([*VIEWING, event(slug="arrival", kind="segment", from_=0, at=1)])
    answer = await api.user("ann")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == {
        "user": "ann",
        "watch_seconds": 63,
        "effective_seconds": 47.75,
        "unique_seconds": 54,
        "movies": 2,
        "events": 4,
    }


async def test_a_users_movies_read_as_the_interface_says(api: Api) -> None:
    await api.post(VIEWING)
    answer = await api.movies("ann")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == {"items": [PAIR], "next_cursor": None}


async def test_a_movies_total_is_the_sum_over_users_of_every_partition(api: Api) -> None:
    await api.post([event(user=f"user {number}", kind="segment", from_=0, at=1.5) for number in range(100)])
    movie = (await api.movie("dune")).json
    assert (movie["viewers"], movie["events"], movie["watch_seconds"], movie["unique_seconds"]) == (
        100,
        100,
        150,
        200,
    )


async def test_a_movie_that_was_only_opened_has_no_latest_moment(api: Api) -> None:
    answer = await api.post(event(kind="load", at=0, duration=9300))
    assert answer.json["state"]["latest"] is None
    pair = (await api.pair("ann", "dune")).json
    assert (pair["latest"], pair["coverage"], pair["watch_seconds"], pair["verified"]) == (None, [], 0, 0)
    assert (await api.movies("ann")).json["items"][0]["latest"] is None
    assert (await api.movie("dune")).json["viewers"] == 1


async def test_opening_a_movie_again_loses_nobodys_place(api: Api) -> None:
    before = (await api.post(event())).json["state"]
    assert (await api.post(event(kind="load", at=0))).json["state"] == before


async def test_the_latest_moment_is_that_of_the_newest_event_not_of_the_last_received(api: Api) -> None:
    await api.post([event(at=100, ts="2026-11-20T10:00:01Z"), event(at=50, ts="2026-11-20T10:00:00Z")])
    pair = (await api.pair("ann", "dune")).json
    assert pair["latest"] == {"at": 100, "updated_at": "2026-11-20T10:00:01.000000Z"}


async def test_without_a_time_of_its_own_an_event_is_of_now(api: Api) -> None:
    before = datetime.now(UTC)
    told = (await api.post(event())).json["state"]["latest"]["updated_at"]
    assert RFC_3339.fullmatch(told)
    assert before <= datetime.fromisoformat(told) <= datetime.now(UTC)


async def test_a_time_in_the_future_is_now(api: Api) -> None:
    told = (await api.post(event(ts="2099-01-01T00:00:00Z"))).json["state"]["latest"]["updated_at"]
    assert datetime.fromisoformat(told) <= datetime.now(UTC)


async def test_a_clients_clock_is_corrected_by_when_it_says_that_it_sent(api: Api) -> None:
    ahead = datetime.now(UTC) + timedelta(days=1)
    sent = event(ts=(ahead - timedelta(seconds=60)).isoformat(), sent_at=ahead.isoformat())
    told = datetime.fromisoformat((await api.post(sent)).json["state"]["latest"]["updated_at"])
    assert timedelta(seconds=50) < datetime.now(UTC) - told < timedelta(seconds=70)


@pytest.mark.parametrize(
    ("at", "body"),
    [
        (4500, b'"at":4500,'),
        (4500.0, b'"at":4500,'),
        (0.1, b'"at":0.1,'),
        (4500.125, b'"at":4500.125,'),
        (1.0005, b'"at":1.001,'),
    ],
)
async def test_whole_numbers_are_whole_and_fractions_are_told_to_the_digit(
    api: Api, at: float, body: bytes
) -> None:
    assert body in (await api.post(event(at=at))).body
    assert body in (await api.pair("ann", "dune")).body


async def test_sums_of_fractions_are_exact(api: Api) -> None:
    await api.post([event(kind="segment", from_=0, at=0.1)] * 1000)
    assert (await api.pair("ann", "dune")).json["watch_seconds"] == 100


@pytest.mark.parametrize(
    ("spans", "coverage"),
    [
        ([(0, 0)], []),
        ([(5, 4)], []),
        ([(0, 0.001)], [[0, 1]]),
        ([(0.999, 1.001)], [[0, 2]]),
        ([(0, 10), (10, 20)], [[0, 20]]),
        ([(0, 10), (11, 20)], [[0, 10], [11, 20]]),
        ([(7, 9), (0, 1), (3, 5), (4, 8)], [[0, 1], [3, 9]]),
        ([(172_799, 172_800)], [[172_799, 172_800]]),
        ([(0, 172_800)], [[0, 172_800]]),
        (
            [(second, second + 1) for second in range(0, 100, 2)],
            [[second, second + 1] for second in range(0, 100, 2)],
        ),
    ],
    ids=lambda spans: str(spans)[:40],
)
async def test_coverage_is_the_seen_spans_in_order(
    api: Api, spans: list[tuple[float, float]], coverage: list[list[int]]
) -> None:
    await api.post([event(kind="segment", from_=start, at=end) for start, end in spans])
    pair = (await api.pair("ann", "dune")).json
    assert pair["coverage"] == coverage
    assert pair["unique_seconds"] == sum(end - start for start, end in coverage)
    assert pair["verified"] == (coverage[0][1] if coverage and coverage[0][0] == 0 else 0)


async def test_as_many_may_read_at_once_as_will(api: Api) -> None:
    await api.post(event())
    answers = await asyncio.gather(
        *(api.user("ann") for _ in range(400)), *(api.movie("dune") for _ in range(400))
    )
    assert {answer.status for answer in answers} == {200}


async def test_a_head_request_answers_as_a_get_without_a_body(api: Api) -> None:
    await api.post(event())
    whole, head = await api.user("ann"), await api.call("HEAD", "/v1/users/ann")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]
    assert (await api.call("HEAD", "/v1/users/bob")).status == 404
