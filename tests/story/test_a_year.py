"""A year of an employee, as those who take part in it see it: Ann, who learns; Mia, who manages; Ada, who assigns."""

from __future__ import annotations

import csv
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.waiting import until
from tests.story.telling import Document, Player, Somebody, Years, segment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COURSE = {
    "title": "Safety at work",
    "time_zone": "Europe/Berlin",
    "skip_policy": "block",
    "renewal": {"every_months": 12, "lead_days": 30},
    "lessons": [
        {"lesson": "intro", "slug": "intro-2025", "title": "Introduction", "duration_seconds": 100},
        {"lesson": "ladders", "slug": "ladders-2025", "title": "Ladders", "duration_seconds": 60},
    ],
}
SPEEDS = [(1, [[70, 95]]), (2, [[20, 60]])]
"""What she watched of the introduction at which speed."""

SOON_SECONDS = 25.0
"""Within this what was watched is in every report, however busy the machine is."""


@pytest.fixture
def years(tmp_path: Path) -> Iterator[Years]:
    told = Years(tmp_path)
    yield told
    told.end()


async def test_a_year_of_an_employee(years: Years) -> None:
    ann, bob = Player(years, "ann"), Player(years, "bob")
    mia = Somebody(years, "mia", "manager", "warehouse")
    ada = Somebody(years, "ada", "admin")

    years.morning_of("2025-03-03")
    await ada.does("PUT", "/v1/courses/safety", COURSE)
    await ada.does("PUT", "/v1/teams/warehouse", {"title": "Warehouse"})
    await ada.does("POST", "/v1/teams/warehouse/members", {"users": ["ann", "bob"]})
    await watches_unassigned(ann, mia)

    years.morning_of("2025-06-02")
    attempt = await is_assigned_and_credited(ada, ann, mia)
    session = await is_blocked(ann)
    await watches_at_double_speed(ann, session, mia)
    await loses_the_network(ann, session, years, attempt)
    await finishes(ann, attempt, mia)
    await cannot_see_others(ann, bob)

    years.morning_of("2026-05-02")
    assert (await newest(ada)) == (1, "Completed")  # 30 days before the end of 2 June, and not yet

    years.morning_of("2026-05-03")
    second = await is_renewed(ann, ada, attempt)
    await watches_it_all_again(ann, second, mia)
    await tells_it_as_a_table(mia)
    assert years.serving.stop() == 0


async def watches_unassigned(ann: Player, mia: Somebody) -> None:
    """It is tracked like any other watching; seeking is free, and a long jump is a skip."""
    session = await ann.opens("intro")
    assert (session["attemptId"], session["isAssigned"]) == (None, False)
    await ann.watches(session, (0, 20))
    jump = await ann.seeks(session, 20, 24)
    assert (jump["allowed"], jump["isSkip"]) == (True, False)
    jump = await ann.seeks(session, 24, 60)
    assert (jump["allowed"], jump["isSkip"], jump["limitSecond"]) == (True, True, 20)
    await ann.watches(session, (60, 70))
    assert (await ann.closes(session))["closedBy"] == "client"

    skips = await ann.sees(f"/video/sessions/{session['sessionId']}/skip-analytics")
    assert (skips["skips"], skips["skippedSeconds"]) == (1, 40)

    async def is_history() -> bool:
        told = await ann.sees("/video/users/ann/unassigned-history")
        return [(item["lessonId"], item["uniqueSeconds"]) for item in told["items"]] == [("intro", 30)]

    await until(is_history, "what she watched is her history", SOON_SECONDS)
    [kept] = (await ann.sees("/video/users/ann/lessons/intro/progress"))["sessions"]
    assert (kept["watchSeconds"], kept["uniqueSeconds"]) == (30, 30)
    movie = await ann.sees("/v1/users/ann/movies/intro-2025")
    assert (movie["watch_seconds"], movie["coverage"]) == (30, [[0, 20], [60, 70]])
    assert (await mia.sees("/v1/reports/users", team="warehouse"))["items"] == []


async def is_assigned_and_credited(ada: Somebody, ann: Player, mia: Somebody) -> int:
    """The attempt starts with nothing; the credit is what she watched before, once, by session."""
    status, told = await ann.asks("POST", "/v1/assignments", {"course": "safety", "user": "ann"})
    assert status == 403, told
    for user in ("ann", "bob"):
        wish = {"course": "safety", "user": user, "due": "2025-07-01", "time_zone": "Europe/Berlin"}
        await ada.does("POST", "/v1/assignments", wish)
    given = await ada.sees("/v1/assignments/safety/ann")
    assert (given["status"], given["number"], given["due_at"]) == (
        "Assigned",
        1,
        "2025-07-01T22:00:00.000000Z",
    )
    attempt: int = given["attempt"]
    assert [lesson["unique_seconds"] for lesson in await lessons(ann, attempt)] == [0, 0]

    credit = await ada.does("POST", "/v1/credits", {"course": "safety", "user": "ann"})
    assert credit["unique_seconds"] == 30
    [share] = credit["credits"][0]["shares"]
    assert (share["coverage"], share["slug"]) == ([[0, 20], [60, 70]], "intro-2025")
    again = await ada.does("POST", "/v1/credits", {"course": "safety", "user": "ann"})
    assert (again["unique_seconds"], again["credits"]) == (0, [])
    assert [lesson["unique_seconds"] for lesson in await lessons(ann, attempt)] == [30, 0]
    await report_says(mia, status="InProgress", unique=30, credited=30, watch=0, effective=0, skips=0)

    await ada.does("DELETE", f"/v1/credits/{credit['credits'][0]['credit']}")
    assert [lesson["unique_seconds"] for lesson in await lessons(ann, attempt)] == [0, 0]
    await ada.does("POST", "/v1/credits", {"course": "safety", "user": "ann"})
    return attempt


async def is_blocked(ann: Player) -> Document:
    """Past what she is known to have watched from the start she cannot seek, and is told so each time she asks."""
    session = await ann.opens("intro")
    assert session["isAssigned"]
    for _ in range(2):
        jump = await ann.seeks(session, 0, 50)
        assert (jump["allowed"], jump["happened"], jump["isSkip"], jump["limitSecond"]) == (
            False,
            False,
            False,
            20,
        )
    asked = await ann.sees(f"/video/sessions/{session['sessionId']}/limit", toSecond="50")
    assert (asked["allowed"], asked["limitSecond"], asked["policy"]) == (False, 20, "block")
    return session


async def watches_at_double_speed(ann: Player, session: Document, mia: Somebody) -> None:
    await ann.watches(session, (20, 60), speed=2)
    lesson = (await lessons(ann, session["attemptId"]))[0]
    assert (lesson["watch_seconds"], lesson["effective_seconds"]) == (40, 20)
    assert (lesson["unique_seconds"], lesson["verified_seconds"]) == (70, 70)
    await report_says(mia, status="InProgress", unique=70, credited=30, watch=40, effective=20, skips=0)
    [told] = (await mia.sees("/v1/reports/attempts", user="ann"))["items"]
    assert told["speeds"] == [{"speed": 2, "watch_seconds": 40, "effective_seconds": 20}]


async def loses_the_network(ann: Player, session: Document, years: Years, attempt: int) -> None:
    """Her session ends with what it had; what she went on watching comes later, twice, and the last part first."""
    years.pass_by(minutes=6)
    path = "/video/users/ann/lessons/intro/progress"

    async def is_closed() -> bool:
        [latest, *_] = (await ann.sees(path))["sessions"]
        return bool(latest["closedBy"] == "stale")

    await until(is_closed, "her session is closed", SOON_SECONDS)
    late = [segment(85, 95), segment(70, 85)]
    body = {"sessions": [{"sessionId": session["sessionId"], "segments": [one]} for one in (*late, *late)]}
    synced = (await ann.does("POST", "/video/sync", body))["sessions"]
    assert [(one["accepted"], one["duplicates"]) for one in synced] == [(1, 0), (1, 0), (0, 1), (0, 1)]
    lesson = (await lessons(ann, attempt))[0]
    assert (lesson["unique_seconds"], lesson["still_needed_seconds"], lesson["watch_seconds"]) == (95, 0, 65)


async def finishes(ann: Player, attempt: int, mia: Somebody) -> None:
    status, missing = await ann.asks("PUT", f"/video/attempts/{attempt}/complete")
    assert status == 409
    assert "ladders" in str(missing)
    session = await ann.opens("ladders")
    await ann.watches(session, (0, 30), (30, 60))
    completed = await ann.does("PUT", f"/video/attempts/{attempt}/complete")
    assert completed["status"] == "Completed"
    await ann.closes(session)
    await report_says(mia, status="Completed", unique=155, credited=30, watch=125, effective=105, skips=0)
    [course] = (await mia.sees("/v1/reports/teams", team="warehouse"))["items"]
    assert (course["assignments"], course["completed"], course["assigned"]) == (2, 1, 1)

    async def is_followed() -> bool:
        """At which speed what was watched is told some moments later than what was."""
        intro, _ = (await ann.sees(f"/v1/attempts/{attempt}/why"))["lessons"]
        return [(one["speed"], one["coverage"]) for one in intro["speeds"]] == SPEEDS

    await until(is_followed, "all of it is followed", SOON_SECONDS)
    why = await ann.sees(f"/v1/attempts/{attempt}/why")
    intro = why["lessons"][0]
    assert (intro["covered"], intro["missing"]) == ([[0, 95]], [[95, 100]])
    assert [(one["from_seconds"], one["to_seconds"], one["verdict"]) for one in intro["skipped"]] == [
        (0, 50, "blocked")  # the same report twice is one seek
    ]


async def cannot_see_others(ann: Player, bob: Player) -> None:
    for path in (
        "/v1/users/ann",
        "/v1/assignments/safety/ann",
        "/video/users/ann/lessons/intro/progress",
        "/v1/reports/users?user=ann",
    ):
        plain, _, question = path.partition("?")
        status, _ = await bob.asks("GET", plain, **dict([question.split("=")] if question else []))
        assert status in (403, 404), path
    await ann.sees("/v1/users/ann")


async def is_renewed(ann: Player, ada: Somebody, first: int) -> int:
    """By the rule, a month before a year has gone by. The first attempt stays as it was; a limit starts afresh."""

    async def is_opened() -> bool:
        return await newest(ada) == (2, "Assigned")

    await until(is_opened, "the second attempt", SOON_SECONDS)
    given = await ada.sees("/v1/assignments/safety/ann")
    assert given["due_at"] == "2026-06-02T22:00:00.000000Z"
    assert [lesson["unique_seconds"] for lesson in await lessons(ann, first)] == [95, 60]
    assert (await ann.sees(f"/v1/attempts/{first}"))["status"] == "Completed"
    second: int = given["attempt"]

    async def is_fresh() -> bool:
        return [lesson["unique_seconds"] for lesson in await lessons(ann, second)] == [0, 0]

    await until(is_fresh, "nothing of it is watched", SOON_SECONDS)
    session = await ann.opens("intro")
    assert session["attemptId"] == second
    assert (await ann.seeks(session, 0, 10))["limitSecond"] == 0
    overdue = await ada.sees("/v1/reports/attempts", course="safety", overdue="true")
    assert [one["user"] for one in overdue["items"]] == ["bob"]
    return second


async def watches_it_all_again(ann: Player, second: int, mia: Somebody) -> None:
    for lesson, end in (("intro", 100), ("ladders", 60)):
        session = await ann.opens(lesson)
        await ann.watches(session, *((start, start + 10) for start in range(0, end, 10)))
        await ann.closes(session)
    await report_says(mia, status="Completed", unique=160, credited=0, watch=160, effective=160, skips=0)
    [told] = (await mia.sees("/v1/reports/users", user="ann"))["items"]
    assert (told["assignments"], told["completed"], told["attempts"]) == (1, 1, 2)
    assert [lesson["unique_seconds"] for lesson in await lessons(ann, second)] == [100, 60]
    lifetime = await ann.sees("/v1/users/ann/movies/intro-2025")
    assert (lifetime["watch_seconds"], lifetime["unique_seconds"]) == (30 + 65 + 100, 100)
    assert (await ann.sees("/v1/users/ann"))["watch_seconds"] == 30 + 125 + 160


async def tells_it_as_a_table(mia: Somebody) -> None:
    table = await mia.sees("/v1/reports/attempts", team="warehouse", format="csv")
    rows = list(csv.DictReader(table.splitlines()))
    assert [(row["user"], row["number"], row["status"], row["overdue"]) for row in rows] == [
        ("ann", "2", "Completed", "false"),
        ("bob", "1", "Assigned", "true"),
    ]


async def newest(ada: Somebody) -> tuple[int, str]:
    given = await ada.sees("/v1/assignments/safety/ann")
    return given["number"], given["status"]


async def lessons(somebody: Somebody, attempt: int) -> list[Any]:
    told: list[Any] = (await somebody.sees(f"/v1/attempts/{attempt}"))["lessons"]
    return told


async def report_says(
    mia: Somebody, *, status: str, unique: int, credited: int, watch: int, effective: int, skips: int
) -> None:
    """Of Ann, to her manager, within seconds."""
    expected = (status, unique, credited, watch, effective, skips)
    found: list[object] = []

    async def says_so() -> bool:
        [told] = (await mia.sees("/v1/reports/attempts", user="ann"))["items"]
        found[:] = [
            (
                told["status"],
                told["unique_seconds"],
                told["credited_seconds"],
                told["watch_seconds"],
                told["effective_seconds"],
                told["skips"],
            )
        ]
        return found == [expected]

    with suppress(AssertionError):
        await until(says_so, "the report", SOON_SECONDS)
    assert found == [expected]
