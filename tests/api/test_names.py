"""Users and movies may be called anything: what goes in as JSON is found again in a URL, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.limits import SLUG_CHARS_MAX, USER_CHARS_MAX
from tests.api.client import event

if TYPE_CHECKING:
    from tests.api.client import Api

NAMES = [
    "ann",
    "Zoë",
    "\uff55\uff53\uff45\uff52",
    "e\u0301",
    "🎬",
    "👩\u200d🚀",
    "\u202eabc",
    "a/b",
    "/",
    "//a//",
    "a:b",
    ":",
    "%",
    "%2F",
    "%25",
    "%zz",
    "a b",
    " ",
    "+",
    "?",
    "a?b=c",
    "#",
    "&=;,@!$",
    "'",
    '"',
    "\\",
    "\t",
    "\x01",
    "\x7f",
    ".",
    "..",
    "../..",
    "a/../b",
    "movies",
    "null",
    "0",
    "-1",
    "<b>&amp;</b>",
    "uuid://dune",
    "https://movies.example/watch?v=1#t=5",
    "\ufeff",
    "\uffff",
]

UNROUTED = ["{p7}:user:ann", "{}", "{", "}", "\n", "a\r\nb"]
"""Counted, and not found by a path: the routes' `{user}` takes no braces, and `.+` no line break."""


async def assert_found(api: Api, user: str, slug: str) -> None:
    pair = {"user": user, "slug": slug, "watch_seconds": 10}
    posted = await api.post(event(user=user, slug=slug, at=10))
    assert (posted.status, posted.json["state"]) == (200, posted.json["state"] | pair)
    answers = [
        await api.movie(slug),
        await api.user(user),
        await api.pair(user, slug),
        await api.movies(user),
    ]
    assert [answer.status for answer in answers] == [200] * 4
    movie, person, found, page = (answer.json for answer in answers)
    assert movie == movie | {"slug": slug, "watch_seconds": 10, "viewers": 1}
    assert person == person | {"user": user, "watch_seconds": 10, "movies": 1}
    assert found == found | pair
    assert page["items"] == [posted.json["state"]]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
async def test_a_name_is_found_again_whatever_it_is(api: Api, name: str) -> None:
    await assert_found(api, name, name)


@pytest.mark.parametrize("name", UNROUTED, ids=ascii)
async def test_a_name_with_a_brace_or_a_line_break_is_found_again(api: Api, name: str) -> None:
    await assert_found(api, name, name)


@pytest.mark.parametrize("character", ["x", "é", "🎬", "/", "%"])
async def test_the_longest_names_are_found_again(api: Api, character: str) -> None:
    await assert_found(api, character * USER_CHARS_MAX, character * SLUG_CHARS_MAX)


text = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    min_size=1,
    max_size=20,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(user=text, slug=text)
async def test_any_name_is_found_again(api: Api, user: str, slug: str) -> None:
    counted = (await api.pair(user, slug)).status == 200
    posted = await api.post(event(user=user, slug=slug, at=10))
    assert posted.json["state"] == posted.json["state"] | {"user": user, "slug": slug}
    for answer in (
        await api.movie(slug),
        await api.user(user),
        await api.pair(user, slug),
        await api.movies(user),
    ):
        assert answer.status == 200
    if not counted:
        assert (await api.pair(user, slug)).json["watch_seconds"] == 10


COLLIDING = [
    ("a", "b:c"),
    ("a:b", "c"),
    ("a:", "b:c"),
    ("a", ":b:c"),
    ("1:a", "b"),
    ("1", "a:b"),
    ("a", "bc"),
    ("ab", "c"),
    ("a", "{p1}:b"),
    ("é", "a"),
    ("e\u0301", "a"),
    ("E", "A"),
    ("e", "a"),
    ("e ", "a"),
    ("e", " a"),
]


async def test_names_that_look_alike_when_joined_stay_apart(api: Api) -> None:
    """The n-th pair watches n seconds; each is found with just its own."""
    for seconds, (user, slug) in enumerate(COLLIDING, 1):
        await api.post(event(user=user, slug=slug, kind="segment", from_=0, at=seconds))
    for seconds, (user, slug) in enumerate(COLLIDING, 1):
        pair = (await api.pair(user, slug)).json
        assert (pair["watch_seconds"], pair["coverage"]) == (seconds, [[0, seconds]])


async def test_sessions_that_look_alike_when_joined_stay_apart(api: Api) -> None:
    """Each session plays from its own position: a heartbeat of another would make it 5 or 15 seconds."""
    sessions = [("b", "c:d"), ("b:c", "d"), ("b", ":c:d"), ("b:", "c:d"), ("1:b", "d"), ("b", "")]
    for slug, session in sessions:
        answer = await api.post(event(slug=slug, session=session, seq=1, kind="play", at=100))
        assert answer.json["duplicates"] == 0
    for place, (slug, session) in enumerate(sessions):
        answer = await api.post(event(slug=slug, session=session, seq=2, at=101 + place))
        assert answer.json["state"]["furthest"] >= 101 + place
    watched = [(await api.pair("ann", slug)).json["watch_seconds"] for slug in ("b", "b:c", "b:", "1:b")]
    assert watched == [1 + 3 + 6, 2, 4, 5]


async def test_a_slug_may_hold_plain_slashes_in_a_path(api: Api) -> None:
    await api.post(event(slug="a/b//c"))
    for path in ("/v1/movies/a/b//c", "/v1/users/ann/movies/a/b//c"):
        assert (await api.get(path)).json["slug"] == "a/b//c"


async def test_a_user_with_a_slash_is_one_piece_of_a_path(api: Api) -> None:
    await api.post(event(user="a/movies", slug="b"))
    await api.post(event(user="a", slug="c"))
    assert (await api.get("/v1/users/a%2Fmovies")).json["user"] == "a/movies"
    assert [one["slug"] for one in (await api.get("/v1/users/a/movies")).json["items"]] == ["c"]
    assert (await api.get("/v1/users/a%2fmovies/movies/b")).json["slug"] == "b"


@pytest.mark.parametrize(
    "path", ["/v1/movies/%ff", "/v1/movies/%ed%a0%80", "/v1/movies/%", "/v1/movies/%zz", "/v1/users/%00"]
)
async def test_what_is_no_text_when_unescaped_is_nobodys_name(api: Api, path: str) -> None:
    answer = await api.get(path)
    assert (answer.status, answer.is_problem) == (404, True)
