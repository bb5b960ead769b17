"""Counts what Postgres is asked."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from service.courses.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import pytest


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Our statements that courses send; not those by which the driver learns what types there are."""
    said: list[str] = []
    connected = Database.connection

    def note(record: Any) -> None:
        if record.query.startswith("--"):
            said.append(record.query)

    @asynccontextmanager
    async def listened(self: Database) -> AsyncIterator[Any]:
        async with connected(self) as connection:
            with connection.query_logger(note):
                yield connection

    with monkeypatch.context() as patched:
        patched.setattr(Database, "connection", listened)
        yield said
