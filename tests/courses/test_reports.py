"""Reports: what managers read of courses, lessons, teams and users, as rows and as CSV."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from aiohttp import ClientPayloadError

from service.api.courses import reports as edge
from service.courses.assigning.noting import Progress
from service.courses.cells import all_of
from service.courses.reports import reports
from service.courses.reports.reports import Reports
from service.courses.store import Courses
from service.errors import PostgresUnavailable
from tests.api.client import escaped
from tests.courses.school import at
from tests.courses.test_calls import call, course, put, turn_pages
from tests.courses.viewings import Viewings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.courses.reports.reporting import Line, Question
    from service.courses.reports.reports import Page, Place
    from tests.api.client import Api, Document

AT = at("2026-09-01T10:00")
SESSION = """
INSERT INTO watch_sessions (session, user_id, lesson, revision, slug, attempt, started_at)
VALUES ($1, $2, $3, 1, 'slug', $4, now())
"""
SEEK = """
INSERT INTO seeks
SELECT $1, n, $2, $3, 1, 'slug', $4::bigint, 0, 10000, 0, 'flagged', true, n % 2 = 0, NULL, now()
FROM generate_series(1, 5) n
"""


@pytest.fixture
async def courses(module_database_url: str) -> AsyncIterator[Courses]:
    made = await Courses.connect(module_database_url)
    yield made
    await made.close()


@pytest.fixture
async def viewings(module_database_url: str) -> AsyncIterator[Viewings]:
    made = await Viewings.connect(module_database_url)
    yield made
    await made.close()


async def assign(api: Api, name: str, user: str, **changed: object) -> int:
    """Gives the attempt."""
    wish = {"course": name, "user": user} | changed
    attempt: int = (await call(api, "post_assignments", wish)).json["assignment"]["attempt"]
    return attempt


async def note(courses: Courses, attempt: int, lesson: str, cells: int) -> None:
    done = Progress(attempt, lesson, 1, all_of(cells), cells * 1000, cells * 800, AT, AT + cells)
    assert await courses.attempts.note([done]) == [None]


async def report(api: Api, by: str, query: str = "", **named: str) -> list[Document]:
    asked = query + "".join(f"&{part}={escaped(value)}" for part, value in named.items())
    items: list[Document] = await turn_pages(api, f"report_{by}", asked, 2)
    return items


async def lines(
    api: Api, by: str, query: str = "", accept: str = "text/csv", **named: str
) -> list[dict[str, str]]:
    asked = query + "".join(f"&{part}={escaped(value)}" for part, value in named.items())
    answer = await api.call("GET", f"/v1/reports/{by}?{asked}", headers={"Accept": accept})
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{by}.csv"'
    return list(csv.DictReader(io.StringIO(answer.body.decode("utf-8-sig"), newline="")))


async def test_a_row_says_how_far_an_assignment_has_come(
    api: Api, name: str, courses: Courses, viewings: Viewings, module_database_url: str
) -> None:
    await put(api, name)
    attempt = await assign(api, name, name, due="2020-01-01")
    for session, speed in (("a", 1000), ("b", 2000)):
        await viewings.add("v", (0, 30), user=name, session=session, scope=4, speed=speed)
    await viewings.extend(attempt, f"{name} 1", "v", user=name, first=4)
    await note(courses, attempt, f"{name} 1", 300)
    await skip(module_database_url, f"{name} 1", attempt, name)
    [row] = await report(api, "attempts", user=name)
    assert (row["course"], row["status"], row["overdue"], row["number"]) == (name, "InProgress", True, 1)
    assert (row["unique_seconds"], row["duration_seconds"], row["coverage_fraction"]) == (300, 1200, 0.25)
    assert (row["watch_seconds"], row["effective_seconds"], row["skips"]) == (300, 240, 2)
    assert row["speeds"] == [
        {"speed": 1.0, "watch_seconds": 30, "effective_seconds": 30},
        {"speed": 2.0, "watch_seconds": 30, "effective_seconds": 15},
    ]
    first, second = row["lessons"]
    assert (first["lesson"], first["status"], first["coverage_fraction"]) == (f"{name} 1", "InProgress", 0.5)
    assert (first["skips"], first["speeds"]) == (2, row["speeds"])
    assert (second["status"], second["unique_seconds"], second["started_at"]) == ("Assigned", 0, None)
    [line] = await lines(api, "attempts", user=name)
    assert (line["user"], line["overdue"], line["coverage_fraction"]) == (name, "true", "0.25")
    assert (line["speeds"], line["completed_at"]) == ("1:30 2:30", "")
    for by in ("courses", "users", "lessons"):
        whose = {"course": name, "user": name}
        found = (await report(api, by, **whose))[0] if by != "lessons" else (await whole(api, **whose))[0]
        assert (found["in_progress"], found["overdue"], found["skips"]) == (1, 1, 2), by
        assert found["speeds"] == row["speeds"]


async def whole(api: Api, **named: str) -> list[Document]:
    query = "?" + "&".join(f"{part}={escaped(value)}" for part, value in named.items())
    items: list[Document] = (await call(api, "report_lessons", query=query)).json["items"]
    return items


async def skip(database_url: str, lesson: str, attempt: int, user: str) -> None:
    """Five seeks past the limit, two of them skips."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(SESSION, lesson, user, lesson, attempt)
    await connection.execute(SEEK, lesson, user, lesson, attempt)
    await connection.close()


@pytest.fixture
async def school(api: Api, name: str, courses: Courses) -> dict[str, Any]:
    """Two courses, five users in both; those below 3 are a team. User 1 is done with the first, user 2 has begun it."""
    users = [f"{name} {number}" for number in range(5)]
    for letter in "ab":
        lessons = [f"{name} {letter}"]
        body = course(*lessons)
        await call(api, "put_course", body, course=f"{name} {letter}")
    wishes = [{"course": f"{name} {letter}", "user": user} for letter in "ab" for user in users]
    await call(api, "post_assignments", wishes)
    await call(api, "put_team", {"title": "=T"}, team=name)
    await call(api, "add_members", {"users": users[:3]}, team=name)
    for number, cells in ((1, 600), (2, 60)):
        attempt = await assign(api, f"{name} a", users[number])
        await note(courses, attempt, f"{name} a", cells)
    await assign(api, f"{name} a", users[3], due="2020-01-01")
    await assign(api, f"{name} b", users[4], due="2099-01-01")
    return {"users": users, "a": f"{name} a", "b": f"{name} b", "team": name}


async def test_filters_take_what_they_say(api: Api, school: dict[str, Any]) -> None:
    users, a, b = school["users"], school["a"], school["b"]

    async def found(query: str = "", **named: str) -> list[tuple[str, str]]:
        return [(row["course"], row["user"]) for row in await report(api, "attempts", query, **named)]

    assert await found(course=a) == [(a, user) for user in users]
    assert await found(team=school["team"]) == [(one, user) for user in users[:3] for one in (a, b)]
    assert await found(team=school["team"], course=b) == [(b, user) for user in users[:3]]
    assert await found(user=users[1]) == [(a, users[1]), (b, users[1])]
    assert await found(user=users[1], course=b) == [(b, users[1])]
    assert await found("&status=Completed", course=a) == [(a, users[1])]
    assert await found("&status=InProgress", team=school["team"]) == [(a, users[2])]
    assert await found("&overdue=true", course=a) == [(a, users[3])]
    assert await found("&overdue=false&status=Assigned", course=a) == [(a, users[0]), (a, users[4])]
    assert await found("&due_before=2020-01-02", course=a) == [(a, users[3])]
    assert await found("&due_before=2020-01-01", course=a) == []
    assert await found("&due_after=2020-01-01", course=a) == []
    assert await found("&due_after=2098-12-31T00:00:00Z", course=b) == [(b, users[4])]
    assert await found("&due_after=2099-01-01&time_zone=Asia/Tokyo", course=b) == [(b, users[4])]
    everywhere = await found()
    assert everywhere == sorted(everywhere, key=lambda one: [part.encode() for part in one])
    assert {(one, user) for one in (a, b) for user in users} <= set(everywhere)
    await call(api, "unassign", course=a, user=users[4])
    assert (a, users[4]) not in await found(course=a)
    assert (a, users[4]) in await found("&with_unassigned=true", course=a)


async def test_pages_hold_each_row_once_however_much_is_passed_over(
    api: Api, school: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks of two assignments, and no more than four looked at for a page."""
    monkeypatch.setattr(reports, "CHUNK", 2)
    monkeypatch.setattr(reports, "LOOKED_AT_MAX", 4)
    for query, named in (("", {"team": school["team"]}), ("", {"course": school["a"]}), ("", {})):
        rows = await report(api, "attempts", query, **named)
        keys = [(row["course"], row["user"]) for row in rows]
        assert len(keys) == len(set(keys))
        assert {one for one in keys if one[0] == school["a"]} == {
            (school["a"], user) for user in (school["users"][:3] if "team" in named else school["users"])
        }
    late = await report(api, "attempts", "&overdue=true", course=school["a"])
    assert [row["user"] for row in late] == [school["users"][3]]
    assert len(await lines(api, "attempts", course=school["a"])) == 5


async def test_totals_of_a_course_a_lesson_a_team_and_users(api: Api, school: dict[str, Any]) -> None:
    users, a = school["users"], school["a"]
    [row] = await report(api, "courses", course=a)
    counts = ("assignments", "assigned", "in_progress", "completed", "overdue", "attempts")
    assert [row[one] for one in counts] == [5, 3, 1, 1, 1, 5]
    assert (row["unique_seconds"], row["duration_seconds"], row["coverage_fraction"]) == (660, 3000, 0.22)
    assert (row["watch_seconds"], row["effective_seconds"]) == (660, 528)
    [lesson] = await whole(api, course=a)
    assert (lesson["lesson"], [lesson[one] for one in counts]) == (a, [5, 3, 1, 1, 1, 5])
    [of_team] = await report(api, "teams", team=school["team"])
    assert (of_team["title"], [of_team[one] for one in counts]) == ("=T", [6, 4, 1, 1, 0, 6])
    [of_team_in_course] = await report(api, "teams", team=school["team"], course=a)
    assert [of_team_in_course[one] for one in counts] == [3, 1, 1, 1, 0, 3]
    found = await report(api, "users", team=school["team"])
    assert [(one["user"], one["assignments"], one["unique_seconds"]) for one in found] == [
        (users[0], 2, 0),
        (users[1], 2, 600),
        (users[2], 2, 60),
    ]
    done = await report(api, "users", "&status=Completed", course=a)
    assert [(one["user"], one["assignments"]) for one in done] == [(users[1], 1)]
    of_courses = await report(api, "courses", team=school["team"])
    assert [(one["course"], one["assignments"]) for one in of_courses] == [(a, 3), (school["b"], 3)]
    everybody = await report(api, "users")
    assert [one["user"] for one in everybody if one["user"] in users] == users
    assert a in {one["course"] for one in await report(api, "courses")}
    assert school["team"] in {one["team"] for one in await report(api, "teams")}


async def test_a_csv_has_all_rows_and_no_formulas(api: Api, school: dict[str, Any]) -> None:
    users, a = school["users"], school["a"]
    assert [one["user"] for one in await lines(api, "users", course=a)] == users
    assert [
        one["user"] for one in await lines(api, "attempts", "format=csv", accept="*/*", course=a)
    ] == users
    by_lesson = await lines(api, "attempts", "by_lesson=true", team=school["team"], course=a)
    assert [(one["user"], one["lesson"], one["status"], one["unique_seconds"]) for one in by_lesson] == [
        (users[0], a, "Assigned", "0"),
        (users[1], a, "Completed", "600"),
        (users[2], a, "InProgress", "60"),
    ]
    [team] = await lines(api, "teams", team=school["team"])
    assert (team["title"], team["assignments"]) == ("'=T", "6")
    [lesson] = await lines(api, "lessons", course=a)
    assert (lesson["lesson"], lesson["completed"], lesson["coverage_fraction"]) == (a, "1", "0.22")
    assert a in {one["course"] for one in await lines(api, "courses")}
    asked = await api.call(
        "GET", f"/v1/reports/users?format=json&course={escaped(a)}", headers={"Accept": "text/csv"}
    )
    assert asked.headers["Content-Type"] == "application/json"


async def test_a_csv_that_breaks_off_is_no_whole_one(
    api: Api, school: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails before the first line is a problem as ever; later the connection ends without the end of the body."""
    path = f"/v1/reports/attempts?format=csv&course={escaped(school['a'])}"
    lines_of = Reports.lines

    async def failing(made: Reports, question: Question, now_us: int, limit: int, after: Place) -> Page[Line]:
        if after >= fails_after:
            raise PostgresUnavailable("gone")
        return await lines_of(made, question, now_us, limit, after)

    monkeypatch.setattr(edge, "LINES_AT_ONCE", 2)
    monkeypatch.setattr(Reports, "lines", failing)
    fails_after = (school["users"][4], "")
    assert len((await api.get(path)).body.splitlines()) == 6
    fails_after = (school["users"][1], "")
    with pytest.raises(ClientPayloadError):
        await api.get(path)
    fails_after = ("", "")
    answer = await api.get(path)
    assert (answer.status, answer.is_problem) == (503, True)


async def test_a_report_of_each_attempt_is_as_it_was_then(api: Api, name: str, courses: Courses) -> None:
    """What is renewed starts at nothing; a lesson that came after a completion is no part of it."""
    await put(api, name)
    attempt = await assign(api, name, name)
    for number in (1, 2):
        await note(courses, attempt, f"{name} {number}", 600)
    await call(api, "put_course", course(f"{name} 1", f"{name} 3"), course=name)
    [done] = await report(api, "attempts", user=name)
    assert (done["status"], done["coverage_fraction"]) == ("Completed", 1)
    assert [one["lesson"] for one in done["lessons"]] == [f"{name} 1", f"{name} 2"]
    await call(api, "renew", {"after": 1}, course=name, user=name)
    [renewed] = await report(api, "attempts", user=name)
    assert (renewed["status"], renewed["number"], renewed["unique_seconds"]) == ("Assigned", 2, 0)
    assert renewed["last_completed_at"] == done["completed_at"]
    assert [one["lesson"] for one in renewed["lessons"]] == [f"{name} 1", f"{name} 3"]
    [totals] = await report(api, "courses", course=name)
    assert (totals["assigned"], totals["attempts"]) == (1, 2)


async def test_of_another_video_only_what_was_completed_counts(api: Api, name: str, courses: Courses) -> None:
    await put(api, name)
    attempt = await assign(api, name, name)
    await note(courses, attempt, f"{name} 1", 600)
    await note(courses, attempt, f"{name} 2", 300)
    lessons = course(f"{name} 1", f"{name} 2")["lessons"]
    changed = [one | {"slug": "other", "duration_seconds": 900} for one in lessons]
    await call(api, "put_course", course() | {"lessons": changed}, course=name)
    [row] = await report(api, "attempts", user=name)
    assert [(one["revision"], one["unique_seconds"], one["duration_seconds"]) for one in row["lessons"]] == [
        (1, 600, 600),
        (2, 0, 900),
    ]
    assert (row["unique_seconds"], row["watch_seconds"]) == (600, 900)


@pytest.mark.parametrize(
    "query",
    [
        "attempts?status=done",
        "attempts?overdue=maybe",
        "attempts?due_before=soon",
        "attempts?due_after=2026-01-01&time_zone=Europe/Atlantis",
        "attempts?user=a&team=b",
        "attempts?format=xml",
        "attempts?format=csv&limit=10",
        "attempts?limit=0",
        "attempts?by_lesson=true",
        "attempts?cursor=AAAA",
        "attempts?course=%00",
        "lessons",
        "lessons?course=a&cursor=AAAA",
        "teams?user=a",
    ],
)
async def test_what_cannot_be_asked_is_refused(api: Api, query: str) -> None:
    answer = await api.get(f"/v1/reports/{query}")
    assert answer.status == 400, answer.body
    assert answer.is_problem


@pytest.mark.parametrize("by", ["attempts", "courses", "lessons", "teams", "users"])
async def test_a_course_or_a_team_that_is_not_there_is_not_found(api: Api, name: str, by: str) -> None:
    """While users are not known by name: who has nothing is in no row."""
    await put(api, f"{name} course")
    there = f"course={escaped(f'{name} course')}"
    for query in (f"course={escaped(name)}", f"{there}&team={escaped(name)}"):
        for form in ("", "&format=csv"):
            answer = await api.get(f"/v1/reports/{by}?{query}{form}")
            assert (answer.status, answer.is_problem) == (404, True), answer.body
    if by != "teams":
        assert (await api.get(f"/v1/reports/{by}?{there}&user={escaped(name)}")).json["items"] == []


async def test_what_is_added_up_where_it_is_kept_is_the_sum_of_its_rows(
    api: Api, name: str, courses: Courses, viewings: Viewings, module_database_url: str
) -> None:
    """Whatever became of them meanwhile: lessons replaced, removed, new; attempts completed and closed."""
    letters = "abcd"
    await call(api, "put_course", course(*(f"{name} {letter}" for letter in letters)), course=name)
    users = [f"{name} {number}" for number in range(8)]
    attempts = [await assign(api, name, user, due="2020-01-01") for user in users]
    for number, attempt in enumerate(attempts):
        for place, letter in enumerate(letters):
            cells = (0, 60, 580, 600)[number + place & 3] if number != 5 else 600
            if cells:
                await note(courses, attempt, f"{name} {letter}", cells)
    await viewings.add("v", (0, 30), user=users[0], scope=4, speed=1500)
    await viewings.extend(attempts[0], f"{name} b", "v", user=users[0], first=4)
    await note(courses, attempts[0], f"{name} b", 60)
    await skip(module_database_url, f"{name} a", attempts[1], user=users[1])
    await call(api, "unassign", course=name, user=users[6])
    await call(api, "renew", {"after": 1}, course=name, user=users[7])
    changed = course(*(f"{name} {letter}" for letter in "bce"))
    changed["lessons"][1] |= {"slug": "other", "duration_seconds": 900}
    await call(api, "put_course", changed, course=name)
    await note(courses, attempts[2], f"{name} e", 600)
    rows = await report(api, "attempts", "&with_unassigned=true", course=name)
    assert len(rows) == 8
    [totals] = await report(api, "courses", "&with_unassigned=true", course=name)
    lessons = await whole(api, course=name, with_unassigned="true")
    assert {one["lesson"]: counted(one) for one in lessons} == added(
        [(lesson["lesson"], row, lesson) for row in rows for lesson in row["lessons"]]
    )
    assert {name: counted(totals)} == added([(name, row, row) for row in rows])


COUNTED = (
    "unique_seconds",
    "credited_seconds",
    "duration_seconds",
    "watch_seconds",
    "effective_seconds",
    "skips",
)


def counted(totals: Document) -> dict[str, Any]:
    counts = ("assigned", "in_progress", "completed", "overdue", "attempts", *COUNTED)
    return {one: totals[one] for one in counts} | {"speeds": {one["speed"]: one for one in totals["speeds"]}}


def added(parts: list[tuple[str, Document, Document]]) -> dict[str, dict[str, Any]]:
    """Of each name the sum of its parts, each of a row."""
    found: dict[str, dict[str, Any]] = {}
    for name, row, part in parts:
        sums = found.setdefault(
            name,
            dict.fromkeys(("assigned", "in_progress", "completed", "overdue", "attempts", *COUNTED), 0)
            | {"speeds": {}},
        )
        for one in COUNTED:
            sums[one] += part[one]
        sums[
            {"Assigned": "assigned", "InProgress": "in_progress", "Completed": "completed"}[part["status"]]
        ] += 1
        sums["overdue"] += row["overdue"] and part["status"] != "Completed"
        sums["attempts"] += row["number"]
        for pace in part["speeds"]:
            known = sums["speeds"].setdefault(
                pace["speed"], dict.fromkeys(pace, 0) | {"speed": pace["speed"]}
            )
            known["watch_seconds"] += pace["watch_seconds"]
            known["effective_seconds"] += pace["effective_seconds"]
    return found
