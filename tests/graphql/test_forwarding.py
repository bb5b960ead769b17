"""While the old system answers reads, `/graphql` is in front of it: what is its goes there, and comes back as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from service.access.keyring import Scope
from service.settings import Settings
from tests.api.conftest import serving
from tests.api.keys import line_of
from tests.api.provider import AUDIENCE, ISSUER, SECRET
from tests.graphql.asking import ask, only, post, reason_of
from tests.graphql.test_old_shapes import CREATE, LESSON
from tests.integration.bench import PARTITIONS
from tests.integration.waiting import until
from tests.moving.conftest import cinema, old, shared_old
from tests.moving.old_client import CREATE_PROGRESS
from tests.moving.old_process import AS_SERVER, as_person
from tests.moving.old_system import API_KEY
from tests.moving.sides import Both

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.client import Api
    from tests.courses.cinema import Cinema
    from tests.moving.old_process import OldProcess

ANN, BOB = as_person("ann"), as_person("bob")
INTRO = "ul ann intro"
OTHER = {"X-Api-Key": "a-key-that-may-ingest-only"}


@pytest.fixture
async def front(cinema: Cinema, old: OldProcess, redis_url: str, database_url: str) -> AsyncIterator[Api]:
    """Ann has watched 50 s of the first lesson on both sides; of the old system's keys one is known here, too."""
    both = Both(cinema, old, None)  # type: ignore[arg-type] # what it asks the old system is not needed here
    await both.fill()
    settings = Settings(
        old_api_url=old.url,
        tokens_secret=SecretStr(SECRET),
        tokens_issuer=ISSUER,
        tokens_audience=AUDIENCE,
        keys=";".join(
            [
                line_of("all", API_KEY, Scope.READ, Scope.INGEST),
                line_of("writes", OTHER["X-Api-Key"], Scope.INGEST),
            ]
        ),
        partitions=PARTITIONS,
        shutdown_seconds=1,
    )
    async with serving(settings, redis_url, database_url) as api:
        await until(lambda: _knows_who_answers(api), "who answers reads is known")
        yield api


async def _knows_who_answers(api: Api) -> bool:
    return "errors" not in (await post(api, LESSON, AS_SERVER, id=INTRO)).json


async def test_the_old_system_answers_what_is_its_until_reads_are_switched(
    front: Api, old: OldProcess
) -> None:
    await old.connection.execute("""UPDATE "UserLesson" SET progress = 33 WHERE id = $1""", INTRO)
    for shown in (ANN, AS_SERVER):
        assert only(await ask(front, LESSON, shown, id=INTRO))["progress"] == 33
    assert (
        only(await ask(front, '{ pair(user: "ann", slug: "intro-v1") { furthest } }', ANN))["furthest"] == 50
    )
    mixed = 'query ($id: ID!) { getUserLesson(id: $id) { id } user(user: "ann") { movies } }'
    answer = await post(front, mixed, ANN, id=INTRO)
    assert (answer.status, reason_of(answer)) == (400, "mixed_shapes")


async def test_a_point_is_taken_by_the_old_system_and_counted_here(front: Api, old: OldProcess) -> None:
    told = {"userLessonId": INTRO, "progress": 60.5, "id": "p 1"}
    assert only(await ask(front, CREATE_PROGRESS, ANN, input=told))["id"] == "p 1"
    row = await old.connection.fetchrow("""SELECT * FROM "UserLessonProgress" WHERE id = 'p 1'""")
    assert row is not None
    found = only(await ask(front, '{ pair(user: "ann", slug: "intro-v1") { furthest watchSeconds } }', ANN))
    assert (found["furthest"], row["progress"]) == (60.5, 60.5)


async def test_nothing_reaches_the_old_system_from_who_may_not_or_asks_too_much(
    front: Api, old: OldProcess
) -> None:
    """Who may is asked here first, and what is refused after the switch is refused before it."""
    old.pause()
    try:
        assert reason_of(await post(front, LESSON, {}, id=INTRO)) == "no_key"
        assert reason_of(await post(front, LESSON, OTHER, id=INTRO)) == "missing_scope"
        asked = {"userLessonId": INTRO, "progress": 70}
        assert reason_of(await post(front, CREATE, BOB, input=asked)) == "not_found"
        wrong = await post(front, CREATE, ANN, input={"userLessonId": INTRO, "progress": -1})
        assert reason_of(wrong) == "negative_position"
        for query in (
            "{ getUserLesson(id: 1) { nothing } }",
            "query ($id: ID!) { getUserLesson(id: $id) { id } }",
        ):
            assert reason_of(await post(front, query, ANN)) == "invalid_query"
    finally:
        old.resume()


__all__ = ["cinema", "old", "shared_old"]
