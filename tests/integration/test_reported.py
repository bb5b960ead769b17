"""The whole way: what players send is credited and reported within seconds, by a playhead of its own."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.integration.serving import Serving, ended
from tests.integration.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LESSONS = [
    {"lesson": name, "slug": f"{name}-video", "title": name, "duration_seconds": 60}
    for name in ("intro", "rules")
]
SECONDS_MAX = 30.0


class Office:
    """What a company's servers ask playhead for."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        async with self._session.request(method, self._url + path, json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def watch(self, lesson: str, first: int, end: int, session: str, speed: float = 1) -> None:
        segment = {"kind": "segment", "from": first, "at": end, "session": session, "speed": speed}
        await self.ask("POST", "/v1/events", {"user": "ann", "slug": f"{lesson}-video", **segment})

    async def row(self) -> Any:
        [row] = (await self.ask("GET", "/v1/reports/attempts?team=sales"))["items"]
        return row

    async def reports(self, **told: object) -> Any:
        """Wait until a row of the report says all of this."""

        async def is_told() -> bool:
            row: dict[str, object] = await self.row()
            return {name: row[name] for name in told} == told

        await until(is_told, f"the report says {told}", SECONDS_MAX)
        return await self.row()

    async def credited(self, seconds: int) -> Any:
        """Ask for credits until there are so many seconds of them."""
        given: list[Any] = []

        async def is_enough() -> bool:
            answer = await self.ask("POST", "/v1/credits", {"course": "safety", "user": "ann"})
            given.extend(answer["credits"])
            return sum(int(credit["unique_seconds"]) for credit in given) >= seconds

        await until(is_enough, f"{seconds} s are credited", SECONDS_MAX)
        return given

    async def lines(self, by: str) -> list[dict[str, str]]:
        async with self._session.get(f"{self._url}/v1/reports/{by}?team=sales&format=csv") as answer:
            assert answer.status == 200
            return list(csv.DictReader(io.StringIO((await answer.read()).decode("utf-8-sig"), newline="")))


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    with ended(Serving(tmp_path / "data", flush_interval_ms=50, follow_interval_seconds=0.1)) as serving:
        serving.start()
        async with aiohttp.ClientSession() as session:
            yield Office(session, serving.url)
        assert serving.stop() == 0


async def test_watching_is_credited_reported_and_taken_back(office: Office) -> None:
    await office.ask("PUT", "/v1/courses/safety", {"title": "Safety", "lessons": LESSONS})
    await office.ask("PUT", "/v1/teams/sales", {"title": "Sales"})
    await office.ask("POST", "/v1/teams/sales/members", {"users": ["ann"]})
    await office.watch("intro", 0, 40, "home")
    await office.ask("POST", "/v1/assignments", {"course": "safety", "user": "ann", "due": "2020-01-01"})
    [credit] = await office.credited(40)
    assert [(share["session"], share["coverage"]) for share in credit["shares"]] == [("home", [[0, 40]])]
    given = await office.row()
    assert (given["status"], given["credited_seconds"], given["last_viewed_at"]) == ("InProgress", 40, None)

    await office.watch("intro", 30, 60, "work", speed=2)
    started = await office.ask("POST", "/video/sessions", {"userId": "ann", "lessonId": "rules"})
    seeks = {"seeks": [{"fromSecond": 0, "toSecond": 30}]}
    await office.ask("POST", f"/video/sessions/{started['sessionId']}/progress", seeks)
    await office.watch("rules", 30, 60, "work")
    row = await office.reports(unique_seconds=90, skips=1)
    assert (row["status"], row["overdue"], row["coverage_fraction"]) == ("InProgress", True, 0.75)
    assert (row["watch_seconds"], row["effective_seconds"]) == (60, 45)
    assert row["speeds"] == [
        {"speed": 1, "watch_seconds": 30, "effective_seconds": 30},
        {"speed": 2, "watch_seconds": 30, "effective_seconds": 15},
    ]
    assert [lesson["status"] for lesson in row["lessons"]] == ["Completed", "InProgress"]

    await office.watch("rules", 0, 30, "work")
    done = await office.reports(status="Completed")
    assert (done["overdue"], done["coverage_fraction"], done["skips"]) == (False, 1, 1)
    [line] = await office.lines("courses")
    assert (line["course"], line["completed"], line["speeds"]) == ("safety", "1", "1:60 2:30")

    gone = await office.ask("DELETE", f"/v1/credits/{credit['credit']}")
    assert gone["withdrawn_completion_at"] is not None
    short = await office.row()
    assert (short["status"], short["completed_at"], short["unique_seconds"]) == ("InProgress", None, 90)
    assert short["last_completed_at"] is None
    await office.watch("intro", 0, 30, "home")
    again = await office.reports(status="Completed")
    renewed = await office.ask("POST", "/v1/assignments/safety/ann/attempts", {"after": 1})
    fresh = await office.row()
    assert (fresh["attempt"], fresh["status"], fresh["unique_seconds"]) == (renewed["attempt"], "Assigned", 0)
    assert (fresh["number"], fresh["last_completed_at"]) == (2, again["completed_at"])
    answer = await office.ask("POST", "/v1/credits", {"attempt": renewed["attempt"]})
    assert answer["credits"] == []
