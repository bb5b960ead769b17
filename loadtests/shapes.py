"""The same reads and writes by REST and by GraphQL, in turns: requests a second, and CPU of playhead's HTTP process.

    .venv/bin/python -m loadtests.shapes --seconds 2 --turns 3

Starts a playhead of its own, with one HTTP process, and a course of twenty lessons for fifty users.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp

from loadtests.bench.processor import cpu_by_role
from loadtests.bench.systems.playhead import Playhead

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECTIONS = 16
USERS, LESSONS = 50, 20
NUMBERS = count()

PAIR = 'query { pair(user: "user 1", slug: "video 1") { latest { at } watchSeconds uniqueSeconds verified furthest } }'
ATTEMPT = """query ($n: Long!) {
  attempt(attempt: $n) { status lessons { lesson uniqueSeconds watchSeconds completedAt } }
}"""
OLD_COURSE = """query ($id: ID!) {
  getUserCourse(id: $id) {
    id status course { title } userLessons { items { id progress maxProgress status lesson { title } } }
  }
}"""
OLD_LIST = """query {
  listUserCoursesByCourseId(courseId: "safety", limit: 50) { items { id user status dateLastViewed createdAt } }
}"""
REPORT = "mutation ($s: ID!, $i: ProgressInput!) { reportProgress(sessionId: $s, input: $i) { accepted } }"
POINT = "mutation ($i: CreateUserLessonProgressInput!) { createUserLessonProgress(input: $i) { id } }"


class Way(NamedTuple):
    """One way to do a thing: `request` makes the next one."""

    thing: str
    name: str
    request: Callable[[], bytes]


class Measured(NamedTuple):
    per_second: float
    cpu_us: float
    """Of the HTTP process, a request."""


def spelled(method: str, path: str, body: object = None) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def asked(query: str, **variables: object) -> bytes:
    return spelled("POST", "/graphql", {"query": query, "variables": variables})


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    assert b'"errors"' not in body, body
    return body


async def measure(playhead: Playhead, way: Way, seconds: float) -> Measured:
    async def worker() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", playhead.port)
        done = 0
        while time.monotonic() < until:
            await ask(reader, writer, way.request())
            done += 1
        writer.close()
        return done

    until, before = time.monotonic() + seconds, cpu_by_role(playhead.roots())["http"]
    began = time.monotonic()
    requests = sum(await asyncio.gather(*(worker() for _ in range(CONNECTIONS))))
    spent = cpu_by_role(playhead.roots())["http"] - before
    return Measured(requests / (time.monotonic() - began), spent / requests * 1e6)


async def filled(playhead: Playhead) -> list[Way]:
    """A course that is assigned, and begun; and what is asked of it."""
    async with aiohttp.ClientSession(playhead.url) as http:

        async def call(method: str, path: str, body: object) -> Any:
            async with http.request(method, path, json=body) as answer:
                assert answer.status == 200, await answer.text()
                return await answer.json()

        lessons = [
            {"lesson": f"lesson {n}", "slug": f"video {n}", "title": "L", "duration_seconds": 600}
            for n in range(1, LESSONS + 1)
        ]
        await call("PUT", "/v1/courses/safety", {"title": "Safety", "lessons": lessons})
        users = [f"user {n}" for n in range(1, USERS + 1)]
        await call("POST", "/v1/assignments", [{"course": "safety", "user": user} for user in users])
        for user in users:
            for n in (1, 2):
                await call("POST", "/v1/events", {"user": user, "slug": f"video {n}", "at": 100})
        session = await call("POST", "/video/sessions", {"userId": "user 1", "lessonId": "lesson 3"})
        listed = await call("POST", "/graphql", {"query": OLD_LIST})
        items = listed["data"]["listUserCoursesByCourseId"]["items"]
        [course] = [one["id"] for one in items if one["user"] == "user 1"]
        told = await call("POST", "/graphql", {"query": OLD_COURSE, "variables": {"id": course}})
        lesson = told["data"]["getUserCourse"]["userLessons"]["items"][3]["id"]
    return ways(session["sessionId"], session["attemptId"], course, lesson)


def ways(session: str, attempt: int, course: str, lesson: str) -> list[Way]:
    def report() -> dict[str, object]:
        start = next(NUMBERS) % 500
        return {
            "segments": [
                {"clientEventId": f"s{next(NUMBERS)}", "startSecond": start, "endSecond": start + 10}
            ]
        }

    def point() -> dict[str, object]:
        return {"userLessonId": lesson, "progress": next(NUMBERS) % 590, "id": f"p{next(NUMBERS)}"}

    pair, one = (
        spelled("GET", "/v1/users/user%201/movies/video%201"),
        spelled("GET", f"/v1/attempts/{attempt}"),
    )
    pair_asked, one_asked = asked(PAIR), asked(ATTEMPT, n=attempt)
    course_asked, list_asked = asked(OLD_COURSE, id=course), asked(OLD_LIST)
    event = {"user": "user 2", "slug": "video 4"}
    return [
        Way("read a user on a movie", "REST", lambda: pair),
        Way("read a user on a movie", "GraphQL", lambda: pair_asked),
        Way("read an attempt, 20 lessons", "REST", lambda: one),
        Way("read an attempt, 20 lessons", "GraphQL", lambda: one_asked),
        Way("read an attempt, 20 lessons", "GraphQL, getUserCourse", lambda: course_asked),
        Way("list 50 assignments", "REST", lambda: spelled("GET", "/v1/assignments?course=safety&limit=50")),
        Way("list 50 assignments", "GraphQL, listUserCoursesByCourseId", lambda: list_asked),
        Way(
            "report progress",
            "REST",
            lambda: spelled("POST", f"/video/sessions/{session}/progress", report()),
        ),
        Way("report progress", "GraphQL", lambda: asked(REPORT, s=session, i=report())),
        Way(
            "send a point", "REST", lambda: spelled("POST", "/v1/events", event | {"at": next(NUMBERS) % 590})
        ),
        Way("send a point", "GraphQL, createUserLessonProgress", lambda: asked(POINT, i=point())),
    ]


async def run(seconds: float, turns: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        playhead = Playhead(Path(folder), workers=1)
        playhead.start()
        try:
            every = await filled(playhead)
            for way in every:
                await measure(playhead, way, 0.5)
            heard: dict[Way, list[Measured]] = {way: [] for way in every}
            for _ in range(turns):
                for way in every:
                    heard[way].append(await measure(playhead, way, seconds))
        finally:
            playhead.stop()
    tell(heard)


def tell(heard: dict[Way, list[Measured]]) -> None:
    print("| what | by | requests/s | CPU us a request | of REST's speed |\n|---|---|---|---|---|")
    rest = 1.0
    for way, measured in heard.items():
        speed = statistics.median(one.per_second for one in measured)
        cpu = statistics.median(one.cpu_us for one in measured)
        rest = speed if way.name == "REST" else rest
        print(f"| {way.thing} | {way.name} | {speed:,.0f} | {cpu:,.0f} | {speed / rest:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    asyncio.run(run(given.seconds, given.turns))


if __name__ == "__main__":
    main()
