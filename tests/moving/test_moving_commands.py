"""`playhead move`, as an operator uses it: what it prints, what it changes, and its exit codes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from service import metrics
from service.cli.move import status, switch
from service.cli.move_compare import compare
from service.errors import PostgresUnavailable, SettingsError
from service.moving.model import Side
from service.moving.stage import Stage
from tests.integration.bench import PARTITIONS
from tests.integration.waiting import until
from tests.moving.old_system import API_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.moving.sides import Both


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, both: Both, redis_url: str, database_url: str) -> None:
    monkeypatch.setattr("service.moving.stage.AHEAD_SECONDS", 0)
    for name, value in {
        "REDIS_URL": redis_url,
        "DATABASE_URL": database_url,
        "PARTITIONS": str(PARTITIONS),
        "OLD_API_URL": f"{both.old.url}?stage=live",
        "OLD_API_HEADERS": f"x-api-key: {API_KEY}\nX-Our-Own: 1",
        "FOLLOW_INTERVAL_SECONDS": "0.1",
    }.items():
        monkeypatch.setenv(f"PLAYHEAD_{name}", value)


async def test_status_tells_how_far_it_is(
    both: Both, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await status()
    lines = dict(line.split(maxsplit=2)[:2] for line in capsys.readouterr().out.splitlines())
    assert {"old", "progress", "reads", "user", "assignments", "followed"} == set(lines)
    await switch(Side.NEW, despite_differences=True)
    capsys.readouterr()
    await status(as_json=True)
    told = orjson.loads(capsys.readouterr().out)
    assert told["old_system"].startswith(f"{both.old.url}, answers in ")
    assert told["reads"].startswith("answered by playhead, since 20")
    assert (told["user_courses"], told["user_lessons"], told["assignments"]) == (3, 6, 3)
    monkeypatch.setenv("PLAYHEAD_OLD_API_HEADERS", "X-Api-Key: wrong")
    await status()
    assert "REFUSES US: the old system said: You are not authorized" in capsys.readouterr().out
    both.old.kill()
    await status()
    assert "NOT REACHED: the old system cannot be reached" in capsys.readouterr().out
    monkeypatch.delenv("PLAYHEAD_OLD_API_URL")
    await status()
    assert "answered by playhead: no old system is named" in capsys.readouterr().out


async def test_compare_lists_what_differs(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    assert await compare(settle_seconds=0) == 0
    out = capsys.readouterr().out
    assert out.startswith("3 user courses and 6 user lessons of the old system compared in ")
    assert out.endswith("0 looked at again: 0 differences in 0 user courses and 0 user lessons\n")
    await both.change("UserLesson", "ann", dateStarted="2026-03-02T11:00:00Z", maxProgress=77.5)
    await both.cinema.bench.connection.execute(
        "DELETE FROM user_courses WHERE user_course = 'uc cleo safety'"
    )
    assert await compare(settle_seconds=0, course=["safety"]) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert "UserLesson ul ann intro  maxProgress: old 77.5, new 50" in lines
    assert (
        "UserLesson ul ann intro  dateStarted: old 2026-03-02T11:00:00.000000Z, new 2026-03-02T10:00:00.000000Z"
        in lines
    )
    assert "UserCourse uc cleo safety  exists: old there, new not there" in lines
    assert f": {len(lines)} differences in 2 user courses and 2 user lessons" in last
    await compare(settle_seconds=0, as_json=True)
    *told, counts = map(orjson.loads, capsys.readouterr().out.splitlines())
    assert {
        "kind": "UserLesson",
        "id": "ul ann intro",
        "field": "maxProgress",
        "old": 77.5,
        "new": 50.0,
    } in told
    assert counts["differences"] == len(told) == len(lines)
    assert counts["UserCourse"] == {"compared": 3, "differing": 2}


async def test_compare_says_what_it_cannot_do(
    both: Both, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another exit code than where there are differences."""

    async def refused(**options: Any) -> str:
        assert await compare(**options) == 2
        [sentence] = capsys.readouterr().err.splitlines()
        return str(sentence)

    assert "'nothing'" in await refused(course=["nothing"])
    files = await both.old.export(tmp_path)
    assert "as a whole" in await refused(course=["safety"], courses=[files["courses"]])
    assert "missing" in await refused(courses=[tmp_path / "missing"])
    assert (
        await compare(courses=[files["courses"]], lessons=[tmp_path / "UserLesson.jsonl"], settle_seconds=0)
        == 0
    )
    capsys.readouterr()
    await both.cinema.bench.connection.execute("ALTER TABLE courses RENAME TO gone")
    assert "does not exist" in await refused()
    await both.cinema.bench.connection.execute("ALTER TABLE gone RENAME TO courses")
    both.old.kill()
    assert "cannot be reached" in await refused()
    monkeypatch.delenv("PLAYHEAD_OLD_API_URL")
    assert "names no old system" in await refused()
    with pytest.raises(SettingsError, match="names no old system"):
        await switch(Side.NEW)


async def test_reads_are_switched_and_switched_back(
    both: Both, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every process that looks learns of it; while there are differences only who insists switches."""
    monkeypatch.setattr("service.moving.stage.LOOK_SECONDS", 0.02)
    stage, stop = Stage(both.cinema.courses.database), asyncio.Event()
    with pytest.raises(PostgresUnavailable):
        assert stage.reads
    looking = asyncio.create_task(stage.keep(stop))

    async def is_new() -> bool:
        return stage.reads is Side.NEW and switched() == 1

    async def is_old() -> bool:
        return stage.reads is Side.OLD and switched() == 0

    await stage.look()
    assert await is_old()
    await both.change("UserLesson", "cleo", progress=20.0)
    monkeypatch.setattr("service.cli.move_compare.SETTLE_MARGIN_SECONDS", 0.0)
    assert await switch(Side.NEW) == 1
    assert "Not switched: they differ" in capsys.readouterr().out
    await both.change("UserLesson", "cleo", progress=0.0)
    assert await switch(Side.NEW) == 0
    assert "Since now clients read playhead's" in capsys.readouterr().out
    await until(is_new, "it is known")
    assert await switch(Side.NEW) == 0
    assert "already, since 20" in capsys.readouterr().out
    await both.change("UserLesson", "cleo", progress=20.0)
    assert await switch(Side.OLD) == 0
    assert "Since now clients read the old system's" in capsys.readouterr().out
    await until(is_old, "it is known")
    stop.set()
    await looking


def switched() -> float:
    return float(metrics.READS_SWITCHED.labels("old")._value.get())
