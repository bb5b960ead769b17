"""Metrics of a run are kept in a folder that no run leaves behind for long."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from workers.metrics_folder import PREFIX, metrics_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = """
import sys
from workers.metrics_folder import metrics_folder
with metrics_folder(None) as made:
    print(made, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@contextmanager
def another_run(temporary: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that keeps metrics until its input ends, and their folder."""
    pipe = subprocess.PIPE
    command, environment = [sys.executable, "-c", RUN], {"TMPDIR": str(temporary)}
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as run:
        assert run.stdout
        yield run, Path(run.stdout.readline().strip())


def test_it_is_gone_after_the_run(temporary: Path) -> None:
    with another_run(temporary) as (_, folder):
        assert (folder.parent, folder.stat().st_mode & 0o777) == (temporary, 0o700)
    assert list(temporary.iterdir()) == []


def test_what_a_killed_run_left_is_removed_by_the_next_and_nothing_else(temporary: Path) -> None:
    elsewhere, planted = temporary / "elsewhere", temporary / f"{PREFIX}planted"
    elsewhere.mkdir()
    (elsewhere / "lock").touch()
    planted.symlink_to(elsewhere, target_is_directory=True)
    new = temporary / f"{PREFIX}new"
    new.mkdir()
    with another_run(temporary) as (killed, left), another_run(temporary) as (_, living):
        (left / "counter_1.db").touch()
        killed.kill()
        killed.wait()
        with metrics_folder(None) as made:
            assert {*temporary.iterdir()} == {living, made, new, planted, elsewhere}
    assert (elsewhere / "lock").exists()


def test_what_another_user_left_is_not_touched(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with another_run(temporary) as (killed, left):
        killed.kill()
    monkeypatch.setattr("os.geteuid", lambda: left.stat().st_uid + 1)
    with metrics_folder(None):
        assert left.exists()


def test_in_a_data_folder_it_is_emptied_at_the_start(tmp_path: Path) -> None:
    with metrics_folder(tmp_path) as first:
        (first / "counter_1.db").touch()
    with metrics_folder(tmp_path) as second:
        assert (second, list(second.iterdir())) == (first, [])
