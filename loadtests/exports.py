"""Exports of a system that keeps a row for every few seconds of playing: made up, of a stated shape, from a seed.

    .venv/bin/python -m loadtests.exports FOLDER --points 100000 --seed 7

Everybody has some courses of some lessons. A lesson is played from its start with a row every five seconds, at a speed
of one's own, with jumps and pauses, as far as somebody came. Some rows are malformed. Each user's rows are in no order.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import IO, TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

INTERVAL_SECONDS = 10
GAP_SECONDS = 30
"""Of playhead's heartbeats, by which is reckoned what the rows are worth."""


@dataclass(frozen=True)
class Shape:
    """What is made. `points` is about how many rows; there are as many users as that takes."""

    points: int = 1_000_000
    seed: int = 1
    courses: int = 20
    lessons: int = 4
    courses_each: int = 2
    lesson_seconds: int = 1800
    row_seconds: float = 5.0
    jitter_seconds: float = 0.15
    speeds: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.25, 1.25, 1.5, 2.0)
    jumps_an_hour: float = 3.0
    pauses_an_hour: float = 2.0
    malformed: float = 0.002
    finished: float = 0.7

    @property
    def users(self) -> int:
        """Who stops on the way has played half of a lesson; at higher speeds there are fewer rows."""
        played = self.finished + (1 - self.finished) / 2
        slowness = sum(1 / speed for speed in self.speeds) / len(self.speeds)
        rows_each = (
            self.courses_each * self.lessons * self.lesson_seconds / self.row_seconds * played * slowness
        )
        return max(1, round(self.points / rows_each))


class Lesson(NamedTuple):
    name: str
    slug: str
    seconds: int


@dataclass
class Written:
    """What was written. `watch_ms` is what each user's rows would count as heartbeats; `wrong` are rows by malady."""

    rows: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    watch_ms: Counter[str] = field(default_factory=Counter)
    content_seconds: float = 0.0


class Row(NamedTuple):
    at_seconds: float
    created: datetime


class Exports:
    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._random = Random(shape.seed)
        self._start = datetime(2026, 1, 5, 8, tzinfo=UTC)

    @property
    def catalogue(self) -> dict[str, list[Lesson]]:
        """Courses with their lessons."""
        shape = self.shape
        return {
            f"course-{course}": [
                Lesson(f"lesson-{course}-{place}", f"video-{course}-{place}", shape.lesson_seconds)
                for place in range(shape.lessons)
            ]
            for course in range(shape.courses)
        }

    def write(self, folder: Path) -> Written:
        """`user-courses.jsonl`, `user-lessons.jsonl` and `user-lesson-progress.jsonl`."""
        written = Written()
        names = {"courses": "user-courses", "lessons": "user-lessons", "progress": "user-lesson-progress"}
        files = {kind: (folder / f"{name}.jsonl").open("wb") for kind, name in names.items()}
        catalogue = self.catalogue
        for number in range(self.shape.users):
            points: list[bytes] = []
            user = f"user-{number}"
            for course in self._random.sample(sorted(catalogue), self.shape.courses_each):
                self._course(user, course, catalogue[course], files, points, written)
            self._random.shuffle(points)
            for text in points:
                _put(files["progress"], "progress", text, written)
        for file in files.values():
            file.close()
        return written

    def _course(
        self,
        user: str,
        course: str,
        lessons: list[Lesson],
        files: Mapping[str, IO[bytes]],
        points: list[bytes],
        written: Written,
    ) -> None:
        chance, name = self._random, self._id()
        created = self._start + timedelta(seconds=chance.randrange(200 * 86400))
        clock, done = created + timedelta(seconds=chance.randrange(86400)), []
        for lesson in lessons:
            clock += timedelta(seconds=chance.randrange(60, 86400))
            rows = list(self._played(lesson, clock))
            clock, furthest = rows[-1].created, max(row.at_seconds for row in rows)
            is_done = furthest >= 0.95 * lesson.seconds
            done.append(is_done)
            user_lesson = self._id()
            told = {
                "id": user_lesson,
                "userCourseId": name,
                "lessonId": lesson.name,
                "user": user,
                "progress": rows[-1].at_seconds,
                "maxProgress": furthest,
                "status": "Completed" if is_done else "InProgress",
                "dateStarted": _moment(rows[0].created),
                "dateCompleted": _moment(clock) if is_done else None,
                "dateLastViewed": _moment(clock),
                "createdAt": _moment(created),
                "updatedAt": _moment(clock),
            }
            _put(files["lessons"], "lessons", orjson.dumps(told), written)
            points += self._rows_of(user, user_lesson, rows, lesson, written)
        completed = _moment(clock) if all(done) else None
        told = {
            "id": name,
            "courseId": course,
            "user": user,
            "status": "Completed" if all(done) else "InProgress",
            "dueDate": _moment(created + timedelta(days=90)),
            "dateStarted": _moment(created),
            "dateCompleted": completed,
            "dateLastViewed": _moment(clock),
            "lastCompletedDate": completed,
            "createdAt": _moment(created),
            "updatedAt": _moment(clock),
        }
        _put(files["courses"], "courses", orjson.dumps(told), written)

    def _played(self, lesson: Lesson, clock: datetime) -> Iterator[Row]:
        """From the start, on and on, until who plays stops or the lesson ends."""
        chance, shape = self._random, self.shape
        speed = chance.choice(shape.speeds)
        ends = lesson.seconds if chance.random() < shape.finished else chance.uniform(60, lesson.seconds)
        jump = shape.jumps_an_hour * shape.row_seconds / 3600
        pause = shape.pauses_an_hour * shape.row_seconds / 3600
        at_seconds, played = 0.0, 0.0
        while at_seconds < ends and played < 2 * lesson.seconds:
            step = shape.row_seconds + chance.uniform(-shape.jitter_seconds, shape.jitter_seconds)
            at_seconds = min(lesson.seconds, at_seconds + shape.row_seconds * speed)
            clock += timedelta(seconds=step)
            played += shape.row_seconds * speed
            if chance.random() < jump:
                at_seconds = chance.uniform(0, lesson.seconds * 0.9)
            if chance.random() < pause:
                clock += timedelta(seconds=chance.uniform(30, 3600))
            yield Row(round(at_seconds, 3), clock)

    def _rows_of(
        self, user: str, user_lesson: str, rows: list[Row], lesson: Lesson, written: Written
    ) -> Iterator[bytes]:
        chance, last_ms = self._random, None
        for row in rows:
            told: dict[str, Any] = {
                "id": self._id(),
                "userLessonId": user_lesson,
                "progress": row.at_seconds,
                "owner": user,
                "createdAt": _moment(row.created),
                "updatedAt": _moment(row.created),
            }
            if chance.random() < self.shape.malformed:
                yield from self._malformed(told, lesson, written)
                continue
            at_ms = round(row.at_seconds * 1000)
            worth = _worth_ms(last_ms, at_ms)
            written.watch_ms[user] += worth
            written.content_seconds += worth / 1000
            last_ms = at_ms
            yield orjson.dumps(told)

    def _malformed(self, told: dict[str, Any], lesson: Lesson, written: Written) -> Iterator[bytes]:
        """A row that is skipped, whatever it says; of a duplicate the first one would count, so both are wrong."""
        malady = self._random.choice(("foreign", "negative", "beyond", "orphan", "broken", "nowhere"))
        written.wrong[malady] += 1
        match malady:
            case "foreign":
                told["owner"] = "somebody else"
            case "negative":
                told["progress"] = -1.0
            case "beyond":
                told["progress"] = lesson.seconds + 60.0
            case "orphan":
                told["userLessonId"] = "gone"
            case "nowhere":
                del told["progress"]
        text = orjson.dumps(told)
        yield text[: len(text) // 2] if malady == "broken" else text

    def _id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))


def _worth_ms(last_ms: int | None, at_ms: int) -> int:
    if last_ms is not None and 0 <= at_ms - last_ms <= GAP_SECONDS * 1000:
        return at_ms - last_ms
    return min(at_ms, INTERVAL_SECONDS * 1000)


def _moment(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _put(file: IO[bytes], kind: str, text: bytes, written: Written) -> None:
    file.write(text + b"\n")
    written.rows[kind] += 1
    written.bytes[kind] += len(text) + 1


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    written = Exports(Shape(points=asked.points, seed=asked.seed)).write(asked.folder)
    print(f"{dict(written.rows)}, malformed {dict(written.wrong)}")


if __name__ == "__main__":
    main()
