"""The embedded servers: they come up, keep what they were given, and leave nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from service.embedded import (
    DataFolder,
    EmbeddedPostgres,
    EmbeddedValkey,
    embedded_database_url,
    embedded_redis_url,
)
from service.embedded import process as process_module
from service.embedded.allocator import jemalloc
from service.embedded.deadline import holds_within
from service.embedded.identity import caller
from service.embedded.log import LOG_BYTES_KEPT, LOG_BYTES_MAX, ServerLog
from service.embedded.runtime import runtime_dir
from service.errors import CannotStart

if TYPE_CHECKING:
    from collections.abc import Iterator

GONE_SECONDS = 10.0
"""For a server that was told to end; it takes a tenth of a second."""

SUPERVISOR = """
import signal, sys
from pathlib import Path
from service.embedded import DataFolder, EmbeddedPostgres, EmbeddedValkey
folder = DataFolder(Path(sys.argv[1]))
print("locked", flush=True)
EmbeddedValkey(folder).start()
EmbeddedPostgres(folder).start()
print("started", flush=True)
signal.pause()
"""

FORKER = """
import os, signal, sys
from pathlib import Path
from service.embedded import DataFolder
folder = DataFolder(Path(sys.argv[1]))
forked = os.fork()
if forked == 0:
    print(os.getpid(), flush=True)
signal.pause()
"""

FILLER = """
import resource, sys
from pathlib import Path
import redis
from service.embedded import DataFolder, EmbeddedPostgres, EmbeddedValkey
from service.embedded.deadline import holds_within
from service.errors import CannotStart
file_bytes_max = int(sys.argv[2])
if file_bytes_max:
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, file_bytes_max))
with DataFolder(Path(sys.argv[1]), free_bytes_min=0) as folder:
    try:
        EmbeddedPostgres(folder).start()
    except CannotStart as refused:
        print(refused)
    valkey = EmbeddedValkey(folder).start()
    client = redis.Redis.from_url(valkey.url)
    try:
        for number in range(1000):
            client.set(f"filler {number}", b"x" * 100_000)
    except redis.RedisError:
        pass
    client.close()
    assert holds_within(10, lambda: valkey.poll() is not None)
    print(valkey.poll())
    valkey.stop()
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A folder, and how long a file in it may get: a disk of 16 MB, or a limit where none can be mounted."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(mounted)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        yield mounted, 4_000_000
        return
    yield mounted, 0
    subprocess.run(["umount", str(mounted)], check=True)


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    shutil.rmtree(runtime_dir(tmp_path / "data"), ignore_errors=True)  # what killed supervisors left


@pytest.fixture
def folder(data_dir: Path) -> Iterator[DataFolder]:
    with DataFolder(data_dir) as made:
        yield made


async def test_other_commands_find_the_servers_by_the_data_folder(folder: DataFolder) -> None:
    valkey, postgres = EmbeddedValkey(folder), EmbeddedPostgres(folder)
    try:
        valkey.start()
        postgres.start()
        async with Redis.from_url(embedded_redis_url(folder.path)) as redis:
            assert await redis.ping()
            assert (await redis.config_get("appendfsync"))["appendfsync"] == "always"
        assert await _fetched(embedded_database_url(folder.path), "SELECT current_database()") == "playhead"
        assert await _fetched(postgres.url, "SHOW synchronous_commit") == "on"
    finally:
        postgres.stop()
        valkey.stop()


async def test_sqlalchemy_takes_the_url_too(postgres_url: str) -> None:
    engine = create_async_engine(postgres_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT upper('äß')"))).scalar_one() == "Äß"
    await engine.dispose()


async def test_no_port_is_opened(folder: DataFolder) -> None:
    valkey = EmbeddedValkey(folder).start()
    try:
        async with Redis.from_url(valkey.url) as redis:
            assert (await redis.config_get("port"))["port"] == "0"
    finally:
        valkey.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no library can be put before others so")
def test_valkey_has_jemalloc_where_the_machine_has_it(folder: DataFolder) -> None:
    valkey = EmbeddedValkey(folder).start()
    try:
        assert valkey.process
        mapped = Path(f"/proc/{valkey.process.pid}/maps").read_text()
        assert ("jemalloc" in mapped) == (jemalloc() is not None)
    finally:
        valkey.stop()


async def test_data_survives_a_restart(data_dir: Path) -> None:
    with DataFolder(data_dir) as folder:
        valkey, postgres = EmbeddedValkey(folder).start(), EmbeddedPostgres(folder).start()
        async with Redis.from_url(valkey.url) as redis:
            await redis.set("kept", "yes")
        await _fetched(postgres.url, "CREATE TABLE kept AS SELECT 7 AS number")
        postgres.stop()
        valkey.stop()
    with DataFolder(data_dir) as folder:
        valkey, postgres = EmbeddedValkey(folder).start(), EmbeddedPostgres(folder).start()
        async with Redis.from_url(valkey.url) as redis:
            assert await redis.get("kept") == b"yes"
        assert await _fetched(postgres.url, "SELECT number FROM kept") == 7
        postgres.stop()
        valkey.stop()


def test_stopping_twice_is_harmless_and_leaves_nothing_behind(data_dir: Path) -> None:
    with DataFolder(data_dir) as folder:
        valkey, postgres = EmbeddedValkey(folder).start(), EmbeddedPostgres(folder).start()
        assert (valkey.poll(), postgres.poll()) == (None, None)
        for server in (postgres, valkey, postgres, valkey):
            server.stop()
        assert valkey.poll() == "Valkey ended with status 0"
        assert postgres.poll() == "Postgres ended with status 0"
    assert _processes_in(data_dir) == []
    assert not runtime_dir(data_dir).exists()


async def test_a_killed_supervisor_leaves_no_process_and_the_next_one_starts_at_once(data_dir: Path) -> None:
    supervisor = _supervisor(data_dir, "started")
    async with Redis.from_url(embedded_redis_url(data_dir)) as redis:
        await redis.set("acknowledged", "yes")
    supervisor.kill()
    supervisor.wait()
    with DataFolder(data_dir) as folder:  # no waiting here: that is what is tested
        valkey, postgres = EmbeddedValkey(folder).start(), EmbeddedPostgres(folder).start()
        async with Redis.from_url(valkey.url) as redis:
            assert await redis.get("acknowledged") == b"yes"
        assert await _fetched(postgres.url, "SELECT 1") == 1
        postgres.stop()
        valkey.stop()
    assert holds_within(GONE_SECONDS, lambda: _processes_in(data_dir) == [])


def test_servers_end_by_themselves_when_nobody_comes_after_a_killed_supervisor(data_dir: Path) -> None:
    supervisor = _supervisor(data_dir, "started")
    assert len(_processes_in(data_dir)) > 2
    supervisor.kill()
    supervisor.wait()
    assert holds_within(GONE_SECONDS, lambda: _processes_in(data_dir) == [])


@pytest.mark.parametrize("victim", ["postgres", "valkey"])
def test_a_server_killed_by_hand_is_told_and_can_be_started_again(folder: DataFolder, victim: str) -> None:
    server = EmbeddedPostgres(folder).start() if victim == "postgres" else EmbeddedValkey(folder).start()
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGKILL)
    assert holds_within(GONE_SECONDS, lambda: server.poll() is not None)
    assert "ended by signal SIGKILL" in str(server.poll())
    server.start()
    assert server.poll() is None
    server.stop()


def test_a_data_folder_that_vanishes_under_a_server_is_survived(folder: DataFolder) -> None:
    valkey = EmbeddedValkey(folder).start()
    shutil.rmtree(folder.path)
    valkey.stop()
    assert str(valkey.poll()).startswith("Valkey ended ")


@pytest.mark.parametrize(("name", "server"), [("valkey", EmbeddedValkey), ("postgres", EmbeddedPostgres)])
def test_an_earlier_server_that_hangs_is_killed(
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    server: type[EmbeddedValkey] | type[EmbeddedPostgres],
) -> None:
    """Its playhead is dead, and it does not do what it was told."""
    supervisor = _supervisor(data_dir, "started")
    hanging = int((data_dir / name / "server.lock").read_text())
    os.kill(hanging, signal.SIGSTOP)
    supervisor.kill()
    supervisor.wait()
    monkeypatch.setattr(process_module, "PREVIOUS_SECONDS", 0.1)
    with DataFolder(data_dir) as folder:
        server(folder).start().stop()
    assert holds_within(GONE_SECONDS, lambda: _processes_in(data_dir) == [])


def test_a_lock_of_who_knows_whom_is_named(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no server of this folder is left alone."""
    monkeypatch.setattr(process_module, "PREVIOUS_SECONDS", 0.1)
    monkeypatch.setattr(process_module, "KILLED_SECONDS", 0.1)
    lock = process_module.claim(
        "Valkey", folder.subfolder("valkey", folder.owner) / "server.lock", folder.owner
    )
    with subprocess.Popen(["sleep", "60"]) as other:
        lock.note_holder(other.pid)
        with pytest.raises(CannotStart, match=f"an earlier Valkey .pid {other.pid}. .* has not stopped"):
            EmbeddedValkey(folder).start()
        assert other.poll() is None
        other.kill()
    lock.close()


def test_a_kill_in_the_middle_of_initdb_does_not_block_the_next_start(data_dir: Path) -> None:
    supervisor = _supervisor(data_dir, "locked")
    assert holds_within(GONE_SECONDS, (data_dir / "postgres" / "unfinished").exists)
    supervisor.kill()
    supervisor.wait()
    with DataFolder(data_dir) as folder:
        EmbeddedPostgres(folder).start().stop()


def test_what_a_power_cut_left_of_initdb_is_thrown_away(folder: DataFolder) -> None:
    unfinished = folder.path / "postgres" / "unfinished" / "base"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("1")
    EmbeddedPostgres(folder).start().stop()


def test_a_pid_file_whose_number_was_given_to_another_process_does_not_block(folder: DataFolder) -> None:
    postgres = EmbeddedPostgres(folder).start()
    postgres.stop()
    user = folder.postgres_user
    switch = {} if user.is_caller else {"user": user.uid, "group": user.gid}
    with subprocess.Popen(["sleep", "60"], cwd="/", **switch) as other:  # type: ignore[call-overload]
        pid_file = folder.path / "postgres" / "data" / "postmaster.pid"
        pid_file.write_text(
            f"{other.pid}\n{pid_file.parent}\n0\n5432\n{folder.runtime}/postgres\n\n0 0\nready\n"
        )
        user.take(pid_file)
        postgres.start()
        postgres.stop()
        assert other.poll() is None
        other.kill()


def test_a_second_playhead_on_the_same_folder_is_refused_by_pid(data_dir: Path) -> None:
    supervisor = _supervisor(data_dir, "locked")
    with pytest.raises(CannotStart, match=rf"in use by another running playhead \(pid {supervisor.pid}\)"):
        DataFolder(data_dir)
    supervisor.kill()
    supervisor.wait()
    DataFolder(data_dir).close()


def test_what_a_dead_playhead_forked_does_not_hold_its_folder(data_dir: Path) -> None:
    forker = subprocess.Popen(
        [sys.executable, "-c", FORKER, str(data_dir)], stdout=subprocess.PIPE, text=True
    )
    assert forker.stdout is not None
    with forker.stdout as said:
        forked_pid = int(said.readline())
    forker.kill()
    forker.wait()
    DataFolder(data_dir).close()
    os.kill(forked_pid, signal.SIGKILL)


def test_servers_are_started_from_the_main_thread_only(folder: DataFolder) -> None:
    """They end with the thread that started them."""
    with ThreadPoolExecutor() as threads, pytest.raises(RuntimeError, match="from the main thread"):
        threads.submit(EmbeddedValkey(folder).start).result()


def test_the_same_folder_by_another_path_is_the_same_folder(folder: DataFolder, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder.path)
    assert embedded_redis_url(tmp_path / "link") == embedded_redis_url(folder.path)
    with pytest.raises(CannotStart, match="in use"):
        DataFolder(tmp_path / "link")


def test_a_file_cannot_be_a_data_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotStart, match="file cannot be used: it is not a directory"):
        DataFolder(tmp_path / "file")
    with pytest.raises(CannotStart, match="cannot be used: "):
        DataFolder(tmp_path / "file" / "data")


def test_where_nothing_can_be_written_there_is_no_data_folder() -> None:
    with pytest.raises(CannotStart, match="the data folder /proc/playhead cannot be used: "):
        DataFolder(Path("/proc/playhead"))


def test_too_little_space_is_said_before_anything_starts(data_dir: Path) -> None:
    with pytest.raises(CannotStart, match=r"has \d+ MB of space left, below 1125899906842 MB"):
        DataFolder(data_dir, free_bytes_min=2**20 * 1125899906842)
    DataFolder(data_dir).close()


def test_a_disk_that_takes_no_more_is_told_in_the_servers_words(small_disk: tuple[Path, int]) -> None:
    disk, file_bytes_max = small_disk
    why = "File too large" if file_bytes_max else "No space left on device"
    filler = [sys.executable, "-c", FILLER, str(disk / "data"), str(file_bytes_max)]
    said = subprocess.run(filler, check=False, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    postgres, valkey = said.stdout.splitlines()
    assert postgres.startswith("initdb ended with status 1: ")
    assert valkey.startswith("Valkey ended with status 1: ")
    assert why in postgres
    assert "AOF" in valkey
    assert file_bytes_max or "its disk has " in valkey


def test_a_data_folder_may_have_a_long_path(tmp_path: Path) -> None:
    data_dir = tmp_path.joinpath(*["a long name, with spaces and 'quotes'"] * 8, "data")
    assert len(str(data_dir)) > 250
    with DataFolder(data_dir) as folder:
        EmbeddedValkey(folder).start().stop()
        EmbeddedPostgres(folder).start().stop()


def test_folders_above_stay_as_closed_as_they_were(tmp_path: Path) -> None:
    """Root's Postgres, which isn't root, gets into its folder all the same."""
    above = tmp_path / "private"
    above.mkdir(mode=0o700)
    with DataFolder(above / "data") as folder:
        EmbeddedPostgres(folder).start().stop()
        assert folder.path.stat().st_mode & 0o007 == 0
    assert above.stat().st_mode & 0o777 == 0o700


def test_data_of_another_postgres_is_refused(folder: DataFolder) -> None:
    postgres = EmbeddedPostgres(folder).start()
    postgres.stop()
    (folder.path / "postgres" / "data" / "PG_VERSION").write_text("15\n")
    with pytest.raises(CannotStart, match=r"was made by Postgres 15, this is 18"):
        postgres.start()


def test_a_planted_folder_for_the_sockets_is_refused(data_dir: Path) -> None:
    planted = runtime_dir(data_dir)
    planted.mkdir()
    planted.chmod(0o777)
    try:
        with pytest.raises(CannotStart, match=r"can be changed by others"):
            DataFolder(data_dir)
        with pytest.raises(CannotStart, match=r"can be changed by others"):
            embedded_redis_url(data_dir)
    finally:
        planted.rmdir()


def test_a_setting_that_the_server_refuses_is_told_in_its_words(folder: DataFolder) -> None:
    with pytest.raises(CannotStart, match=r"Valkey ended with status 1: .*appendfsync"):
        EmbeddedValkey(folder, {"appendfsync": "sometimes"}).start()
    with pytest.raises(CannotStart, match=r"Postgres ended with status 1: .*shared_buffers"):
        EmbeddedPostgres(folder, {"shared_buffers": "much"}).start()
    assert _processes_in(folder.path) == []


def test_a_log_is_bounded_and_keeps_its_end(tmp_path: Path) -> None:
    log = ServerLog(tmp_path / "server.log", caller())
    output = log.open()
    os.write(output, b"x" * LOG_BYTES_MAX)
    os.write(output, b"\nFATAL:  the last words\n")
    log.bound()
    assert log.path.stat().st_size == LOG_BYTES_KEPT
    os.write(output, b"after\n")
    os.close(output)
    assert log.path.read_bytes().endswith(b"the last words\nafter\n")
    assert log.gist() == "FATAL:  the last words; after"


def _supervisor(data_dir: Path, until_it_says: str) -> subprocess.Popen[str]:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(data_dir)], stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout is not None
    with supervisor.stdout as said:
        assert any(line.strip() == until_it_says for line in said)
    return supervisor


def _processes_in(folder: Path) -> list[int]:
    """Servers work in their data folder; a process that has ended, though not yet reaped, works nowhere."""
    real = os.path.realpath(folder)
    found = []
    for entry in Path("/proc").iterdir():
        try:
            works_in = str((entry / "cwd").readlink()) if entry.name.isdigit() else ""
        except OSError:
            continue
        if works_in.startswith(real):
            found.append(int(entry.name))
    return found


async def _fetched(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()
