"""`playhead move import` as it is typed: where it reads from, what it says, and when it fails."""

from __future__ import annotations

import gzip
from io import StringIO
from typing import TYPE_CHECKING

import orjson
import pytest

from service.cli.move_import import import_
from service.cli.move_report import print_books
from service.errors import SettingsError
from service.moving.books import Books, Kind
from service.moving.exports import Unreadable, documents, files_of
from service.settings import Settings
from tests.integration.bench import PARTITIONS
from tests.moving.exporting import point, points, typed, user_course, user_lesson, written
from tests.moving.town import of_model

if TYPE_CHECKING:
    from pathlib import Path

    from tests.moving.town import Town

PLAYED = points(10, 15, 20, 80)


@pytest.fixture
def settled(town: Town, monkeypatch: pytest.MonkeyPatch) -> Town:
    """Named by the environment, as commands find it."""
    monkeypatch.setenv("PLAYHEAD_REDIS_URL", town.redis_url)
    monkeypatch.setenv("PLAYHEAD_DATABASE_URL", town.database_url)
    monkeypatch.setenv("PLAYHEAD_PARTITIONS", str(PARTITIONS))
    return town


async def test_files_folders_and_zipped_ones(settled: Town, capsys: pytest.CaptureFixture[str]) -> None:
    folder = settled.folder / "export" / "data"
    folder.mkdir(parents=True)
    lines = [orjson.dumps({"Item": typed(row)["M"]}) for row in PLAYED]
    (folder / "a.json.gz").write_bytes(gzip.compress(b"\n".join(lines[:2])))
    (folder / "b.json").write_bytes(b"\xef\xbb\xbf" + b"\n\n".join(lines[2:]))
    (folder / "manifest-files.json").write_text("{}")
    courses = written(settled.folder, "courses", [user_course()])
    lessons = written(settled.folder, "lessons", [user_lesson(theirs="uc") | {"userCourseId": None}])
    rejects = settled.folder / "rejects.jsonl"
    wrong = written(settled.folder, "progress", ["no", point(4, 4, of="gone")])
    code = await import_(
        courses=[courses],
        lessons=[lessons],
        progress=[settled.folder / "export", wrong],
        field=["userCourseId=theirs"],
        rejects=rejects,
        as_json=True,
    )
    report = orjson.loads(capsys.readouterr().out)
    assert code == 0
    assert report["progress"]["skipped_by_reason"] == {"not_json": 1, "no_such_lesson": 1}
    assert (report["spans"], report["seeks"], report["earlier"], report["balances"]) == (2, 1, None, True)
    assert [(one["kind"], one["reason"], one["line"]) for one in documents(rejects)] == [
        ("progress", "not_json", 1),
        ("progress", "no_such_lesson", 2),
    ]
    [scopes] = await settled.cinema.scopes.read([("ann", "intro-v1")])
    assert (scopes[-1].watch_ms, scopes[-1].seen) == of_model(PLAYED)[:2]


async def test_the_report_tells_people(settled: Town, capsys: pytest.CaptureFixture[str]) -> None:
    courses = written(settled.folder, "courses", [user_course(), user_course("other", courseId="none")])
    lessons = written(settled.folder, "lessons", [user_lesson()])
    progress = written(settled.folder, "progress", [*PLAYED, point(-1, 1), PLAYED[0] | {"owner": None}])
    assert await import_(courses=[courses], lessons=[lessons], progress=[progress], dry_run=True) == 0
    assert "Nothing was changed" in capsys.readouterr().out
    assert await import_(courses=[courses], lessons=[lessons], progress=[progress]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:10]] == [
        ["courses", "lessons", "progress"],
        ["read", "2", "1", "6"],
        ["written", "1", "1", "2"],
        ["merged", "0", "0", "2"],
        ["skipped", "1", "0", "2"],
        ["duplicate_id", "0", "0", "1"],
        ["negative_position", "0", "0", "1"],
        ["unknown_course", "1", "0", "0"],
        ["mended", "0", "0", "0"],
        lines[9].split(),
    ]
    assert f"for example unknown_course: {courses}, line 2: playhead has no course 'none'" in lines
    [reduction] = [line for line in lines if line.startswith("4 points became")]
    assert reduction.startswith("4 points became 2 spans, 1 seeks and 0 marks: 1.3 rows : 1 event, ")
    assert lines[-1] == "The books balance: read = written + merged + skipped"


def test_books_that_do_not_balance_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    books = Books(files=["x"])
    books.progress.read = 2
    books.skip(Kind.PROGRESS, "not_json", (0, 1), "no JSON")
    assert not books.balances
    print_books(books, is_trial=False)
    assert "do not balance" in capsys.readouterr().out
    assert Books.from_dict(orjson.loads(orjson.dumps(books.as_dict()))) == books


async def test_what_cannot_be_read_changes_nothing(settled: Town) -> None:
    """A file that breaks off keeps back all of them."""
    broken = settled.folder / "broken.jsonl.gz"
    broken.write_bytes(gzip.compress(b"\n".join(map(orjson.dumps, PLAYED * 50)))[:-20])
    courses = written(settled.folder, "courses", [user_course()])
    with pytest.raises(Unreadable, match=r"broken.jsonl.gz cannot be read after line"):
        await import_(courses=[courses], progress=[broken])
    assert await settled.attempts() == []
    with pytest.raises(Unreadable, match="is not there"):
        await import_(courses=[settled.folder / "nothing"])
    (settled.folder / "empty").mkdir()
    with pytest.raises(Unreadable, match="holds no file"):
        files_of([settled.folder / "empty"])
    with pytest.raises(SettingsError, match="userLessonId=other"):
        await import_(courses=[courses], field=["userLessonId"])


async def test_a_backlog_that_is_full_is_waited_for(settled: Town) -> None:
    """Two events a partition is all that it may hold; whoever waits is told so, and goes on when it can."""
    said = StringIO()
    jumps = points(*range(10, 100, 40), *range(10, 100, 40))
    books = await settled.bring(
        courses=[user_course()],
        lessons=[user_lesson()],
        progress=jumps,
        settings=Settings(backlog_events_max=8),
        said=said,
    )
    assert (books.spans, books.seeks) == (6, 5)
    assert "PLAYHEAD_BACKLOG_EVENTS_MAX" in said.getvalue()
    [scopes] = await settled.cinema.scopes.read([("ann", "intro-v1")])
    assert (scopes[-1].watch_ms, scopes[-1].seen) == of_model(jumps)[:2]


def test_documents_are_rows_without_their_types(tmp_path: Path) -> None:
    rows = [point(1, 2), {"Item": typed(point(3, 4))["M"]}, typed(point(5, 6))["M"], "{broken"]
    told = list(documents(written(tmp_path, "progress", rows)))
    assert told == [point(1, 2), point(3, 4), point(5, 6)]
