"""Exports as an old system would write them, and importing them into real servers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console

from service.cli.move_import import Bar, run_on
from service.moving.books import Books, Kind
from service.moving.old_rows import Names
from service.settings import Settings
from tests.integration.bench import PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Row = dict[str, Any]

BEGINNING = datetime(2026, 1, 5, 8, tzinfo=UTC)


def moment(seconds: float) -> str:
    """So long after the beginning of all tests, as AppSync writes it."""
    return (BEGINNING + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_us(seconds: float) -> int:
    return round((BEGINNING + timedelta(seconds=seconds)).timestamp() * 1_000_000)


def user_course(name: str = "uc", *, created: float = 0, **fields: Any) -> Row:
    plain = {"courseId": "safety", "user": "ann", "status": "Assigned"}
    return {"id": name, **plain, "createdAt": moment(created), "updatedAt": moment(created), **fields}


def user_lesson(
    name: str = "ul", lesson: str = "intro", *, of: str = "uc", created: float = 0, **fields: Any
) -> Row:
    plain = {"userCourseId": of, "lessonId": lesson, "user": "ann", "status": "Assigned"}
    return {"id": name, **plain, "createdAt": moment(created), "updatedAt": moment(created), **fields}


def point(at: float, created: float, *, of: str = "ul", **fields: Any) -> Row:
    """Its id says where and when."""
    told = {"id": f"{of} {at} {created}", "userLessonId": of, "progress": at, "owner": "ann"}
    return {**told, "createdAt": moment(created), "updatedAt": moment(created), **fields}


def points(*at: float, start: float = 100, step: float = 5, of: str = "ul") -> list[Row]:
    return [point(one, start + place * step, of=of) for place, one in enumerate(at)]


def written(folder: Path, kind: str, rows: Iterable[Row | str]) -> Path:
    """A file; text is a line as it is."""
    file = folder / f"{kind}.jsonl"
    file.write_text("\n".join(row if isinstance(row, str) else orjson.dumps(row).decode() for row in rows))
    return file


def typed(value: Any) -> Row:
    """As DynamoDB exports it."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case _:
            return {"M": {name: typed(one) for name, one in value.items()}}


async def bring(
    redis_url: str,
    database_url: str,
    folder: Path,
    *,
    is_trial: bool = False,
    names: Mapping[str, str] | None = None,
    settings: Settings | None = None,
    said: StringIO | None = None,
    **rows: Iterable[Row | str],
) -> Books:
    """Import these `courses`, `lessons` and `progress`, as the command does, after what was left.

    `said` hears what it says.
    """
    configured = (settings or Settings()).model_copy(
        update={"redis_url": redis_url, "database_url": database_url, "partitions": PARTITIONS}
    )
    files = [(Kind(kind), written(folder, kind, some)) for kind, some in rows.items()]
    books = Books()
    with Bar(Console(file=said or StringIO())) as bar:
        async with run_on(configured, bar) as run:
            await run.finish_earlier(None, is_trial=is_trial)
            if files:
                await run.read(files, Names(names or {}), books, is_trial=is_trial)
    assert books.balances
    return books
