"""Which persons may do what with courses: learners read their own, managers their teams', admins do everything."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from pydantic import SecretStr

from service import clock
from service.api.courses.calls import COURSE_CALLS
from service.api.courses.catalogue_calls import LESSON_EXAMPLE
from service.settings import Settings
from tests.api.conftest import serving
from tests.api.keys import bearer
from tests.api.provider import AUDIENCE, HS256, ISSUER, SECRET
from tests.courses.test_calls import PART
from tests.courses.test_calls import course as course_body
from tests.courses.viewings import Viewings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.client import Answer, Api

PEOPLE = {
    "ann": HS256.token(),
    "bob": HS256.token(sub="bob"),
    "sales": HS256.token(sub="max", roles=["manager"], teams=["sales"]),
    "stores": HS256.token(sub="moe", roles=["manager"], teams=["stores"]),
    "admin": HS256.token(sub="eve", roles=["admin"]),
}
EVERYBODY = set(PEOPLE)
OWN = {"ann", "sales", "admin"}
TEAMS = {"sales", "admin"}
READ_BY = {
    "get_courses": EVERYBODY,
    "get_course": EVERYBODY,
    "get_lesson": EVERYBODY,
    "get_team": TEAMS,
    "get_members": TEAMS,
    "get_assignment": OWN,
    "get_attempts": OWN,
    "get_attempt": OWN,
    "get_why": OWN,
    "get_credit": OWN,
    "get_credits of attempt": OWN,
    "get_credits of user": OWN,
    "report_attempts of user": OWN,
    "report_courses of user": OWN,
    "report_lessons of course&user": OWN,
    "report_users of user": OWN,
    "report_attempts of team": TEAMS,
    "report_courses of team": TEAMS,
    "report_lessons of course&team": TEAMS,
    "report_teams of team": TEAMS,
    "report_teams": {"sales", "stores", "admin"},
    "report_teams of course": {"sales", "stores", "admin"},
    "report_users of team": TEAMS,
    "get_assignments of user": OWN,
    "get_assignments of team": TEAMS,
}
"""Of Ann, who is in the team `sales`; what is not listed here is for admins."""

BODIES: dict[str, Any] = {
    "put_course": course_body("intro"),
    "put_team": {"title": "T"},
    "add_members": {"users": ["ann"]},
    "renew": {"after": 1},
    "post_credits": {"course": "safety", "user": "ann"},
}
LISTS = {
    "get_assignments": ("course", "user", "team"),
    "get_credits": ("attempt", "user"),
    "report_attempts": ("", "course", "user", "team"),
    "report_courses": ("", "course", "user", "team"),
    "report_lessons": ("course", "course&user", "course&team"),
    "report_teams": ("", "course", "team"),
    "report_users": ("", "course", "user", "team"),
}
"""Calls that say in their query whose."""

ABOUT_ANN = {"course": "safety", "lesson": "intro", "team": "sales", "user": "ann"}


SLUG = str(LESSON_EXAMPLE["slug"])
WATCHED = {"user": "ann", "slug": SLUG, "at": 60}


@pytest.fixture(scope="module")
async def guarded(emptied_redis_url: str, module_database_url: str) -> AsyncIterator[Api]:
    settings = Settings(
        tokens_secret=SecretStr(SECRET), tokens_issuer=ISSUER, tokens_audience=AUDIENCE, shutdown_seconds=1
    )
    async with serving(settings, emptied_redis_url, module_database_url) as api:
        yield api


async def sent(api: Api, method: str, path: str, who: str, body: object = None) -> Answer:
    encoded = None if body is None else orjson.dumps(body)
    return await api.call(method, path, encoded, bearer(PEOPLE[who]))


@pytest.fixture(scope="module")
async def attempt(guarded: Api) -> str:
    """Ann's, at a course that Bob has, too; Bob is in no team. Ann has watched its lesson before."""
    assert (await sent(guarded, "POST", "/v1/events", "ann", WATCHED)).status == 200
    assert (await sent(guarded, "PUT", "/v1/courses/safety", "admin", course_body("intro"))).status == 200
    assert (await sent(guarded, "PUT", "/v1/teams/sales", "admin", {"title": "T"})).status == 200
    members = {"users": ["ann"]}
    assert (await sent(guarded, "POST", "/v1/teams/sales/members", "admin", members)).status == 200
    for user in ("bob", "ann"):
        made = await sent(guarded, "POST", "/v1/assignments", "admin", {"course": "safety", "user": user})
    return str(made.json["assignment"]["attempt"])


@pytest.fixture(scope="module")
async def credit(guarded: Api, attempt: str, module_database_url: str) -> str:
    """Ann's, of what she has watched before."""
    viewings = await Viewings.connect(module_database_url)
    await viewings.add(SLUG, (50, 60), at_us=clock.now_us())
    await viewings.close()
    given = await sent(guarded, "POST", "/v1/credits", "admin", {"attempt": int(attempt)})
    return str(given.json["credits"][0]["credit"])


def of(by: str) -> str:
    return f" of {by}" if by else ""


def asked(by: str, about: dict[str, str]) -> str:
    return "?" + "&".join(f"{name}={about[name]}" for name in by.split("&") if name)


@pytest.mark.parametrize("who", PEOPLE)
async def test_reading_is_for_whose_it_is_those_who_manage_them_and_admins(
    guarded: Api, attempt: str, credit: str, who: str
) -> None:
    about = ABOUT_ANN | {"attempt": attempt, "credit": credit}
    for call in COURSE_CALLS:
        if call.method != "GET":
            continue
        path = PART.sub(lambda part: about[part[1]], call.path)
        queries = {of(by): asked(by, about) for by in LISTS.get(call.name, ("",))}
        for whose, query in queries.items():
            answer = await sent(guarded, "GET", path + query, who)
            readers = READ_BY.get(call.name + whose, {"admin"})
            assert (answer.status == 200) == (who in readers), (call.name + whose, answer.body)
            assert answer.status == 200 or (answer.status, answer.json["reason"]) in (
                (403, "foreign_user"),
                (403, "missing_role"),
            )


async def test_counters_are_read_by_whose_they_are_those_who_manage_them_and_admins(
    guarded: Api, attempt: str
) -> None:
    assert attempt
    watched = {"user": "ann", "slug": "dune", "at": 60}
    for who in PEOPLE:
        answer = await sent(guarded, "POST", "/v1/events", who, watched)
        assert (answer.status == 200) == (who in ("ann", "admin"))
    for path, who in product(("", "/movies", "/movies/dune"), PEOPLE):
        answer = await sent(guarded, "GET", f"/v1/users/ann{path}", who)
        assert (answer.status == 200) == (who in OWN), (path, who)
        assert answer.status == 200 or (answer.status, answer.json["reason"]) == (403, "foreign_user")
        assert (await sent(guarded, "DELETE", "/v1/users/ann", "sales")).status == 403


async def test_changing_is_for_admins(guarded: Api, attempt: str, credit: str) -> None:
    changing = [call for call in COURSE_CALLS if call.method != "GET"]
    for call, who in product(changing, PEOPLE):
        if who != "admin":
            path = PART.sub(lambda part: (ABOUT_ANN | {"credit": credit})[part[1]], call.path)
            answer = await sent(guarded, call.method, path, who, BODIES.get(call.name, {}))
            assert (answer.status, answer.json["reason"]) == (403, "missing_role")
    shown = await sent(guarded, "GET", f"/v1/attempts/{attempt}", "ann")
    assert (shown.json["number"], shown.json["closed_at"]) == (1, None)


async def test_what_is_refused_does_not_tell_who_is_known(guarded: Api, attempt: str) -> None:
    assert attempt
    for path in (
        "/v1/assignments/safety/{}",
        "/v1/assignments/safety/{}/attempts",
        "/v1/assignments?user={}",
    ):
        known = await sent(guarded, "GET", path.format("ann"), "bob")
        unknown = await sent(guarded, "GET", path.format("nobody"), "bob")
        assert (known.status, known.body) == (403, unknown.body)
