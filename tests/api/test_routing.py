"""What there is no answer to: things never seen, paths and methods that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.client import event

if TYPE_CHECKING:
    from tests.api.client import Api


@pytest.mark.parametrize(
    "path", ["/v1/movies/dune", "/v1/users/ann", "/v1/users/ann/movies", "/v1/users/ann/movies/dune"]
)
async def test_what_was_never_seen_is_404(api: Api, path: str) -> None:
    await api.post(event(user="bob", slug="arrival"))
    answer = await api.get(path)
    assert (answer.status, answer.json["reason"], answer.is_problem) == (404, "not_found", True)
    assert "ann" in answer.json["detail"] or "dune" in answer.json["detail"]


async def test_a_pair_never_seen_of_a_user_and_a_movie_that_were_is_404(api: Api) -> None:
    await api.post([event(user="ann", slug="arrival"), event(user="bob", slug="dune")])
    assert (await api.pair("ann", "dune")).status == 404


async def test_a_rejected_event_leaves_nothing_to_be_found(api: Api) -> None:
    await api.post(event(at=-1))
    answers = [await api.user("ann"), await api.movie("dune"), await api.pair("ann", "dune")]
    assert [answer.status for answer in answers] == [404] * 3


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/v1",
        "/v1/",
        "/v1/movies",
        "/v1/movies/",
        "/v1/users/",
        "/v1/users/ann/movies/",
        "//",
        "/v2/events",
    ],
)
async def test_a_path_that_is_none_is_404(api: Api, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = await api.call(method, path)
        assert (answer.status, answer.json["reason"], answer.is_problem) == (404, "not_found", True)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/events", "POST"),
        ("PUT", "/v1/events", "POST"),
        ("GET", "/events", "POST"),
        ("DELETE", "/events", "POST"),
        ("POST", "/v1/movies/dune", "GET"),
        ("DELETE", "/v1/movies/dune", "GET"),
        ("POST", "/v1/users/ann", "DELETE"),
        ("POST", "/v1/users/ann", "GET"),
        ("PATCH", "/v1/users/ann/movies", "GET"),
        ("PUT", "/v1/users/ann/movies/dune", "GET"),
        ("POST", "/healthz", "GET"),
        ("POST", "/readyz", "GET"),
        ("POST", "/metrics", "GET"),
        ("DELETE", "/", "POST"),
    ],
)
async def test_a_method_that_is_none_is_405_and_says_which_are(
    api: Api, method: str, path: str, allowed: str
) -> None:
    answer = await api.call(method, path, b"{}")
    assert (answer.status, answer.json["reason"], answer.is_problem) == (405, "method_not_allowed", True)
    assert allowed in answer.headers["Allow"].split(", ")
    assert method not in answer.headers["Allow"].split(", ")
    assert allowed in answer.json["detail"]


async def test_a_path_that_is_no_text_is_404_as_a_problem(api: Api) -> None:
    answer = await api.get("/%ff/%00/%zz")
    assert (answer.status, answer.is_problem) == (404, True)


async def test_playhead_is_alive_and_ready(api: Api) -> None:
    assert (await api.get("/healthz")).json == {"alive": True}
    ready = (await api.get("/readyz")).json
    assert (ready["ready"], ready["durable"], ready["warnings"]) == (True, True, [])


async def test_metrics_count_what_was_answered(api: Api) -> None:
    await api.post([event(id="1"), event(id="1"), event(at=-1)])
    text = (await api.get("/metrics")).body.decode()
    assert 'reason="out_of_range"' in text
    assert "playhead_redis_up 1" in text
    assert "playhead_backlog_events 1" in text
