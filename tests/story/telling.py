"""A playhead that goes on for years within a minute, and the people who use it."""

from __future__ import annotations

import struct
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp
import orjson

from tests.api.provider import AUDIENCE, HS256, ISSUER, SECRET
from tests.faults.surroundings import CLOCK_FOLDER, CLOCK_VARIABLE
from tests.integration.serving import Serving

if TYPE_CHECKING:
    from pathlib import Path

Document = dict[str, Any]
SECOND_NS = 1_000_000_000
FAR_AHEAD = 4_000_000_000


class Years:
    """A real playhead, whose clock is set by the one who tells the story. Between two days it is ended and started."""

    def __init__(self, folder: Path) -> None:
        self._clock = folder / "clock"
        self._clock.write_bytes(struct.pack("=q", 0))
        self.serving = Serving(
            folder / "data",
            tokens_secret=SECRET,
            tokens_issuer=ISSUER,
            tokens_audience=AUDIENCE,
            follow_interval_seconds=0.2,
        )
        self.serving.variables |= {"PYTHONPATH": str(CLOCK_FOLDER), CLOCK_VARIABLE: str(self._clock)}

    def morning_of(self, day: str) -> None:
        """It is 9 o'clock, UTC, and playhead runs."""
        if self.serving.popen:
            assert self.serving.stop() == 0
        self._turn_to(datetime.fromisoformat(f"{day}T09:00:00+00:00"))
        self.serving.start()

    def pass_by(self, **ago: float) -> None:
        """While it runs."""
        self._turn_to(self.now() + timedelta(**ago))

    def now(self) -> datetime:
        return datetime.fromtimestamp((time.time_ns() + self._shift_ns) / SECOND_NS, UTC)

    def end(self) -> None:
        if self.serving.poll() is None:
            self.serving.kill()
        assert self.serving.is_gone(), self.serving.processes()

    def _turn_to(self, moment: datetime) -> None:
        self._shift_ns = int(moment.timestamp() * SECOND_NS) - time.time_ns()
        with self._clock.open("r+b") as file:
            file.write(struct.pack("=q", self._shift_ns))


class Somebody:
    """Who makes calls with a token of their own."""

    def __init__(self, years: Years, name: str, role: str | None = None, *teams: str) -> None:
        roles = [role] if role else []
        token = HS256.token(sub=name, roles=roles, teams=list(teams), exp=FAR_AHEAD, nbf=0, iat=0)
        self.name = name
        self._years = years
        self._headers = {"Authorization": f"Bearer {token}"}

    async def asks(self, method: str, path: str, body: object = None, **query: str) -> tuple[int, Any]:
        """Status and document; text where it is none."""
        url = self._years.serving.url + quote(path)
        data = None if body is None else orjson.dumps(body)
        headers = self._headers | {"Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, url, data=data, headers=headers, params=query) as response,
        ):
            text = await response.text()
            is_json = "json" in response.headers.get("Content-Type", "")
            return response.status, orjson.loads(text) if is_json else text

    async def does(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """What must be answered with success."""
        status, told = await self.asks(method, path, body, **query)
        assert status in (200, 201, 204), (method, path, status, told)
        return told

    async def sees(self, path: str, **query: str) -> Any:
        return await self.does("GET", path, **query)


class Player(Somebody):
    """A learner in front of a screen."""

    async def opens(self, lesson: str) -> Document:
        body = {"userId": self.name, "lessonId": lesson}
        session: Document = await self.does("POST", "/video/sessions", body)
        return session

    async def watches(self, session: Document, *spans: tuple[int, int], speed: float = 1) -> Document:
        """Each span takes its time."""
        told: Document = {}
        for start, end in spans:
            self._years.pass_by(seconds=(end - start) / speed)
            told = await self.reports(session, segments=[segment(start, end, speed)])
        return told

    async def reports(self, session: Document, **progress: object) -> Document:
        told: Document = await self.does("POST", f"/video/sessions/{session['sessionId']}/progress", progress)
        return told

    async def seeks(self, session: Document, start: int, to: int) -> Document:
        told = await self.reports(session, seeks=[{"fromSecond": start, "toSecond": to}])
        decision: Document = told["seeks"][0]
        return decision

    async def closes(self, session: Document) -> Document:
        closed: Document = await self.does("PUT", f"/video/sessions/{session['sessionId']}/close")
        return closed


def segment(start: int, end: int, speed: float = 1, name: str | None = None) -> Document:
    return {
        "clientEventId": name or f"{start}-{end}",
        "startSecond": start,
        "endSecond": end,
        "speed": speed,
    }
