"""An import that is killed anywhere, and started again, ends as if nothing had happened."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from loadtests.exports import Exports, Shape
from service.courses.model import LessonDraft
from service.moving import staging
from service.moving.counting import Counting
from service.moving.past_attempts import PastAttempts
from tests.courses.school import put
from tests.integration.bench import InjectedError
from tests.integration.serving import environment
from tests.moving.exporting import moment, points, user_course, user_lesson
from tests.moving.town import of_model

if TYPE_CHECKING:
    from collections.abc import Callable

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

IN_SMALL_STEPS = """
from service.cli.main import main
from service.moving import importing
importing.FETCHED_ROWS = 100
main()
"""


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
    assert {session for session, _ in seqs} == {"import/ul", "import/ul 2", "import/b"}


@pytest.mark.parametrize(("owner", "name", "opened"), [(PastAttempts, "begin", 0), (Counting, "count", 1)])
async def test_who_is_erased_meanwhile_is_not_brought_back(
    town: Town, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, opened: int
) -> None:
    """Before or after attempts were opened; what was staged told of them, too."""
    with monkeypatch.context() as broken, suppress(InjectedError):
        broken.setattr(owner, name, failing([1], getattr(owner, name), after=False))
        await town.bring(**ROWS)
    assert len(await town.attempts("bob")) == opened
    await town.cinema.courses.assignments.erase("bob")
    await town.bring()
    assert await town.attempts("bob") == []
    assert await town.cinema.scopes.read([("bob", "intro-v1")]) == [[]]
    assert len(await town.attempts("ann")) == 2


async def test_a_command_that_is_killed(town: Town) -> None:
    """SIGKILL while events are counted; started again, the rows count what they are worth, once."""
    exports = Exports(Shape(points=3_000, courses=3, lessons=2, lesson_seconds=LESSON_SECONDS, seed=3))
    written = exports.write(town.folder)
    for course, lessons in exports.catalogue.items():
        drafts = [LessonDraft(one.name, one.slug, one.name, one.seconds * 1000) for one in lessons]
        await put(town.cinema.courses, course, *drafts)
    async with town.flushing():
        process = await started(town)
        while process.returncode is None:
            counted = await town.connection.fetchval("SELECT sum(points) FROM imported_lessons")
            if (counted or 0) >= written.rows["progress"] / 3:
                process.kill()
                await process.wait()
            await asyncio.sleep(0)
        assert process.returncode == -signal.SIGKILL
        process = await started(town, "--json")
        told, _ = await process.communicate()
    report = orjson.loads(told)
    assert process.returncode == 0
    assert report["earlier"]["events"] > 0
    assert (report["events"], report["balances"], report["earlier"]["balances"]) == (0, True, True)
    await town.settle()
    rows = await town.connection.fetch("SELECT user_id, watch_ms FROM users")
    assert {row["user_id"]: row["watch_ms"] for row in rows} == dict(written.watch_ms)


async def started(town: Town, *words: str) -> asyncio.subprocess.Process:
    """The command, in steps so small that it can be killed between many of them."""
    files = [
        "--courses",
        str(town.folder / "user-courses.jsonl"),
        "--lessons",
        str(town.folder / "user-lessons.jsonl"),
        "--progress",
        str(town.folder / "user-lesson-progress.jsonl"),
    ]
    variables = environment(town.folder, redis_url=town.redis_url, database_url=town.database_url)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        IN_SMALL_STEPS,
        "move",
        "import",
        *words,
        *files,
        env=variables,
        stdout=subprocess.PIPE,
    )
