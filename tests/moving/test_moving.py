"""The whole move, as `docs/moving.md` plans it: an old system that runs, its clients, and an operator's commands."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from service.cli.move import status, switch
from service.cli.move_compare import compare
from service.cli.move_import import import_
from service.moving.model import Side
from service.settings import PREFIX, Settings
from tests.api.conftest import serving
from tests.api.provider import AUDIENCE, ISSUER, SECRET
from tests.integration.serving import Serving, run
from tests.integration.waiting import until
from tests.moving.old_client import OldClient, Refused
from tests.moving.old_process import OldProcess, as_person
from tests.moving.old_system import API_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from redis.asyncio import Redis

    from tests.moving.old_client import Document

COURSE = {
    "title": "safety",
    "lessons": [
        {"lesson": "film", "slug": "film-v1", "title": "film", "duration_seconds": 7200},
        {"lesson": "intro", "slug": "intro-v1", "title": "intro", "duration_seconds": 100},
    ],
}
USERS = ("ann", "bob", "cleo", "dora")
ADA = as_person("ada", roles=["admin"])
STEP_S = 0.4
"""Of who plays while both sides are compared: a point more is less than a difference."""

DATES_APART_S = 5.0


@dataclass
class Move:
    """Both sides, and the clients of either."""

    old: OldProcess
    playhead: Serving
    http: aiohttp.ClientSession

    def client(self, user: str) -> OldClient:
        return OldClient(self.http, f"{self.playhead.url}/graphql", as_person(user))

    def direct(self, user: str) -> OldClient:
        """As before the move."""
        return OldClient(self.http, self.old.url, as_person(user))

    async def call(self, method: str, path: str, body: object = None, headers: Any = ADA) -> Any:
        async with self.http.request(method, self.playhead.url + path, json=body, headers=headers) as answer:
            assert answer.status in (200, 201), await answer.text()
            return await answer.json(content_type=None)

    async def metric(self, name: str) -> float:
        async with self.http.get(f"{self.playhead.url}/metrics", headers=ADA) as answer:
            lines = (await answer.text()).splitlines()
        return sum(float(line.split()[1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    async def is_switched(self) -> bool:
        return await self.metric("playhead_reads_switched") == 1

    async def command(self, *words: str) -> tuple[int, str]:
        """As an operator gives it."""
        done = await asyncio.to_thread(run, *words, variables=self.playhead.variables)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
async def move(
    tmp_path: Path,
    old: OldProcess,
    redis: Redis,
    redis_url: str,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Move]:
    playhead = Serving(
        tmp_path / "data",
        redis_url=redis_url,
        database_url=database_url,
        old_api_url=old.url,
        old_api_headers=f"X-Api-Key: {API_KEY}",
        tokens_secret=SECRET,
        tokens_issuer=ISSUER,
        tokens_audience=AUDIENCE,
        follow_interval_seconds=0.2,
    )
    for name, value in playhead.variables.items():
        if name.startswith(PREFIX):
            monkeypatch.setenv(name, value)
    monkeypatch.setattr("service.moving.stage.AHEAD_SECONDS", 2)
    monkeypatch.setattr("service.cli.move_compare.SETTLE_MARGIN_SECONDS", 0.5)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
        yield Move(old, playhead, http)
    if playhead.popen and playhead.poll() is None:
        playhead.kill()
    assert playhead.is_gone(), playhead.processes()


async def test_the_whole_move(move: Move, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await has_been_used_for_years(move)
    move.playhead.start()
    await move.call("PUT", "/v1/courses/safety", COURSE)
    await clients_notice_nothing(move)
    await is_filled(move, tmp_path)
    assert await compare(settle_seconds=0) == 0
    await who_was_assigned_meanwhile_is_brought_along(move, tmp_path, capsys)
    await each_planted_difference_is_found(move, capsys)
    before = await all_reads(move)
    async with readers(move), viewers(move) as watching:
        code, said = await move.command("move", "switch", "new")
        assert (code, "Since now clients read playhead's" in said) == (0, True), said
        await all_have_gone_on(watching)
        assert await switch(Side.OLD) == 0
        await all_have_gone_on(watching)
        assert await switch(Side.NEW) == 0
        await all_have_gone_on(watching)
    await until(move.is_switched, "all processes say that they have turned")
    assert_same(before, await all_reads(move))
    await a_subscription_shows_what_is_watched(move)
    await learners_are_kept_apart(move)
    assert await compare() == 0
    await nothing_counts_that_the_old_system_did_not_take(move, capsys)
    assert move.playhead.stop() == 0
    await it_ends(move)


async def has_been_used_for_years(move: Move) -> None:
    await move.old.put_course("safety", film=7200, intro=100)
    for user in USERS:
        await move.old.assign("safety", user, "2026-10-01T08:00:00Z", "2026-12-01T00:00:00Z")
    await has_watched(move, "ann", "intro", 50)
    await has_watched(move, "bob", "intro", 100)
    await has_watched(move, "bob", "film", 60, hour=10)


async def has_watched(move: Move, user: str, lesson: str, to_s: int, hour: int = 9) -> None:
    for at in range(5, to_s + 1, 5):
        when = f"2026-10-02T{hour:02}:{at // 60:02}:{at % 60:02}.000Z"
        await move.direct(user).watched(f"ul {user} {lesson}", at, createdAt=when)


async def clients_notice_nothing(move: Move) -> None:
    """Reads are the old system's; points reach it, and are left to the import."""
    for user in USERS:
        assert await move.client(user).courses("safety") == await move.direct(user).courses("safety")
    assert len(await OldClient(move.http, f"{move.playhead.url}/graphql", ADA).courses("safety")) == 0
    ann = move.client("ann")
    told = await ann.watched("ul ann intro", 55, createdAt="2026-10-02T09:00:55.000Z")
    assert told["userLesson"] == await move.direct("ann").lesson("ul ann intro")
    with pytest.raises(Refused, match="Not Authorized"):
        await ann.watched("ul bob film", 65)
    assert await move.metric("playhead_points_unknown_total") == 1
    assert await move.metric("playhead_reads_switched") == 0


async def is_filled(move: Move, folder: Path) -> None:
    files = await move.old.export(folder)
    courses, lessons, progress = ([files[kind]] for kind in ("courses", "lessons", "progress"))
    assert await import_(courses=courses, lessons=lessons, progress=progress) == 0


async def who_was_assigned_meanwhile_is_brought_along(
    move: Move, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the next import; what was there stays as it is, also what was counted on both sides since."""
    await move.old.assign("safety", "eve", "2026-11-01T08:00:00Z")
    await move.client("ann").watched("ul ann film", STEP_S)
    capsys.readouterr()
    assert await compare(settle_seconds=0) == 1
    assert capsys.readouterr().out.splitlines()[:-1] == [
        "UserCourse uc eve safety  exists: old there, new not there"
    ]
    await is_filled(move, folder)
    assert await compare() == 0


async def each_planted_difference_is_found(move: Move, capsys: pytest.CaptureFixture[str]) -> None:
    """In a row there, and in counters here."""
    lesson = """UPDATE "UserLesson" SET "maxProgress" = $1 WHERE id = 'ul ann intro'"""
    await move.old.connection.execute(lesson, 56.5)
    capsys.readouterr()
    assert await compare(settle_seconds=0) == 1
    found = capsys.readouterr().out.splitlines()[:-1]
    assert found == ["UserLesson ul ann intro  maxProgress: old 56.5, new 55"]
    await move.old.connection.execute(lesson, 55.0)
    await move.call("POST", "/v1/events", {"user": "cleo", "slug": "intro-v1", "at": 12})
    assert await compare(settle_seconds=0.3) == 1
    found = capsys.readouterr().out.splitlines()[:-1]
    assert {line.partition(": ")[0] for line in found} == {
        *(f"UserCourse uc cleo safety  {name}" for name in ("status", "dateStarted", "dateLastViewed")),
        *(
            f"UserLesson ul cleo intro  {name}"
            for name in ("status", "dateStarted", "dateLastViewed", "progress", "maxProgress")
        ),
    }
    await move.direct("cleo").watched("ul cleo intro", 12)
    assert await compare() == 0


async def all_reads(move: Move) -> dict[str, list[Document]]:
    """Of those who do not watch meanwhile, all; of the others, what they have of the lesson that they do not watch."""
    found = {}
    for user in USERS:
        client = move.client(user)
        found[user] = [await client.lesson(f"ul {user} intro")]
        if user not in VIEWERS:
            found[user] += [*await client.courses("safety"), await client.course(f"uc {user} safety")]
            assert await client.courses("safety", "DESC") == found[user][1:2]
    return found


READERS, READS_MIN = 4, 10
"""At the same time, and how often each at least while reads are switched three times."""

VIEWERS = ("ann", "cleo", "dora")


@dataclass
class Viewer:
    """Watches the film, reads, and minds when anything goes back."""

    client: OldClient
    user_lesson: str
    rounds: int = 0

    async def watch(self, stop: asyncio.Event) -> None:
        furthest = 0.0
        for turn in count(1):
            if stop.is_set():
                return
            at = round(turn * STEP_S, 3)
            told = await self.client.watched(self.user_lesson, at)
            assert told["progress"] == at
            for lesson in (told["userLesson"], await self.client.lesson(self.user_lesson)):
                assert (lesson["progress"], lesson["status"]) == (at, "InProgress")
                assert lesson["maxProgress"] >= furthest
                furthest = lesson["maxProgress"]
            self.rounds = turn
            await asyncio.sleep(0.2)


@asynccontextmanager
async def viewers(move: Move) -> AsyncIterator[list[Viewer]]:
    """While they watch no request of theirs fails, and none goes back."""
    watching = [Viewer(move.client(user), f"ul {user} film") for user in VIEWERS]
    stop = asyncio.Event()
    tasks = [asyncio.create_task(one.watch(stop)) for one in watching]
    try:
        await all_have_gone_on(watching)
        yield watching
    finally:
        stop.set()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def readers(move: Move) -> AsyncIterator[None]:
    """They ask for as much as both sides can answer, and hear the same from either."""
    stop, turns = asyncio.Event(), [0] * READERS

    async def read(place: int) -> None:
        bob = move.client("bob")
        before = [await bob.courses("safety"), await bob.lesson("ul bob film")]
        while not stop.is_set():
            assert_same(before, [await bob.courses("safety"), await bob.lesson("ul bob film")])
            turns[place] += 1

    tasks = [asyncio.create_task(read(place)) for place in range(READERS)]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)
    assert min(turns) > READS_MIN


async def all_have_gone_on(watching: list[Viewer]) -> None:
    before = [one.rounds for one in watching]

    async def gone_on() -> bool:
        return all(one.rounds > was + 1 for one, was in zip(watching, before, strict=True))

    await until(gone_on, "everybody watches")


def assert_same(old: Any, new: Any, path: str = "") -> None:
    """But for moments, which two systems note some seconds apart."""
    if isinstance(old, dict):
        assert old.keys() == new.keys(), path
        for name, value in old.items():
            assert_same(value, new[name], f"{path}.{name}")
    elif isinstance(old, list):
        assert len(old) == len(new), path
        for place, value in enumerate(old):
            assert_same(value, new[place], f"{path}[{place}]")
    elif old and (path.rpartition(".")[2].startswith("date") or path.endswith(("Date", "At"))):
        apart = datetime.fromisoformat(old) - datetime.fromisoformat(new)
        assert abs(apart.total_seconds()) < DATES_APART_S, (path, old, new)
    else:
        assert old == new, (path, old, new)


async def a_subscription_shows_what_is_watched(move: Move) -> None:
    bob = move.client("bob")
    async with bob.following("ul bob film") as shown:
        first = await anext(shown)
        assert (first["progress"], first["status"]) == (60, "InProgress")
        await bob.watched("ul bob film", 65)
        async for lesson in shown:
            if lesson["progress"] == 65:
                assert lesson["maxProgress"] == 65
                break
    await bob.left("ul bob film", 70, status="Completed")
    assert (await bob.lesson("ul bob film"))["status"] == "InProgress"
    assert (await move.direct("bob").lesson("ul bob film"))["progress"] == 70


async def learners_are_kept_apart(move: Move) -> None:
    """Refused before anything reaches the old system; what another has is as unknown as what nobody has."""
    cleo, said = move.client("cleo"), set()
    before = await move.old.points("ul bob film")
    for user_lesson in ("ul bob film", "ul nobody film"):
        assert await cleo.lesson(user_lesson) is None
        with pytest.raises(Refused) as refused:
            await cleo.watched(user_lesson, 66)
        said.add(refused.value.messages.replace(user_lesson, "…"))
    assert await move.old.points("ul bob film") == before
    assert len(said) == 2  # of what nobody has here the old system is asked


async def nothing_counts_that_the_old_system_did_not_take(
    move: Move, capsys: pytest.CaptureFixture[str]
) -> None:
    ann = move.client("ann")
    move.old.kill()
    with pytest.raises(Refused, match="the old system cannot be reached") as refused:
        await ann.watched("ul ann intro", 90)
    assert refused.value.told["errors"][0]["extensions"]["reason"] == "old_api_unavailable"
    assert (await ann.lesson("ul ann intro"))["progress"] == 55
    await status()
    assert "NOT REACHED" in capsys.readouterr().out


async def it_ends(move: Move) -> None:
    """Without the old system's address there is nothing left of it."""
    variables = move.playhead.variables
    alone = Settings(
        tokens_secret=SECRET,
        tokens_issuer=ISSUER,
        tokens_audience=AUDIENCE,
        old_api_url=None,
        shutdown_seconds=1,
    )
    redis_url, database_url = (variables[PREFIX + name] for name in ("REDIS_URL", "DATABASE_URL"))
    async with serving(alone, redis_url, database_url) as api:
        ann = OldClient(move.http, f"http://127.0.0.1:{api.port}/graphql", as_person("ann"))
        for _ in range(2):
            await ann.watched("ul ann intro", 60, id="the last one")
        assert (await ann.lesson("ul ann intro"))["progress"] == 60
        with pytest.raises(Refused, match="no UserLesson"):
            await ann.watched("ul bob film", 66)
