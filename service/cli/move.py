"""`playhead move`: from an old system to playhead, step by step, and back."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import orjson
from cyclopts import App, Parameter

from service import clock, settings
from service.api.shapes import moment
from service.cli.move_compare import AsJson, compare, run_comparison
from service.cli.move_import import import_
from service.courses.database import Database
from service.errors import OldApiRefused, OldApiUnavailable, SettingsError
from service.moving.model import Side
from service.moving.old_api import OldApi
from service.moving.queries import query
from service.moving.stage import SECOND_US, Stage
from workers.servers import database_url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.moving.stage import Turn
    from service.settings import Settings

move = App(
    name="move",
    help="Move from a system that keeps a row for every few seconds of playing, step by step, and back.\n\n"
    "docs/moving.md is the plan. The old system is the one that PLAYHEAD_OLD_API_URL names.",
)
move.command(compare)
move.command(import_, name="import")

Facts = dict[str, object]


@move.command
async def status(*, as_json: AsJson = False) -> None:
    """Show how far the move has come: the old system, who answers reads since when, what is known here."""
    configured = settings.load()
    async with _database(configured) as database:
        facts = {
            **await _old_system(configured),
            "reads": _reads(configured, await Stage(database).look()),
            **await _known(database),
        }
    if as_json:
        print(orjson.dumps(facts, option=orjson.OPT_INDENT_2).decode())
        return
    for name, value in facts.items():
        shown = f"{value:,}" if isinstance(value, int) else value
        print(f"{name.replace('_', ' '):<20} {shown}")


@move.command
async def switch(
    to: Side,
    /,
    *,
    despite_differences: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Let playhead (`new`) or the old system (`old`) answer reads in the old shapes, from a moment some seconds ahead.

    All processes turn at that moment together. Points go to both either way. Before turning to `new` both are compared,
    as `playhead move compare` does; the exit code is 1, and nothing is switched, when they differ.

    Parameters
    ----------
    to
        Who is to answer.
    despite_differences
        Turn to `new` without comparing.
    """
    configured = settings.load()
    if configured.old_api_url is None and not despite_differences:
        raise SettingsError("PLAYHEAD_OLD_API_URL names no old system: playhead answers all reads already")
    async with _database(configured) as database:
        stage = Stage(database)
        was = (await stage.look()).side_at(clock.now_us())
        if to is Side.NEW and was is Side.OLD and not despite_differences:
            counts = await run_comparison(configured)
            if counts.differences:
                print("Not switched: they differ. --despite-differences switches all the same")
                return 1
        turn = await stage.switch(to)
    await _say(was, turn)
    return 0


async def _say(was: Side, turn: Turn) -> None:
    """Also waits until it is so."""
    if was is turn.to:
        print(f"Reads are answered by {_WHO[turn.to]} already{_since(turn)}; nothing has changed")
        return
    print(f"Reads: {was} -> {turn.to} at {moment(turn.at_us)}", flush=True)
    await asyncio.sleep(max(0, turn.at_us - clock.now_us()) / SECOND_US)
    back = Side.OLD if turn.to is Side.NEW else Side.NEW
    print(
        f"Since now clients read {_WHO[turn.to]}'s courses, lessons and progress; what they watch goes to both."
        f" `playhead move switch {back}` goes back"
    )


_WHO = {Side.OLD: "the old system", Side.NEW: "playhead"}


def _since(turn: Turn) -> str:
    return f", since {moment(turn.at_us)}" if turn.at_us else ""


def _reads(configured: Settings, turn: Turn) -> str:
    if configured.old_api_url is None:
        return "answered by playhead: no old system is named"
    now_us = clock.now_us()
    if now_us < turn.at_us:
        return f"answered by {_WHO[turn.side_at(now_us)]}, by {_WHO[turn.to]} from {moment(turn.at_us)} on"
    return f"answered by {_WHO[turn.to]}{_since(turn)}"


async def _old_system(configured: Settings) -> Facts:
    url = configured.old_api_url
    if url is None:
        return {"old_system": "none: PLAYHEAD_OLD_API_URL is not set"}
    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.netloc}{parts.path}"
    return {
        "old_system": f"{shown}, {await _reached(configured)}",
        "progress_counts": configured.old_progress_unit,
    }


async def _reached(configured: Settings) -> str:
    old_api, started = OldApi.of(configured), clock.steady_seconds()
    assert old_api
    try:
        await old_api.ask({"query": "{ __typename }"}, configured.old_headers)
    except OldApiUnavailable as failed:
        return f"NOT REACHED: {failed}"
    except OldApiRefused as refused:
        return f"REFUSES US: {refused}"
    finally:
        await old_api.close()
    return f"answers in {(clock.steady_seconds() - started) * 1000:.0f} ms"


async def _known(database: Database) -> Facts:
    async with database.transaction() as connection:
        row = await connection.fetchrow(query("count_known"))
    assert row
    followed = f"all but what came since {moment(row['behind_ms'] * 1000)}" if row["behind_ms"] else "all"
    return {
        "user_courses": row["user_courses"],
        "user_lessons": row["user_lessons"],
        "assignments": row["assignments"],
        "followed": followed,
    }


@asynccontextmanager
async def _database(configured: Settings) -> AsyncIterator[Database]:
    database = await Database.connect(database_url_of(configured))
    try:
        yield database
    finally:
        await database.close()
