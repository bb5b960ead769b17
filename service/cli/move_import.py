"""`playhead move import`: the exports of an old system, brought in once, however often they are."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import asyncpg
import orjson
from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from service import clock, settings
from service.cli.move_report import print_books, report_of
from service.counters.connection import connect, verify
from service.counters.constants import constants_of
from service.courses.database import Database
from service.courses.watching.levelling import Levelling
from service.db.connections import open_pool
from service.db.failures import is_passing
from service.db.history import History
from service.errors import Conflict, PostgresUnavailable, SettingsError
from service.moving import staging
from service.moving.books import Books, Kind
from service.moving.counting import Counting
from service.moving.exports import STDIN, files_of
from service.moving.importing import Importing, Staged, lock
from service.moving.model import Unit
from service.moving.old_rows import Names
from service.moving.past_attempts import PastAttempts
from service.stored.scopes import Scopes
from service.stored.writer import open_writer
from workers.servers import database_url_of, redis_url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from redis.asyncio import Redis

    from service.db.connections import Connection
    from service.moving.books import Told
    from service.moving.exports import Export
    from service.settings import Settings

STATEMENT_SECONDS: Final = 3600.0
"""Sorting some hundred million points takes minutes."""

Files = Annotated[list[Path] | None, Parameter(allow_leading_hyphen=True, negative="")]


async def import_(
    *,
    courses: Files = None,
    lessons: Files = None,
    progress: Files = None,
    field: Annotated[list[str] | None, Parameter(negative="")] = None,
    rejects: Path | None = None,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Bring in exports of UserCourse, UserLesson and UserLessonProgress, while playhead serves.

    JSON lines, plain or as DynamoDB exports them, zipped or not. Doing it again changes nothing; killed, it is simply
    started again. The courses have to be put before, under the names that the exports use. The exit code is 1 where
    it could not be done, or where the books do not balance.

    Parameters
    ----------
    courses
        Files or folders of UserCourse; `-` is standard input. May be given more than once, as the next two.
    lessons
        Files or folders of UserLesson.
    progress
        Files or folders of UserLessonProgress. Bring them in together with their courses: points of an attempt that
        is closed in playhead are not counted any more.
    field
        What a field is called in the export, as `userLessonId=lessonProgressId`. May be given more than once.
    rejects
        A file for every row that is skipped or mended, with its reason, as JSON lines.
    dry_run
        Read and judge everything, and change nothing.
    as_json
        Print the report as one JSON object.
    """
    given = {Kind.COURSES: courses, Kind.LESSONS: lessons, Kind.PROGRESS: progress}
    if sum(path == STDIN for paths in given.values() for path in paths or ()) > 1:
        raise SettingsError("standard input (`-`) can be read only once")
    files = [(kind, path) for kind, paths in given.items() for path in files_of(paths or ())]
    names, configured = Names(renamed(field or ())), settings.load()
    with _rejects(rejects) as tell, Bar(Console(stderr=True)) as bar:
        async with run_on(configured, bar) as run:
            earlier = await run.finish_earlier(tell, is_trial=dry_run)
            books = Books(tell=tell)
            if files:
                await run.read(files, names, books, is_trial=dry_run)
    if as_json:
        told = {**report_of(books), "dry_run": dry_run, "earlier": report_of(earlier) if earlier else None}
        print(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
    else:
        if earlier:
            print("What an earlier run had staged was finished first:")
            print_books(earlier, is_trial=False)
            print()
        print_books(books, is_trial=dry_run)
    return 0 if books.balances and (earlier is None or earlier.balances) else 1


def renamed(fields: Sequence[str]) -> dict[str, str]:
    found = {name: other for name, _, other in (one.partition("=") for one in fields)}
    for name, other in found.items():
        if not name or not other:
            raise SettingsError(
                f"--field {name}: expected a name and what it is called, as userLessonId=other"
            )
    return found


@contextmanager
def _rejects(file: Path | None) -> Iterator[Callable[[Told], None] | None]:
    if file is None:
        yield None
        return
    with file.open("wb") as lines:
        yield lambda told: _write(lines.write, told)


def _write(write: Callable[[bytes], int], told: Told) -> None:
    write(orjson.dumps(told._asdict(), option=orjson.OPT_APPEND_NEWLINE))


class Bar:
    """How far it is, on a terminal; what has to be known is said everywhere, once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task("reading", total=None)
        self._said: set[str] = set()
        self._read: dict[Path, int] = {}

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            self._console.print(f"playhead: {sentence}", markup=False, highlight=False, soft_wrap=True)

    def begin(self, what: str, total: int | None) -> None:
        self._progress.update(self._task, description=what, total=total, completed=0)

    def advance(self, export: Export) -> None:
        """Of reading, in bytes."""
        self._read[export.path] = export.done
        self._progress.update(self._task, completed=sum(self._read.values()))

    def counted(self, points: int) -> None:
        self._progress.advance(self._task, points)


class Run:
    """One run of the command, for which it has the lock."""

    def __init__(self, connection: Connection, importing: Importing, unit: Unit, bar: Bar) -> None:
        self._connection = connection
        self._importing = importing
        self._unit = unit
        self._bar = bar

    async def finish_earlier(
        self, tell: Callable[[Told], None] | None, *, is_trial: bool = False
    ) -> Books | None:
        """What a run that ended early had staged; None where there is nothing. Raises Conflict for a trial."""
        left = await self._importing.left()
        if left is None:
            return None
        if is_trial:
            detail = "an earlier import is not through: `playhead move import` without files finishes it"
            raise Conflict("import_unfinished", detail)
        self._bar.say("finishing what an earlier run had staged")
        left.books.tell = tell
        await self._carry_out(left)
        return left.books

    async def read(
        self, files: list[tuple[Kind, Path]], names: Names, books: Books, *, is_trial: bool
    ) -> None:
        """Stage these files and carry it out, or see what that would do."""
        started, rules = clock.steady_seconds(), self._importing.rules(clock.now_us())
        sizes = [path.stat().st_size if path.is_file() else None for _, path in files]
        self._bar.begin("reading", None if None in sizes else sum(size or 0 for size in sizes))
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            await staging.stage(
                self._connection, files, names, self._unit, books=books, advance=self._bar.advance
            )
            books.staged_seconds = books.seconds = clock.steady_seconds() - started
            if is_trial:
                await self._importing.try_out(books, rules)
            else:
                number = await staging.mark(self._connection, books, rules)
        except BaseException:
            await transaction.rollback()
            raise
        if is_trial:
            await transaction.rollback()
        else:
            await transaction.commit()
        books.seconds = clock.steady_seconds() - started
        if not is_trial:
            await self._carry_out(Staged(number, books, rules))

    async def _carry_out(self, staged: Staged) -> None:
        self._bar.begin("counting", await staging.points_of(self._connection))
        await self._importing.carry_out(staged)


@asynccontextmanager
async def run_on(configured: Settings, bar: Bar) -> AsyncIterator[Run]:
    """Raises CannotStart, SettingsError, and Conflict where another import runs."""
    database_url = database_url_of(configured)
    pool = await open_pool(database_url, STATEMENT_SECONDS, "playhead move import")
    redis = connect(redis_url_of(configured), configured.redis_timeout_seconds)
    try:
        await verify(redis, configured.partitions)
        async with pool.acquire() as connection:
            await lock(connection)
            async with _importing(configured, database_url, redis, connection, bar) as importing:
                yield Run(connection, importing, Unit(configured.old_progress_unit), bar)
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as failed:
        if not is_passing(failed):
            raise
        raise PostgresUnavailable(f"{failed}; start the import again, and it goes on") from failed
    finally:
        await redis.aclose()
        await pool.close()


@asynccontextmanager
async def _importing(
    configured: Settings, database_url: str, redis: Redis, connection: Connection, bar: Bar
) -> AsyncIterator[Importing]:
    partitions = configured.partitions
    history = await History.connect(database_url)
    database = await Database.connect(database_url)
    try:
        async with open_writer(configured, redis, history) as (writer, _):
            levelling = Levelling(database, Scopes(redis, partitions, writer, history))
            yield Importing(
                connection,
                database,
                redis,
                partitions,
                past=PastAttempts(database, levelling),
                counting=Counting(database, writer, configured.partition_backlog_events_max, bar.say),
                unit=Unit(configured.old_progress_unit),
                constants=constants_of(configured),
                say=bar.say,
                counted=bar.counted,
            )
    finally:
        await database.close()
        await history.close()
