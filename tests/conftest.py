"""What every test may ask for: real servers, each test with nothing of another test's in them."""

from __future__ import annotations

import os
import uuid
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import pytest
from redis import Redis as BlockingRedis

from service.counters.connection import connect
from service.db.migrate import upgrade
from service.embedded import DataFolder, EmbeddedPostgres, EmbeddedValkey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from redis.asyncio import Redis

REPOSITORY = Path(__file__).resolve().parent.parent

UNSYNCED = {"fsync": "off", "full_page_writes": "off"}
"""A test's database need not survive a power cut; what Postgres does is the same."""


PROCESSES_MAX = 5
"""Each starts servers of its own."""


def pytest_xdist_auto_num_workers() -> int:
    """How many processes `-n auto` is: one where a server is given, since every test empties it.

    Else one more than there are processors, since tests wait for a third of their time.
    """
    given = "PLAYHEAD_TEST_REDIS_URL" in os.environ
    return 1 if given else min((os.cpu_count() or 1) + 1, PROCESSES_MAX)


@pytest.fixture
def say(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Callable[[str], None]:
    """Tells a sentence at the end of the run: what a test measured, and with which seed."""
    return lambda sentence: record_property("said", f"{request.node.name}: {sentence}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests had to say, whichever process they ran in."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    said = [value for report in reports for name, value in report.user_properties if name == "said"]
    for sentence in dict.fromkeys(said):
        terminalreporter.write_line(str(sentence))


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataFolder]:
    with DataFolder(tmp_path_factory.mktemp("playhead") / "data") as folder:
        yield folder


@pytest.fixture(scope="session")
def redis_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A Valkey of its own for the run, or the empty server that PLAYHEAD_TEST_REDIS_URL names."""
    given = os.environ.get("PLAYHEAD_TEST_REDIS_URL")
    if given:
        _refuse_filled(given)
        yield given
        with BlockingRedis.from_url(given) as client:
            client.flushall()
        return
    valkey = EmbeddedValkey(request.getfixturevalue("data_folder")).start()
    yield valkey.url
    valkey.stop()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of an emptied Redis; it never repeats a call by itself, as redis-py does by default."""
    client = connect(redis_url, 5)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A Postgres of its own for the run, or the one that PLAYHEAD_TEST_DATABASE_URL names."""
    given = os.environ.get("PLAYHEAD_TEST_DATABASE_URL")
    if given:
        yield given
        return
    folder = request.getfixturevalue("data_folder")
    postgres = EmbeddedPostgres(folder, UNSYNCED, is_synced=False).start()
    yield postgres.url
    postgres.stop()


@pytest.fixture(scope="session")
async def template_database(postgres_url: str) -> AsyncIterator[str]:
    """The name of a migrated, empty database, to be copied: that is quicker than migrating for each test."""
    name = f"template_{uuid.uuid4().hex[:12]}"
    await _run(postgres_url, f"CREATE DATABASE {name}")
    await upgrade(_renamed(postgres_url, name))
    yield name
    await _run(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database_url(postgres_url: str, template_database: str) -> AsyncIterator[str]:
    """A migrated database that is this test's alone."""
    async with _copied(postgres_url, template_database) as url:
        yield url


@pytest.fixture(scope="module")
async def module_database_url(postgres_url: str, template_database: str) -> AsyncIterator[str]:
    """A migrated database for all tests of a module, where these keep apart by names."""
    async with _copied(postgres_url, template_database) as url:
        yield url


@pytest.fixture(scope="session")
def real_input() -> Path:
    """Video statements of real learners; they are not part of the repository."""
    beside = REPOSITORY.parent / "shared" / "data" / "xapi-video-statements.jsonl.gz"
    path = Path(os.environ.get("PLAYHEAD_REAL_INPUT") or beside)
    if not path.exists():
        pytest.skip(f"the real input is not at {path}; PLAYHEAD_REAL_INPUT may name its place")
    return path


def _refuse_filled(url: str) -> None:
    """Every test empties the server: one that holds anything is somebody's."""
    with BlockingRedis.from_url(url) as client:
        held = {name: space["keys"] for name, space in client.info("keyspace").items()}
    if held:
        pytest.exit(
            f"PLAYHEAD_TEST_REDIS_URL must name an empty server, which the tests may empty; it holds {held}"
        )


@asynccontextmanager
async def _copied(postgres_url: str, template: str) -> AsyncIterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    await _run(postgres_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _renamed(postgres_url, name)
    await _run(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


def _renamed(url: str, database: str) -> str:
    """The same server, another database."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/{database}" + (f"?{parts.query}" if parts.query else "")


async def _run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
