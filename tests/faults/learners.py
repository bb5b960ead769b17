"""Learners with two devices and two courses that share a movie, whose courses are renewed, taken away and given back.

A learner goes on only when the last thing was answered, however often it had to be asked for. So for each
second that was reported it is known of which attempts it is, and everything else that these have is wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from tests.faults.answers import ANSWER_SECONDS, REPEAT_SECONDS
from tests.integration.waiting import until

if TYPE_CHECKING:
    import random

    import asyncpg

    from tests.faults.answers import Answers, Pulse

Document = dict[str, Any]

UNTIMED = "untimed"
"""What begins with this the books of events leave out: of events without `ts` nobody outside knows the time."""

LESSON_SECONDS = 60
NEEDED_SECONDS = 57
COURSES = {"alpha": ("shared", "alpha"), "beta": ("beta", "shared")}
"""Which movies each course has."""

NOTED_SECONDS = 30.0
NOTHING = {"watch_seconds": 0, "unique_seconds": 0}
"""A lesson that an attempt is not told of."""

VIEWED = """
SELECT s.attempt, s.lesson, sum(v.watch_ms)::bigint AS watch_ms
FROM attempt_scopes AS s
JOIN viewings AS v
    ON v.user_id = s.user_id AND v.slug_digest = s.slug_digest
        AND v.scope BETWEEN s.scope_first AND coalesce(s.scope_last, 2147483647)
GROUP BY s.attempt, s.lesson
"""


@dataclass(slots=True)
class Watched:
    """Of one lesson in one attempt."""

    seen: set[int] = field(default_factory=set)
    watch_seconds: int = 0


def _attempt() -> defaultdict[str, Watched]:
    return defaultdict(Watched)


class Learner:
    """`attempts` has what each attempt must have of each of its movies."""

    def __init__(
        self,
        url: str,
        answers: Answers,
        pulse: Pulse,
        number: int,
        chance: random.Random,
        pause_seconds: float,
    ) -> None:
        self.answers = answers
        self.attempts: defaultdict[int, defaultdict[str, Watched]] = defaultdict(_attempt)
        self.courses: dict[int, str] = {}
        self._url, self._pulse = url, pulse
        self._prefix = f"{UNTIMED} {number}"
        self._user = self._prefix
        self._chance, self._pause_seconds = chance, pause_seconds
        self._open: dict[str, Document] = {}
        self._sessions: dict[tuple[int, str], str] = {}
        self._events = 0
        self._http: aiohttp.ClientSession | None = None

    async def write(self, stop: asyncio.Event) -> None:
        async with aiohttp.ClientSession(
            self._url, timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        ) as self._http:
            if not self.courses:
                await self._enrol()
            while not stop.is_set():
                await self._go_on()
                await asyncio.sleep(self._chance.uniform(0, 4 * self._pause_seconds))

    async def _enrol(self) -> None:
        await self._play()  # of no course yet, so of no attempt
        for course, movies in COURSES.items():
            lessons = [
                {
                    "lesson": self._lesson(course, movie),
                    "slug": self._slug(movie),
                    "title": movie,
                    "duration_seconds": LESSON_SECONDS,
                }
                for movie in movies
            ]
            await self._ask(
                "PUT", self._course_path("courses", course), {"title": course, "lessons": lessons}
            )
            await self._assign(course)

    async def _go_on(self) -> None:
        what = self._chance.random()
        course = self._chance.choice(list(COURSES))
        if what < 0.08:
            await self._renew(course)
        elif what < 0.14:
            await self._take_away_and_give_back(course)
        else:
            await self._play()

    async def _play(self) -> None:
        """On both devices at once, now and then the same movie."""
        devices = (1, 2)
        movies = [self._chance.choice(("shared", "alpha", "beta")) for _ in devices]
        plays = [self._progress(device, movie) for device, movie in zip(devices, movies, strict=True)]
        for movie, spans in zip(movies, await asyncio.gather(*plays), strict=True):
            for course, attempt in self._open.items():
                if movie in COURSES[course]:
                    self._add(self.attempts[attempt["attempt"]][movie], spans)

    def _add(self, watched: Watched, spans: list[tuple[int, int]]) -> None:
        for start, end in spans:
            watched.seen.update(range(start, end))
            watched.watch_seconds += end - start

    async def _progress(self, device: int, movie: str) -> list[tuple[int, int]]:
        spans, segments = [], []
        for _ in range(self._chance.choice((1, 1, 2, 5))):
            start = self._chance.randrange(LESSON_SECONDS - 1)
            end = min(LESSON_SECONDS, start + self._chance.randrange(1, 12))
            self._events += 1
            spans.append((start, end))
            segments.append({"clientEventId": str(self._events), "startSecond": start, "endSecond": end})
        if not self.courses:  # there are no lessons yet
            events = [self._event(one, movie) for one in segments]
            await self._ask("POST", "/v1/events", events)
            return spans
        session = await self._session(device, movie)
        told = await self._ask("POST", f"/video/sessions/{session}/progress", {"segments": segments})
        if told.get("rejected"):
            self.answers.unexpected.append(f"rejected: {told}")
        self._pulse.beat()
        self.answers.acknowledged += len(segments)
        return spans

    def _event(self, segment: Document, movie: str) -> Document:
        return {
            "user": self._user,
            "slug": self._slug(movie),
            "kind": "segment",
            "from": segment["startSecond"],
            "at": segment["endSecond"],
            "id": segment["clientEventId"],
        }

    async def _session(self, device: int, movie: str) -> str:
        """One for each device and movie, now and then another one; made for either course where both have it."""
        if (device, movie) not in self._sessions or self._chance.random() < 0.1:
            course = self._chance.choice([course for course, movies in COURSES.items() if movie in movies])
            body = {"userId": self._user, "lessonId": self._lesson(course, movie)}
            told = await self._ask("POST", "/video/sessions", body)
            self._sessions[device, movie] = told["sessionId"]
        return self._sessions[device, movie]

    async def _assign(self, course: str) -> None:
        """Again, where the first answer was lost, it is `unchanged`: what it says of the attempt is the same."""
        body = {"course": self._course(course), "user": self._user}
        told = await self._ask("POST", "/v1/assignments", body)
        self._opened(course, told["assignment"])

    async def _renew(self, course: str) -> None:
        path = f"{self._course_path('assignments', course)}/{self._user}/attempts"
        self._opened(course, await self._ask("POST", path, {"after": self._open[course]["number"]}))

    async def _take_away_and_give_back(self, course: str) -> None:
        await self._ask("DELETE", f"{self._course_path('assignments', course)}/{self._user}")
        del self._open[course]
        await self._play()
        await self._assign(course)

    def _opened(self, course: str, attempt: Document) -> None:
        self._open[course] = attempt
        self.courses[attempt["attempt"]] = course
        _ = self.attempts[attempt["attempt"]]

    def _course(self, course: str) -> str:
        return f"{self._prefix} {course}"

    def _lesson(self, course: str, movie: str) -> str:
        return f"{self._prefix} {course} {movie}"

    def _slug(self, movie: str) -> str:
        return f"{self._prefix} {movie}"

    def _course_path(self, what: str, course: str) -> str:
        return f"/v1/{what}/{self._course(course)}"

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """Until it is done: the answer."""
        assert self._http
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": "application/json"}
        while True:
            try:
                async with self._http.request(method, path, data=data, headers=headers) as response:
                    told = await response.json(content_type=None)
                if response.status in (200, 201):
                    return told
                self.answers.refused += 1
                if response.status != 503:
                    self.answers.unexpected.append(f"{method} {path}: {response.status}: {told}")
                    raise AssertionError(self.answers.unexpected[-1])
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as failed:
                self.answers.unanswered += 1
                self.answers.last_failure = f"{type(failed).__name__}: {failed}"
            await asyncio.sleep(REPEAT_SECONDS)


async def wrong_attempts(url: str, connection: asyncpg.Connection[Any], learners: list[Learner]) -> list[str]:
    """A sentence for each lesson of an attempt that has not exactly what was reported for it, and each wrong status."""
    wrong: list[str] = []

    async def are_noted() -> bool:
        """What is noted, and kept of sessions, follows within seconds; what is live is right at once."""
        wrong[:] = await _wrong_records(connection, learners)
        return not wrong

    with contextlib.suppress(AssertionError):
        await until(are_noted, "attempts noted", NOTED_SECONDS)
    async with aiohttp.ClientSession(url) as http:
        for learner in learners:
            for attempt in learner.attempts:
                async with http.get(f"/v1/attempts/{attempt}") as response:
                    wrong += _wrong_lessons(learner, attempt, await response.json())
    return wrong


def _wrong_lessons(learner: Learner, attempt: int, told: Document) -> list[str]:
    course, expected, wrong = learner.courses[attempt], learner.attempts[attempt], []
    is_complete = all(len(expected[movie].seen) >= NEEDED_SECONDS for movie in COURSES[course])
    if (told["status"] == "Completed") != is_complete:
        wrong.append(f"attempt {attempt} is {told['status']}, and completed should be {is_complete}")
    lessons = {lesson["lesson"]: lesson for lesson in told["lessons"]}
    for movie in COURSES[course]:
        watched, lesson = expected[movie], lessons.get(learner._lesson(course, movie), NOTHING)
        found = (lesson["watch_seconds"], lesson["unique_seconds"])
        if found != (watched.watch_seconds, len(watched.seen)):
            wrong.append(
                f"attempt {attempt} has {found} of {movie}, for {watched.watch_seconds}, {len(watched.seen)}"
            )
    return wrong


async def _wrong_records(connection: asyncpg.Connection[Any], learners: list[Learner]) -> list[str]:
    """What following made of the raw events."""
    viewed = {
        (row["attempt"], row["lesson"]): row["watch_ms"] // 1000 for row in await connection.fetch(VIEWED)
    }
    noted = {
        (row["attempt"], row["lesson"]): row["seen_cells"]
        for row in await connection.fetch("SELECT attempt, lesson, seen_cells FROM attempt_lessons")
    }
    wrong = []
    for learner in learners:
        for attempt, movies in learner.attempts.items():
            course = learner.courses[attempt]
            for movie in COURSES[course]:
                name = (attempt, learner._lesson(course, movie))
                found = (viewed.get(name, 0), noted.get(name, 0))
                if found != (movies[movie].watch_seconds, len(movies[movie].seen)):
                    wrong.append(
                        f"kept of attempt {attempt}, {movie}: {found} for {movies[movie].watch_seconds},"
                        f" {len(movies[movie].seen)}"
                    )
    return wrong
