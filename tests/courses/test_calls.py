"""Courses over HTTP: each call is answered as its description says, whatever comes."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from service import limits
from service.api.courses.calls import COURSE_CALLS
from service.api.courses.catalogue_calls import COURSE_EXAMPLE, LESSON_EXAMPLE
from service.api.routes import ALL_CALLS
from service.settings import Settings
from tests.api.client import JSON, escaped
from tests.api.conftest import serving
from tests.api.keys import LINES, TOKENS, bearer
from tests.api.test_keys import INCLUDED
from tests.api.test_openapi import conforms, described, fits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.api.calls import Call
    from tests.api.client import Answer, Api, Document

PART = re.compile(r"\{(\w+):\[\^/\]\+\}")
"""Of a path, as aiohttp writes it."""

NUMBERED = {"attempt", "credit"}
"""Parts that are numbers, which playhead gives."""

QUERIES = {
    "get_assignments": "?course=safety",
    "get_credits": "?user=ann",
    "report_lessons": "?course=safety",
}
"""For calls that need one."""

BY_NAME = {call.name: call for call in COURSE_CALLS}


async def call(api: Api, name: str, body: object = None, query: str = "", **parts: str) -> Answer:
    """Make a call by its name, and hold the answer to its description. `parts` fill in its path."""
    made = BY_NAME[name]
    path = PART.sub(lambda part: escaped(parts[part[1]]), made.path)
    sent = body if isinstance(body, bytes) else None if body is None else orjson.dumps(body)
    answer = await api.call(made.method, path + query, sent, JSON)
    if answer.status == 204:
        assert (answer.body, 204 in {said.status for said in made.answers}) == (b"", True)
    else:
        conforms(made, answer)
    return answer


def course(*lessons: str, **changed: object) -> Document:
    return COURSE_EXAMPLE | {"lessons": [LESSON_EXAMPLE | {"lesson": lesson} for lesson in lessons]} | changed


async def put(api: Api, name: str, **changed: object) -> Document:
    answer = await call(api, "put_course", course(f"{name} 1", f"{name} 2", **changed), course=name)
    assert answer.status == 200, answer.body
    found = answer.json
    assert isinstance(found, dict)
    return found


async def turn_pages(api: Api, name: str, query: str, limit: int, **parts: str) -> list[Any]:
    items: list[Any] = []
    cursor = None
    while True:
        following = f"&cursor={escaped(cursor)}" if cursor else ""
        answer = await call(api, name, query=f"?limit={limit}{query}{following}", **parts)
        assert answer.status == 200
        assert len(answer.json["items"]) <= limit
        items += answer.json["items"]
        cursor = answer.json["next_cursor"]
        if cursor is None:
            return items


async def test_a_course_is_put_and_read_with_what_was_left_out(api: Api, name: str) -> None:
    lesson = {"lesson": name, "slug": "s", "title": "T", "duration_seconds": 12.3456}
    made = await call(api, "put_course", {"title": "Ü", "lessons": [lesson]}, course=name)
    assert made.json == (await call(api, "get_course", course=name)).json
    assert made.json["lessons"] == [
        lesson | {"duration_seconds": 12.346, "threshold_permille": 950, "revision": 1}
    ]
    assert (made.json["time_zone"], made.json["skip_policy"], made.json["renewal"]) == ("UTC", "flag", None)
    assert made.json["credit"] == {"window_months": 12, "cap_permille": 1000, "includes_flagged": False}


async def test_putting_a_course_again_gives_the_same(api: Api, name: str) -> None:
    assert await put(api, name) == await put(api, name)


async def test_a_lesson_shows_its_videos(api: Api, name: str) -> None:
    await put(api, name)
    changed = [LESSON_EXAMPLE | {"lesson": f"{name} 1", "slug": "new"}]
    await call(api, "put_course", course(lessons=changed), course=name)
    lesson = (await call(api, "get_lesson", lesson=f"{name} 1")).json
    assert [(one["revision"], one["slug"]) for one in lesson["revisions"]] == [(1, "intro-2026"), (2, "new")]
    removed = (await call(api, "get_lesson", lesson=f"{name} 2")).json
    assert removed["removed_at"] is not None


async def test_an_archived_course_is_listed_only_where_asked_for(api: Api, name: str) -> None:
    await put(api, name)
    archived = await call(api, "archive_course", course=name)
    assert archived.json["archived_at"] is not None
    listed = await turn_pages(api, "get_courses", "", 100)
    everything = await turn_pages(api, "get_courses", "&with_archived=true", 100)
    assert name not in {one["course"] for one in listed}
    assert name in {one["course"] for one in everything}
    assert (await put(api, name))["archived_at"] is None


async def test_pages_of_courses_and_teams_hold_each_once(api: Api, name: str) -> None:
    for number in range(5):
        await put(api, f"{name} {number}")
        await call(api, "put_team", {"title": "T"}, team=f"{name} {number}")
    for made, part in (("get_courses", "course"), ("get_teams", "team")):
        found = [one[part] for one in await turn_pages(api, made, "", 2)]
        assert [one for one in found if one.startswith(name)] == [f"{name} {number}" for number in range(5)]
        assert found == sorted(set(found), key=str.encode)


LESSON = {"lesson": "x", "slug": "s", "title": "T", "duration_seconds": 10}


@pytest.mark.parametrize(
    ("changed", "field", "reason"),
    [
        ({"title": None}, "title", "wrong_type"),
        ({"title": ""}, "title", "empty"),
        ({"title": "a\0"}, "title", "invalid_string"),
        ({"title": "a" * (limits.TITLE_CHARS_MAX + 1)}, "title", "too_long"),
        ({"colour": "red"}, "colour", "unknown_field"),
        ({"skip_policy": "forbid"}, "skip_policy", "unknown_value"),
        ({"time_zone": "Europe/Atlantis"}, "time_zone", "unknown_time_zone"),
        ({"credit": {"cap_permille": 1001}}, "credit.cap_permille", "out_of_range"),
        ({"credit": {"cap_permille": 0.5}}, "credit.cap_permille", "wrong_type"),
        ({"renewal": {}}, "renewal.every_months", "missing_field"),
        ({"renewal": {"every_months": 0}}, "renewal.every_months", "out_of_range"),
        ({"lessons": None}, "lessons", "wrong_type"),
        ({"lessons": [3]}, "lessons[0]", "not_an_object"),
        ({"lessons": [LESSON, LESSON]}, "lessons[1].lesson", "repeated_lesson"),
        ({"lessons": [LESSON | {"duration_seconds": 0}]}, "lessons[0].duration_seconds", "out_of_range"),
        ({"lessons": [LESSON | {"duration_seconds": 172801}]}, "lessons[0].duration_seconds", "out_of_range"),
        ({"lessons": [LESSON | {"threshold_permille": 0}]}, "lessons[0].threshold_permille", "out_of_range"),
        ({"lessons": [LESSON | {"threshold_permille": 0.95}]}, "lessons[0].threshold_permille", "wrong_type"),
        ({"lessons": [LESSON | {"lesson": "x" * 129}]}, "lessons[0].lesson", "too_long"),
        ({"lessons": [LESSON] * (limits.LESSONS_MAX + 1)}, "lessons", "too_long"),
    ],
)
async def test_a_course_that_cannot_be_is_refused_field_by_field(
    api: Api, name: str, changed: Document, field: str, reason: str
) -> None:
    answer = await call(api, "put_course", course() | changed, course=name)
    assert (answer.status, answer.json["reason"]) == (422, reason)
    assert (answer.json["rejected"][0]["field"], answer.json["rejected"][0]["reason"]) == (field, reason)
    assert field in answer.json["detail"]
    assert len(answer.json["detail"]) < 300
    assert (await call(api, "get_course", course=name)).status == 404


@pytest.mark.parametrize("body", [b"", b"{", b"nothing", b'{"title": "\\ud800"}', b"\xff"])
async def test_what_is_not_json_is_refused(api: Api, name: str, body: bytes) -> None:
    for made, parts in (
        ("put_course", {"course": name}),
        ("put_team", {"team": name}),
        ("post_assignments", {}),
    ):
        answer = await call(api, made, body, **parts)
        assert (answer.status, answer.json["reason"]) == (400, "not_json")


@pytest.mark.parametrize("bad", ["%00", "a" * 300, "%ff%fe"[:3] + "%00"])
async def test_a_name_that_cannot_be_is_refused_everywhere(api: Api, bad: str) -> None:
    for made in COURSE_CALLS:
        if NUMBERED.issuperset(PART.findall(made.path)):
            continue
        answer = await api.call(made.method, PART.sub(bad, made.path), b"{}")
        conforms(made, answer)
        assert (answer.status, answer.json["reason"]) == (400, "bad_name")
    for by in ("course", "user", "team"):
        assert (await api.get(f"/v1/assignments?{by}={bad}")).json["reason"] == "bad_name"


async def test_a_lesson_of_another_course_and_a_wrong_revision_are_conflicts(api: Api, name: str) -> None:
    await put(api, name)
    theirs = await call(api, "put_course", course(f"{name} 1"), course=f"{name} other")
    assert (theirs.status, theirs.json["reason"]) == (409, "lesson_elsewhere")
    lessons = [LESSON_EXAMPLE | {"lesson": f"{name} 1", "revision": 3}]
    wrong = await call(api, "put_course", course(lessons=lessons), course=name)
    assert (wrong.status, wrong.json["reason"]) == (409, "wrong_revision")


async def test_teams_and_their_members(api: Api, name: str) -> None:
    users = [f"{name} {number}" for number in range(5)]
    assert (await call(api, "put_team", {"title": "Lager"}, team=name)).json["title"] == "Lager"
    assert (await call(api, "add_members", {"users": users}, team=name)).json == {"added": 5}
    assert (await call(api, "add_members", {"users": users[:2]}, team=name)).json == {"added": 0}
    assert await turn_pages(api, "get_members", "", 2, team=name) == users
    assert (await call(api, "remove_member", team=name, user=users[0])).status == 204
    assert (await call(api, "remove_member", team=name, user=users[0])).status == 404
    assert (await call(api, "get_team", team=name)).status == 200
    assert (await call(api, "delete_team", team=name)).status == 204
    for made, body in (
        ("get_team", None),
        ("delete_team", None),
        ("get_members", None),
        ("add_members", {"users": []}),
    ):
        assert (await call(api, made, body, team=name)).status == (200 if body else 404)


async def test_an_assignment_from_the_first_day_to_a_renewal(api: Api, name: str) -> None:
    await put(api, name)
    wish = {"course": name, "user": "ann", "due": "2026-12-31"}
    made = (await call(api, "post_assignments", wish)).json
    assert (made["assigned"], made["assignment"]["status"]) == (1, "Assigned")
    assert made["assignment"]["due_at"] == "2026-12-31T23:00:00.000000Z"
    again = (await call(api, "post_assignments", wish)).json
    assert (again["unchanged"], again["assignment"]) == (1, made["assignment"])
    moved = (await call(api, "post_assignments", wish | {"due": "2020-01-01T00:00:00+05:30"})).json
    assert (moved["changed"], moved["assignment"]["overdue"]) == (1, True)
    assert moved["assignment"]["due_at"] == "2019-12-31T18:30:00.000000Z"
    never = (await call(api, "post_assignments", wish | {"due": None})).json
    assert (never["changed"], never["assignment"]["due_at"], never["assignment"]["overdue"]) == (
        1,
        None,
        False,
    )
    renewed = (await call(api, "renew", {"after": 1}, course=name, user="ann")).json
    assert (renewed["number"], renewed["opened_by"]) == (2, "renewal")
    assert (await call(api, "renew", {"after": 1}, course=name, user="ann")).json == renewed
    late = await call(api, "renew", {"after": 7}, course=name, user="ann")
    assert (late.status, late.json["reason"]) == (409, "wrong_attempt")
    attempts = await turn_pages(api, "get_attempts", "", 1, course=name, user="ann")
    assert [(one["number"], one["closed_at"] is None) for one in attempts] == [(2, True), (1, False)]
    first = (await call(api, "get_attempt", attempt=str(made["assignment"]["attempt"]))).json
    assert first == attempts[1] | {"lessons": []}
    gone = (await call(api, "unassign", course=name, user="ann")).json
    assert gone["unassigned_at"] is not None
    assert (await call(api, "get_assignment", course=name, user="ann")).json == gone
    refused = await call(api, "renew", {"after": 2}, course=name, user="ann")
    assert (refused.status, refused.json["reason"]) == (409, "not_assigned")


async def test_what_an_attempt_has_of_its_lessons_is_live(api: Api, name: str) -> None:
    """Each event is in it once it is acknowledged, and none from before the assignment."""
    lesson = LESSON_EXAMPLE | {"lesson": f"{name} 1", "slug": name, "duration_seconds": 100}
    await call(api, "put_course", course(lessons=[lesson]), course=name)
    event = {"user": name, "slug": name, "kind": "segment", "from": 0, "at": 50}
    await api.post(event)
    made = (await call(api, "post_assignments", {"course": name, "user": name})).json["assignment"]
    await api.post(event | {"from": 20, "at": 120, "speed": 2})
    await api.post(event | {"from": 0, "at": 10})
    [shown] = (await call(api, "get_attempt", attempt=str(made["attempt"]))).json["lessons"]
    assert (shown["unique_seconds"], shown["needed_seconds"], shown["still_needed_seconds"]) == (90, 95, 5)
    assert (shown["watch_seconds"], shown["effective_seconds"]) == (110, 60)
    assert (shown["verified_seconds"], shown["current"], shown["revision"]) == (10, True, 1)
    assert shown["last_viewed_at"] is not None
    await api.post(event | {"from": 90, "at": 100})
    await api.post(event | {"from": 10, "at": 20})
    taken = (await call(api, "unassign", course=name, user=name)).json
    assert (taken["status"], taken["completed_at"] == taken["last_viewed_at"]) == ("Completed", True)
    await api.post(event)
    [closed] = (await call(api, "get_attempt", attempt=str(made["attempt"]))).json["lessons"]
    assert (closed["unique_seconds"], closed["watch_seconds"]) == (100, 130)


@pytest.mark.parametrize("attempt", ["0", "999999999", "9" * 18, "9" * 400, "x", "-1", "1.5", "%D9%A3"])
async def test_an_attempt_that_never_was_is_not_found(api: Api, attempt: str) -> None:
    answer = await api.get(f"/v1/attempts/{attempt}")
    conforms(BY_NAME["get_attempt"], answer)
    assert answer.status == 404


async def test_lists_of_assignments_say_whose(api: Api, name: str) -> None:
    users = [f"{name} {number}" for number in range(3)]
    courses = [f"{name} {letter}" for letter in "ab"]
    for one in courses:
        await put(api, one)
    await call(api, "put_team", {"title": "T"}, team=name)
    await call(api, "add_members", {"users": users[:2]}, team=name)
    wishes = [{"course": one, "user": user} for one in courses for user in users]
    assert (await call(api, "post_assignments", wishes)).json["assigned"] == 6
    await call(api, "unassign", course=courses[0], user=users[0])

    async def listed(query: str) -> list[tuple[str, str]]:
        return [(one["course"], one["user"]) for one in await turn_pages(api, "get_assignments", query, 1)]

    a, b = courses
    assert await listed(f"&course={escaped(a)}") == [(a, users[1]), (a, users[2])]
    assert await listed(f"&course={escaped(a)}&with_unassigned=true") == [(a, user) for user in users]
    assert await listed(f"&user={escaped(users[0])}") == [(b, users[0])]
    assert await listed(f"&team={escaped(name)}") == [(b, users[0]), (a, users[1]), (b, users[1])]
    assert await listed("&user=nobody") == []


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "bad_query"),
        ("?course=a&user=b", "bad_query"),
        ("?course=a&with_unassigned=yes", "bad_query"),
        ("?course=a&limit=0", "bad_limit"),
        ("?course=a&limit=101", "bad_limit"),
        ("?course=a&cursor=%ff", "bad_cursor"),
        ("?course=a&cursor=AAAA", "bad_cursor"),
        ("?team=a&cursor=YQ==", "bad_cursor"),
    ],
)
async def test_a_question_that_cannot_be_answered_is_refused(api: Api, query: str, reason: str) -> None:
    answer = await call(api, "get_assignments", query=query)
    assert (answer.status, answer.json["reason"]) == (400, reason)


async def test_what_was_never_put_is_not_found(api: Api, name: str) -> None:
    parts = {"course": name, "lesson": name, "team": name, "user": name}
    for made in COURSE_CALLS:
        needed = PART.findall(made.path)
        if made.method == "PUT" or NUMBERED.issuperset(needed):
            continue
        body = {"renew": {"after": 1}, "add_members": {"users": ["ann"]}}.get(made.name)
        answer = await call(api, made.name, body, **{part: parts[part] for part in needed})
        assert (answer.status, answer.json["reason"]) == (404, "not_found")


def test_every_example_has_its_shape() -> None:
    for made in COURSE_CALLS:
        for said in made.answers:
            if said.example:
                fits(said, orjson.dumps(said.example))
    assert len({call.name for call in ALL_CALLS}) == len(ALL_CALLS)


async def test_the_examples_work_one_after_the_other(api: Api) -> None:
    parts = {"course": "safety", "team": "warehouse", "user": "ann", "lesson": "intro"}
    order = ["PUT", "POST", "GET", "DELETE"]

    def turn(made: Call) -> tuple[int, bool, int]:
        """What lies within is made later, and taken away earlier; credits are for what was assigned."""
        is_last = made.tag == "credits"
        return order.index(made.method), is_last, len(made.path) * (-1 if made.method == "DELETE" else 1)

    for made in sorted(COURSE_CALLS, key=turn):
        path = PART.sub(lambda part: parts.get(part[1], "1"), made.path)
        query = QUERIES.get(made.name, "")
        bodies = [(body.media_type, value) for body in made.bodies for value in body.examples.values()]
        for media_type, value in bodies or [("", None)]:
            sent = value.encode() if isinstance(value, str) else orjson.dumps(value) if value else None
            answer = await api.call(
                made.method, path + query, sent, {"Content-Type": media_type} if sent else None
            )
            assert answer.status in (200, 204) or NUMBERED & set(PART.findall(made.path)), answer.body


@pytest.fixture(scope="module")
async def locked(emptied_redis_url: str, module_database_url: str) -> AsyncIterator[Api]:
    async with serving(
        Settings(keys=LINES, shutdown_seconds=1), emptied_redis_url, module_database_url
    ) as made:
        yield made


@pytest.mark.parametrize("made", COURSE_CALLS, ids=lambda made: made.name)
async def test_a_call_is_answered_to_those_who_may_make_it(locked: Api, made: Call) -> None:
    """Reading needs `read`, everything else `admin`."""
    path = PART.sub("none", made.path)
    assert made.scope == ("read" if made.method == "GET" else "admin")
    assert (await locked.call(made.method, path, b"{}")).status == 401
    for scope, token in TOKENS.items():
        answer = await locked.call(made.method, path, b"{}", bearer(token))
        assert (answer.status == 403) == (scope not in INCLUDED[made.scope or scope])


async def test_without_postgres_everything_is_unavailable(emptied_redis_url: str) -> None:
    async with serving(Settings(shutdown_seconds=1), emptied_redis_url) as api:
        bodies = {
            "put_course": course(),
            "put_team": {"title": "T"},
            "add_members": {"users": ["ann"]},
            "post_assignments": [{"course": "a", "user": "b"}],
            "renew": {"after": 1},
            "post_credits": {"attempt": 1},
        }
        for made in COURSE_CALLS:
            parts = dict.fromkeys(PART.findall(made.path), "1")
            query = QUERIES.get(made.name, "")
            answer = await call(api, made.name, bodies.get(made.name), query, **parts)
            assert (answer.status, answer.json["reason"]) == (503, "unavailable")
            assert described(made, answer).status == 503


async def test_a_body_may_be_gzipped(api: Api, name: str) -> None:
    body = gzip.compress(orjson.dumps(course()), mtime=0)
    path = f"/v1/courses/{escaped(name)}"
    assert (await api.call("PUT", path, body, JSON | {"Content-Encoding": "gzip"})).status == 200
