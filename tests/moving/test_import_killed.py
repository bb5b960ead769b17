"""An import that is killed anywhere, and started again, ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
import pytest

from loadtests.exports import Exports, Shape
from service.courses.model import LessonDraft
from service.courses.store import Courses
from service.moving import staging
from service.moving.counting import Counting
from service.moving.past_attempts import PastAttempts
from tests.courses.school import put
from tests.integration.bench import InjectedError
from tests.integration.serving import PLAYHEAD, Serving, run
from tests.moving.exporting import moment, points, user_course, user_lesson
from tests.moving.town import of_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.moving.town import Town

EARLIER, LATER = points(10, 15, 20, 90, 95), points(5, 10, 60, start=5000)
ROWS: dict[str, Any] = {
    "courses": [
        user_course(lastCompletedDate=moment(1000)),
        user_course("bob's", user="bob", dueDate=moment(7)),
    ],
    "lessons": [
        user_lesson(progress=60.0, maxProgress=99.0, dateLastViewed=moment(6000)),
        user_lesson("ul 2", "rules", progress=7.0, dateLastViewed=moment(6000)),
        user_lesson("b", of="bob's", user="bob"),
    ],
    "progress": [*EARLIER, *LATER, *(one | {"owner": "bob"} for one in points(1, 2, 50, of="b"))],
}
LESSON_SECONDS = 600


def failing(count: list[int], call: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    """Fails the n-th call of all that count down the same number, before or after it took effect."""

    async def called(*arguments: Any, **named: Any) -> Any:
        count[0] -= 1
        if count[0] == 0 and not after:
            raise InjectedError
        answer = await call(*arguments, **named)
        if count[0] == 0:
            raise InjectedError
        return answer

    return called


STEPS: tuple[tuple[Any, str], ...] = (
    (Counting, "_apply"),
    (Counting, "_keep"),
    (PastAttempts, "begin"),
    (PastAttempts, "end"),
    (staging, "mark"),
    (staging, "finish"),
)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_whichever_step_fails_the_next_run_finishes(
    town: Town, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    """Events were acknowledged, say, and it was not noted how far they came: they are sent again, and are duplicates.

    Every step fails once, one run after the other, until nothing is left that could.
    """
    count, failed = [0], 0
    while count[0] <= 0:
        failed += 1
        count = [failed]
        with monkeypatch.context() as broken, suppress(InjectedError):
            for owner, name in STEPS:
                broken.setattr(owner, name, failing(count, getattr(owner, name), after=after))
            await town.bring(**ROWS)
    assert failed > 10
    books = await town.bring(**ROWS)
    assert books.events == 0
    state = await town.everything()
    second, first = await town.attempts()
    assert (await town.cinema.lesson(first.attempt)).own == of_model(EARLIER)[1]
    assert (await town.cinema.lesson(second.attempt)).own == of_model(LATER)[1]
    assert state["live"][0][-1].watch_ms == of_model(LATER)[0]
    seqs = [(row[2], row[7]) for row in state["events"] if row[2]]
    assert len(seqs) == len(set(seqs))


@pytest.fixture
def playhead(tmp_path: Path) -> Iterator[Serving]:
    serving = Serving(tmp_path / "data", workers=1, follow_interval_seconds=0.2)
    serving.start()
    yield serving
    serving.stop()


async def test_a_command_that_is_killed_again_and_again(playhead: Serving, tmp_path: Path) -> None:
    """SIGKILL while events are counted, at several places; the rows count what they are worth, once."""
    exports = Exports(Shape(points=12_000, courses=3, lessons=2, lesson_seconds=LESSON_SECONDS, seed=3))
    written = exports.write(tmp_path)
    connection = await asyncpg.connect(playhead.database_url)
    await put_catalogue(playhead, exports)
    words = ["move", "import", "--json", *told(tmp_path)]
    for killed_at in (0.25, 0.6):
        with subprocess.Popen(
            [PLAYHEAD, *words], env=playhead.variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            deadline = time.monotonic() + 30
            while process.poll() is None and time.monotonic() < deadline:
                counted = await connection.fetchval("SELECT coalesce(sum(points), 0) FROM imported_lessons")
                if counted >= killed_at * written.rows["progress"]:
                    os.kill(process.pid, signal.SIGKILL)
                    break
    done = run(*words, variables=playhead.variables)
    assert done.returncode == 0, done.stderr
    report = orjson.loads(done.stdout)
    assert report["balances"]
    again = orjson.loads(run(*words, variables=playhead.variables).stdout)
    assert (again["earlier"], again["events"]) == (None, 0)
    await connection.close()
    assert written.watch_ms
    watched = {user: playhead_watch_ms(playhead, user) for user in written.watch_ms}
    assert watched == dict(written.watch_ms)


def told(folder: Path) -> list[str]:
    return [
        "--courses",
        str(folder / "user-courses.jsonl"),
        "--lessons",
        str(folder / "user-lessons.jsonl"),
        "--progress",
        str(folder / "user-lesson-progress.jsonl"),
    ]


async def put_catalogue(playhead: Serving, exports: Exports) -> None:
    courses = await Courses.connect(playhead.database_url)
    for course, lessons in exports.catalogue.items():
        drafts = [LessonDraft(one.name, one.slug, one.name, one.seconds * 1000) for one in lessons]
        await put(courses, course, *drafts)
    await courses.close()


def playhead_watch_ms(playhead: Serving, user: str) -> int:
    with urllib.request.urlopen(f"{playhead.url}/v1/users/{user}") as answer:
        seconds: float = orjson.loads(answer.read())["watch_seconds"]
    return round(seconds * 1000)
