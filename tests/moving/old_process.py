"""The old system as a process of its own, over a database of its own: filled, asked, exported, broken."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg
import orjson

from tests.api.provider import HS256, SECRET
from tests.conftest import REPOSITORY
from tests.integration.serving import free_port
from tests.integration.waiting import until
from tests.moving.old_system import API_KEY, TABLES, shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

AS_SERVER = {"X-Api-Key": API_KEY}

EXPORTED = {"courses": "UserCourse", "lessons": "UserLesson", "progress": "UserLessonProgress"}


def as_person(name: str, **claims: object) -> dict[str, str]:
    """The headers that somebody's client sends, to whichever side."""
    return {"Authorization": f"Bearer {HS256.token(sub=name, **claims)}"}


@dataclass
class OldProcess:
    port: int
    database_url: str
    connection: asyncpg.Connection[asyncpg.Record]
    popen: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/graphql"

    async def start(self) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "tests.moving.old_system", str(self.port), self.database_url],
            cwd=REPOSITORY,
            env={**os.environ, "OLD_SYSTEM_SECRET": SECRET},
        )
        await until(self._listens, "the old system listens")

    def kill(self) -> None:
        if self.popen is not None:
            self.popen.kill()
            self.popen.wait()

    def pause(self) -> None:
        assert self.popen is not None
        self.popen.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.popen is not None
        self.popen.send_signal(signal.SIGCONT)

    async def empty(self) -> None:
        """Also starts it again, where it was killed."""
        tables = ", ".join(f'"{table}"' for table in ("Course", "Lesson", *EXPORTED.values()))
        await self.connection.execute(f"TRUNCATE {tables}")
        if self.popen is None or self.popen.poll() is not None:
            await self.start()

    async def put_course(self, course: str, **durations: float) -> None:
        await self.connection.execute('INSERT INTO "Course" VALUES ($1, $1)', course)
        for lesson, duration in durations.items():
            await self.connection.execute(
                'INSERT INTO "Lesson" VALUES ($1, $2, $1, $3)', lesson, course, duration
            )

    async def assign(self, course: str, user: str, at: str, due: str | None = None) -> str:
        """As of that time; gives the id of the user course. Those of its lessons are `ul <user> <lesson>`."""
        identity = f"uc {user} {course}"
        await self.connection.execute(
            """
            INSERT INTO "UserCourse" (id, "courseId", "user", status, "createdAt", "updatedAt", "dueDate")
            VALUES ($1, $2, $3, 'Assigned', $4::text::timestamptz, now(), $5::text::timestamptz)
            """,
            identity,
            course,
            user,
            at,
            due,
        )
        await self.connection.execute(
            """
            INSERT INTO "UserLesson"
                (id, "userCourseId", "lessonId", "user", status, progress, "maxProgress", "createdAt", "updatedAt")
            SELECT 'ul ' || $2 || ' ' || id, $1, id, $2, 'Assigned', 0, 0, $4::text::timestamptz, now()
            FROM "Lesson" WHERE "courseId" = $3
            """,
            identity,
            user,
            course,
            at,
        )
        return identity

    async def points(self, user_lesson: str) -> list[float]:
        """Of all rows, in order of time."""
        rows = await self.connection.fetch(
            'SELECT progress FROM "UserLessonProgress" WHERE "userLessonId" = $1 ORDER BY "createdAt"',
            user_lesson,
        )
        return [row["progress"] for row in rows]

    async def export(self, folder: Path) -> dict[str, Path]:
        """Each table as a file of JSON lines."""
        files = {}
        for name, table in EXPORTED.items():
            rows = await self.connection.fetch(f'SELECT * FROM "{table}" ORDER BY "createdAt", id')
            files[name] = folder / f"{table}.jsonl"
            files[name].write_bytes(b"".join(orjson.dumps(shown(row)) + b"\n" for row in rows))
        return files

    async def _listens(self) -> bool:
        assert self.popen is not None
        assert self.popen.poll() is None
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True


@asynccontextmanager
async def old_process(postgres_url: str) -> AsyncIterator[OldProcess]:
    """Runs, and is empty."""
    name = f"old_{uuid.uuid4().hex[:12]}"
    server: Any = await asyncpg.connect(postgres_url)
    await server.execute(f"CREATE DATABASE {name}")
    parts = urlsplit(postgres_url)
    url = f"{parts.scheme}://{parts.netloc}/{name}" + (f"?{parts.query}" if parts.query else "")
    connection: Any = await asyncpg.connect(url)
    await connection.execute(TABLES)
    made = OldProcess(free_port(), url, connection)
    try:
        await made.start()
        yield made
    finally:
        made.kill()
        await connection.close()
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await server.close()
