"""Credits over HTTP: tried, given, read, taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service import clock
from service.api.courses.catalogue_calls import LESSON_EXAMPLE
from service.counters.connection import connect
from tests.api.client import escaped
from tests.courses.test_calls import call, course, put, turn_pages
from tests.courses.viewings import Viewings
from tests.integration.bench import bench_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.client import Api, Document

SLUG = str(LESSON_EXAMPLE["slug"])


@pytest.fixture
async def viewings(module_database_url: str) -> AsyncIterator[Viewings]:
    made = await Viewings.connect(module_database_url)
    yield made
    await made.close()


async def assigned(api: Api, name: str) -> Document:
    """The course and the user have the name; two lessons show the same video."""
    await put(api, name)
    made = await call(api, "post_assignments", {"course": name, "user": name})
    attempt: Document = made.json["assignment"]
    return attempt


async def test_a_credit_from_a_trial_to_being_taken_back(api: Api, name: str, viewings: Viewings) -> None:
    segment = {"user": name, "slug": SLUG, "session": "a", "kind": "segment", "from": 0, "at": 600}
    assert (await api.post(segment)).status == 200
    await viewings.add(SLUG, (0, 600), user=name, session="a", at_us=clock.now_us())
    attempt = (await assigned(api, name))["attempt"]
    wish = {"course": name, "user": name, "lessons": [f"{name} 2"]}
    tried = (await call(api, "post_credits", wish | {"dry_run": True})).json
    assert (tried["unique_seconds"], tried["credits"][0]["credit"], tried["attempt"]["lessons"]) == (
        600,
        None,
        [],
    )
    given = (await call(api, "post_credits", wish)).json
    [credit] = given["credits"]
    assert [(share["session"], share["coverage"]) for share in credit["shares"]] == [("a", [[0, 600]])]
    assert (credit["created_by"], credit["course"], credit["user"]) == (None, name, name)
    [lesson] = given["attempt"]["lessons"]
    assert (lesson["unique_seconds"], lesson["last_viewed_at"]) == (600, None)
    assert lesson["completed_at"] == credit["created_at"]
    assert (await call(api, "post_credits", {"attempt": attempt})).json["unique_seconds"] == 600
    again = (await call(api, "post_credits", {"attempt": attempt})).json
    assert (again["unique_seconds"], again["credits"], again["attempt"]["status"]) == (0, [], "Completed")
    number = str(credit["credit"])
    assert (await call(api, "get_credit", credit=number)).json == credit
    gone = (await call(api, "take_credit_back", credit=number)).json
    assert gone["withdrawn_completion_at"] == lesson["completed_at"]
    assert (await call(api, "take_credit_back", credit=number)).json == gone
    assert (await call(api, "get_attempt", attempt=str(attempt))).json["status"] == "InProgress"
    for query in (f"&attempt={attempt}", f"&user={escaped(name)}"):
        listed = await turn_pages(api, "get_credits", query, 1)
        assert [one["lesson"] for one in listed] == [f"{name} 1", f"{name} 2"]
        assert [one["taken_back_at"] for one in listed] == [None, gone["taken_back_at"]]


async def test_what_was_watched_a_moment_ago_is_credited_and_stays_when_a_credit_goes(
    api: Api, name: str, emptied_redis_url: str, module_database_url: str
) -> None:
    """Nothing follows raw events here but the calls themselves."""

    async def watch(first: int, end: int) -> None:
        segment = {"user": name, "slug": name, "kind": "segment", "from": first, "at": end}
        assert (await api.post(segment)).status == 200
        async with connect(emptied_redis_url, 5) as redis, bench_on(redis, module_database_url) as bench:
            await bench.settle()

    await call(
        api,
        "put_course",
        course(name) | {"lessons": [LESSON_EXAMPLE | {"lesson": name, "slug": name}]},
        course=name,
    )
    await watch(0, 300)
    attempt = (await call(api, "post_assignments", {"course": name, "user": name})).json["assignment"][
        "attempt"
    ]
    [credit] = (await call(api, "post_credits", {"attempt": attempt})).json["credits"]
    assert credit["unique_seconds"] == 300
    await watch(0, 600)
    gone = (await call(api, "take_credit_back", credit=str(credit["credit"]))).json
    assert gone["withdrawn_completion_at"] is None
    assert (await call(api, "get_attempt", attempt=str(attempt))).json["status"] == "Completed"


async def test_a_closed_attempt_is_a_conflict(api: Api, name: str) -> None:
    attempt = (await assigned(api, name))["attempt"]
    await call(api, "renew", {"after": 1}, course=name, user=name)
    refused = await call(api, "post_credits", {"attempt": attempt})
    assert (refused.status, refused.json["reason"]) == (409, "attempt_closed")


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({}, 422, "missing_field"),
        ({"course": "a"}, 422, "missing_field"),
        ({"attempt": 1, "course": "a", "user": "b"}, 422, "missing_field"),
        ({"attempt": "1"}, 422, "wrong_type"),
        ({"attempt": 0}, 422, "out_of_range"),
        ({"attempt": 2**63}, 422, "out_of_range"),
        ({"attempt": 1, "lessons": "a"}, 422, "wrong_type"),
        ({"attempt": 1, "dry": True}, 422, "unknown_field"),
        ({"attempt": 2**62}, 404, "not_found"),
        ({"course": "never", "user": "never"}, 404, "not_found"),
    ],
)
async def test_what_cannot_be_credited_is_refused(api: Api, body: Document, status: int, reason: str) -> None:
    answer = await call(api, "post_credits", body)
    assert (answer.status, answer.json["reason"]) == (status, reason)


@pytest.mark.parametrize("query", ["", "?attempt=1&user=ann", "?user=ann&cursor=YQ==", "?user=ann&limit=0"])
async def test_a_list_that_does_not_say_whose_is_refused(api: Api, query: str) -> None:
    assert (await call(api, "get_credits", query=query)).status == 400


@pytest.mark.parametrize("credit", ["0", "999999999", "9" * 400, "x", "-1"])
async def test_a_credit_that_never_was_is_not_found(api: Api, credit: str) -> None:
    for name in ("get_credit", "take_credit_back"):
        assert (await call(api, name, credit=credit)).status == 404
    assert (await call(api, "get_credits", query=f"?attempt={credit}")).status == 404
