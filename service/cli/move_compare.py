"""`playhead move compare`: what clients read of the old system and of playhead, held against each other."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated

import asyncpg
import orjson
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service import clock, settings
from service.api.shapes import moment
from service.cli.move_import import Files, renamed
from service.courses.store import Courses
from service.errors import PlayheadError, SettingsError
from service.limits import PAGE_MAX
from service.moving.comparing import Comparison
from service.moving.exports import files_of
from service.moving.model import Unit
from service.moving.old_api import OldApi
from service.moving.old_rows import Names
from service.moving.old_side import DATES, Kind, OldExports, OldPages
from service.moving.queries import query
from service.moving.reading import Reading
from workers.servers import database_url_of
from workers.stores import open_stores
from workers.watching import watching_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from service.moving.comparing import Counts, Difference
    from service.moving.old_side import OldSide
    from service.settings import Settings

AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON.")]
Seconds = Annotated[float | None, Parameter(validator=Number(gte=0, lte=3600))]

TOLERANCE_MARGIN_SECONDS = 5.0
"""Beside the interval of following, which dates a completion by the last event of its step: two systems note the same
moment at different times."""

NOT_COMPARED = 2
"""The exit code, as `diff` has it: who runs it by the clock must not take a failure for differences."""

SETTLE_MARGIN_SECONDS = 2.0
"""Beside the interval of following: for what follows to be committed."""


async def compare(
    *,
    course: Annotated[list[str] | None, Parameter(negative="")] = None,
    courses: Files = None,
    lessons: Files = None,
    field: Annotated[list[str] | None, Parameter(negative="")] = None,
    tolerance_seconds: Seconds = None,
    settle_seconds: Seconds = None,
    as_json: AsJson = False,
) -> int:
    """Read both sides and list every difference: id, field, old and new. Works while clients write.

    Compared is who is there, status, progress and maxProgress to the second, and all dates. What differs is looked at
    again up to three times, and only what always differs is listed. The exit code is 1 when something is, and 2 when
    they could not be compared.

    Parameters
    ----------
    course
        Only this course; may be given more than once. All of playhead's by default.
    courses
        Exports of UserCourse to compare with, in place of the old system: files or folders, `-` is standard input.
    lessons
        The same of UserLesson. Either may be left out.
    field
        What a field is called in the exports, as `courseId=trainingId`. May be given more than once.
    tolerance_seconds
        By how much dates may differ; PLAYHEAD_FOLLOW_INTERVAL_SECONDS and a little by default.
    settle_seconds
        How long to wait before looking again; the same by default.
    as_json
        A line for each difference, and a last one with the counts.
    """
    try:
        exports = OldExports(files_of(courses or ()), files_of(lessons or ()), Names(renamed(field or ())))
        if exports.apart and course:
            raise SettingsError("--course is for the old system itself: exports are compared as a whole")
        counts = await run_comparison(
            settings.load(),
            course,
            exports if exports.apart else None,
            tolerance_seconds=tolerance_seconds,
            settle_seconds=settle_seconds,
            as_json=as_json,
        )
    except (PlayheadError, OSError, asyncpg.PostgresError) as failed:
        print(f"playhead: {failed}", file=sys.stderr)
        return NOT_COMPARED
    return 1 if counts.differences else 0


async def run_comparison(
    configured: Settings,
    courses: Sequence[str] | None = None,
    exports: OldExports | None = None,
    *,
    tolerance_seconds: float | None = None,
    settle_seconds: float | None = None,
    as_json: bool = False,
) -> Counts:
    """Prints what it finds."""
    started = clock.steady_seconds()
    if settle_seconds is None:
        settle_seconds = configured.follow_interval_seconds + SETTLE_MARGIN_SECONDS
    if tolerance_seconds is None:
        tolerance_seconds = configured.follow_interval_seconds + TOLERANCE_MARGIN_SECONDS
    async with _reading(configured) as (store, reading):
        compared = [one async for one in _courses(store)] if courses is None else list(courses)
        for one in courses or ():
            await store.catalogue.get(one)
        async with nullcontext(exports) if exports else _old_side(configured, compared) as old:
            comparison = Comparison(
                old,
                reading,
                compared,
                Unit(configured.old_progress_unit),
                tolerance_us=round(tolerance_seconds * 1_000_000),
                settle_seconds=settle_seconds,
            )
            with _progress() as bar:
                task = bar.add_task("", total=await _total(store, compared))
                comparison.on_page = lambda: bar.update(
                    task, completed=comparison.counts.compared[Kind.COURSE]
                )
                async for found in comparison.differences():
                    print(_line(found, as_json=as_json))
    if exports and exports.unreadable:
        print(f"playhead: {exports.unreadable:,} rows could not be read, and were left out", file=sys.stderr)
    _tell(comparison.counts, clock.steady_seconds() - started, as_json=as_json)
    return comparison.counts


def _line(found: Difference, *, as_json: bool) -> str:
    old, new = (
        moment(value) if found.field in DATES and isinstance(value, int) else value
        for value in (found.old, found.new)
    )
    if as_json:
        return orjson.dumps(found._asdict() | {"old": old, "new": new}).decode()
    return f"{found.kind} {found.id}  {found.field}: old {_shown(old)}, new {_shown(new)}"


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "there" if value else "not there"
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _tell(counts: Counts, seconds: float, *, as_json: bool) -> None:
    compared, differing = counts.compared, counts.differing
    if as_json:
        kinds = {str(kind): {"compared": compared[kind], "differing": differing[kind]} for kind in Kind}
        more = {"differences": counts.differences, "looked_again": counts.looked_again}
        print(orjson.dumps({**kinds, **more, "seconds": round(seconds, 3)}).decode())
        return
    print(
        f"{compared[Kind.COURSE]:,} user courses and {compared[Kind.LESSON]:,} user lessons of the old system compared"
        f" in {seconds:.1f} s, {counts.looked_again:,} looked at again: {counts.differences:,} differences in"
        f" {differing[Kind.COURSE]:,} user courses and {differing[Kind.LESSON]:,} user lessons"
    )


async def _courses(store: Courses) -> AsyncIterator[str]:
    last = ""
    while page := await store.catalogue.page(PAGE_MAX, last, with_archived=True):
        for one in page:
            yield one.course
        last = page[-1].course


async def _total(store: Courses, courses: Sequence[str]) -> int:
    """How many user courses there are here: the old system does not tell how many it has."""
    async with store.database.transaction() as connection:
        total: int = await connection.fetchval(query("count_assigned"), list(courses))
    return total


@asynccontextmanager
async def _old_side(configured: Settings, courses: Sequence[str]) -> AsyncIterator[OldSide]:
    old_api = OldApi.of(configured)
    if old_api is None:
        raise SettingsError("PLAYHEAD_OLD_API_URL names no old system to compare with")
    try:
        yield OldPages(old_api, configured.old_headers, courses)
    finally:
        await old_api.close()


@asynccontextmanager
async def _reading(configured: Settings) -> AsyncIterator[tuple[Courses, Reading]]:
    """What clients would read of this playhead; asked from here, not over HTTP."""
    async with open_stores(configured) as stores:
        store = await Courses.connect(database_url_of(configured))
        try:
            async with watching_of(configured, stores.redis, stores.history, store) as watching:
                yield store, Reading(store.database, watching.watched)
        finally:
            await store.close()


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("comparing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(
        *columns, console=console, transient=True, redirect_stdout=False, disable=not console.is_terminal
    )
