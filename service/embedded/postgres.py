"""Postgres as a child, on a socket only, with settings for a laptop."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Self

from service.embedded import binaries
from service.embedded.deadline import holds_within
from service.embedded.identity import has_name
from service.embedded.log import ServerLog
from service.embedded.process import PREVIOUS_SECONDS, ServerProcess, claim
from service.embedded.runtime import POSTGRES_PORT, embedded_database_url, postgres_socket_dir
from service.errors import CannotStart

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.embedded.folder import DataFolder
    from service.embedded.identity import Identity
    from service.embedded.lock import Lock

READY_SECONDS = 60.0
"""After a crash it replays up to `max_wal_size` first."""

INITDB_SECONDS = 60.0
"""Half a second on a good disk; a slow one syncs a thousand small files."""

PSQL_SECONDS = 30

CONFIG: Mapping[str, str] = {
    "listen_addresses": "",
    "port": str(POSTGRES_PORT),
    "unix_socket_permissions": "0700",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",  # a line every five minutes that tells nobody anything
}

DATABASE_IF_MISSING = r"""
SELECT 'CREATE DATABASE playhead' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'playhead') \gexec
"""


class EmbeddedPostgres:
    """The Postgres of a data folder, with a database `playhead`.

    `options` override CONFIG. `is_synced` false lets a first start be quicker than a disk is: for tests.
    """

    def __init__(
        self, folder: DataFolder, options: Mapping[str, str] | None = None, *, is_synced: bool = True
    ) -> None:
        self._folder = folder
        self._options = {**CONFIG, **(options or {})}
        self._is_synced = is_synced
        self._sockets = postgres_socket_dir(folder.runtime)
        self._top = folder.path / "postgres"
        self._data = self._top / "data"
        self.url = embedded_database_url(folder.path)
        self.process: ServerProcess | None = None

    def start(self) -> Self:
        """Returns when it answers. From the main thread only; raises CannotStart."""
        self._top = self._folder.subfolder("postgres", self._folder.postgres_user)
        self._bin = binaries.postgres_bin()
        lock = claim("Postgres", self._top / "server.lock", self._folder.postgres_user)
        try:
            self._initialise(lock)
            self._refuse_other_major()
            self._forget_reused_pid()
            self.process = self._launch("Postgres", self._command(), "postgres.log", signal.SIGINT, lock)
        finally:
            lock.close()
        self.process.wait_until(self._says_ready, READY_SECONDS)
        try:
            self._create_database()
        except BaseException:
            self.stop()
            raise
        return self

    def poll(self) -> str | None:
        """None while it runs, then one sentence on how it ended."""
        return self.process.poll() if self.process else "Postgres was not started"

    def stop(self) -> None:
        """Cleanly, without waiting for clients; may be called again."""
        if self.process:
            self.process.stop()

    def _initialise(self, lock: Lock) -> None:
        """Makes the files aside and moves them into place when complete: a kill leaves nothing half-made."""
        if (self._data / "PG_VERSION").exists():
            return
        _refuse_nameless(self._folder.postgres_user)
        unfinished = self._top / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        initdb = self._launch("initdb", self._initdb_command(unfinished), "initdb.log", signal.SIGTERM, lock)
        try:
            if initdb.wait_for_end(INITDB_SECONDS) != 0:
                raise CannotStart(initdb.poll() or f"initdb did not finish within {INITDB_SECONDS:.0f} s")
        finally:
            initdb.stop()
        self._put_in_place(unfinished)

    def _initdb_command(self, unfinished: Path) -> list[str]:
        """Trusts whoever can connect: only its own user and root can enter the folder of the socket.

        Sorts by code point, and knows upper from lower case in every script, on every machine.
        """
        words = ["-D", str(unfinished), "-U", "playhead", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        words += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return [str(self._bin / "initdb"), *words, *([] if self._is_synced else ["--no-sync"])]

    def _put_in_place(self, unfinished: Path) -> None:
        try:
            unfinished.rename(self._data)
            if self._is_synced:
                _sync_folder(self._top)
        except OSError as failed:
            raise CannotStart(f"{self._data} cannot be made: {failed.strerror}") from None

    def _refuse_other_major(self) -> None:
        made_by = (self._data / "PG_VERSION").read_text().strip()
        runs = _major(self._bin / "postgres")
        if made_by != runs:
            raise CannotStart(
                f"the data folder {self._folder.path} was made by Postgres {made_by}, this is {runs}: "
                "use the playhead that made it, or another folder"
            )

    def _forget_reused_pid(self) -> None:
        """Removes a dead server's pid file where its number belongs to some other process by now.

        Postgres would take that process for itself and refuse to start, which is likely in a container. Where
        a living Postgres that isn't ours uses the folder, it is waited for, then named.
        """
        pid_file = self._data / "postmaster.pid"
        pid = _first_number(pid_file)
        if pid is not None and Path("/proc/self/cwd").exists():
            if not holds_within(PREVIOUS_SECONDS, lambda: not _works_in(pid, self._data)):
                raise CannotStart(
                    f"the data folder {self._folder.path} is in use by another Postgres (pid {pid})"
                )
            if Path(f"/proc/{pid}").exists():
                pid_file.unlink(missing_ok=True)
        for left_over in self._sockets.glob(".s.PGSQL.*"):
            left_over.unlink(missing_ok=True)

    def _command(self) -> list[str]:
        settings = {**self._options, "unix_socket_directories": str(self._sockets)}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self._bin / "postgres"), "-D", str(self._data), *words]

    def _launch(
        self, name: str, command: list[str], log_name: str, stop_signal: signal.Signals, lock: Lock
    ) -> ServerProcess:
        user = self._folder.postgres_user
        log = ServerLog(self._top / log_name, user)
        return ServerProcess(
            name, command, folder=self._top, user=user, stop_signal=stop_signal, log=log, lock=lock
        )

    def _says_ready(self) -> bool:
        """Postgres writes its state into the eighth line of its pid file."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready" and lines[0] == str(self._pid())

    def _pid(self) -> int | None:
        return self.process.pid if self.process else None

    def _create_database(self) -> None:
        """Through the socket, as clients will: a server that can't be reached is told apart here."""
        psql = [self._bin / "psql", "-X", "-q", "-w", "-v", "ON_ERROR_STOP=1", "-h", self._sockets]
        done = subprocess.run(  # noqa: S603 - the command is our own
            [*map(str, psql), "-p", self._options["port"], "-U", "playhead", "-d", "postgres"],
            input=DATABASE_IF_MISSING,
            capture_output=True,
            text=True,
            check=False,
            timeout=PSQL_SECONDS,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            start_new_session=True,  # a terminal's Ctrl-C is the supervisor's to obey
        )
        if done.returncode != 0:
            raise CannotStart(f"the database playhead cannot be made: {done.stderr.strip()}")


def _refuse_nameless(user: Identity) -> None:
    if not has_name(user):
        raise CannotStart(
            f"initdb needs a user with a name, and user {user.uid} has none here: "
            "add it to /etc/passwd, or set PLAYHEAD_DATABASE_URL"
        )


def _major(postgres: Path) -> str:
    """The 18 of "postgres (PostgreSQL) 18.4"."""
    said = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    return said.split()[2].split(".")[0]


def _first_number(path: Path) -> int | None:
    try:
        first = path.read_text().split("\n", 1)[0]
    except OSError:
        return None
    return int(first) if first.isdigit() else None


def _works_in(pid: int, folder: Path) -> bool:
    """Whether that process has `folder` as its working directory, as every Postgres has its data folder."""
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", folder)
    except OSError:
        return False


def _sync_folder(path: Path) -> None:
    """A renamed folder survives a power cut once the folder above it is on disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
