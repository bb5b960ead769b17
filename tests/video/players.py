"""A player, and the school that it plays in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import orjson

from service.api.video.calls import VIDEO_CALLS
from tests.api.client import JSON, escaped
from tests.api.test_openapi import conforms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.client import Answer, Api, Document

PART = re.compile(r"\{(\w+):\[\^/\]\+\}")
BY_NAME = {call.name: call for call in VIDEO_CALLS}
LESSON_SECONDS = 100


async def call(api: Api, name: str, body: object = None, query: str = "", **parts: str) -> Answer:
    """Make a call by its name, and hold the answer to its description. `parts` fill in its path."""
    made = BY_NAME[name]
    path = PART.sub(lambda part: escaped(parts[part[1]]), made.path)
    sent = body if isinstance(body, bytes) else None if body is None else orjson.dumps(body)
    answer = await api.call(made.method, path + query, sent, JSON)
    conforms(made, answer)
    return answer


async def put_course(api: Api, name: str, policy: str = "block", lessons: int = 1, **changed: object) -> None:
    """A course of lessons named `<name> 1` and so on, each a video of its own."""
    body = {
        "title": "T",
        "skip_policy": policy,
        "lessons": [
            {
                "lesson": f"{name} {number}",
                "slug": f"{name} video {number}",
                "title": "L",
                "duration_seconds": LESSON_SECONDS,
            }
            | changed
            for number in range(1, lessons + 1)
        ],
    }
    answer = await api.call("PUT", f"/v1/courses/{escaped(name)}", orjson.dumps(body), JSON)
    assert answer.status == 200, answer.body


async def assign(api: Api, name: str, user: str = "ann") -> int:
    """Gives the attempt."""
    answer = await api.call("POST", "/v1/assignments", orjson.dumps({"course": name, "user": user}), JSON)
    attempt = answer.json["assignment"]["attempt"]
    assert isinstance(attempt, int)
    return attempt


async def unassign(api: Api, name: str, user: str = "ann") -> None:
    answer = await api.call("DELETE", f"/v1/assignments/{escaped(name)}/{escaped(user)}")
    assert answer.status == 200, answer.body


def segment(name: str, start: float, end: float, speed: float = 1, **more: object) -> Document:
    return {"clientEventId": name, "startSecond": start, "endSecond": end, "speed": speed} | more


def seek(start: float, end: float, name: str | None = None, **more: object) -> Document:
    named = {} if name is None else {"clientEventId": name}
    return named | {"fromSecond": start, "toSecond": end} | more


@dataclass
class Player:
    """One session of one user with one lesson."""

    api: Api
    session: str
    attempt: int | None
    names: Iterator[int] = field(default_factory=count)

    async def play(self, *spans: tuple[float, float], speed: float = 1) -> Document:
        """Report these stretches in one body; each gets a name of its own."""
        segments = [segment(f"s{next(self.names)}", start, end, speed) for start, end in spans]
        return await self.report(segments=segments)

    async def seek(self, start: float, end: float, **more: object) -> Document:
        [judged] = (await self.report(seeks=[seek(start, end, f"k{next(self.names)}", **more)]))["seeks"]
        assert isinstance(judged, dict)
        return judged

    async def report(self, **body: object) -> Document:
        answer = await call(self.api, "report_progress", body, sessionId=self.session)
        assert answer.status == 200, answer.body
        found = answer.json
        assert isinstance(found, dict)
        return found


async def start(api: Api, name: str, user: str = "ann", **more: object) -> Player:
    answer = await call(api, "start_session", {"userId": user, "lessonId": f"{name} 1"} | more)
    assert answer.status == 200, answer.body
    return Player(api, answer.json["sessionId"], answer.json["attemptId"])


async def pair(api: Api, name: str, user: str = "ann") -> Any:
    """The lifetime counters of the first lesson's video."""
    answer = await api.pair(user, f"{name} video 1")
    assert answer.status == 200, answer.body
    return answer.json
