"""What old clients write goes to the old system first, and counts here once it is there."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import pytest
from graphql import parse

from service import metrics
from service.counters.connection import connect
from service.courses.database import Database
from service.errors import (
    Forbidden,
    Invalid,
    NotFound,
    OldApiRefused,
    OldApiUnavailable,
    PlayheadError,
    PostgresUnavailable,
)
from service.moving import ids
from service.moving.forwarding import Asked
from service.moving.model import Side, Unit
from service.moving.reading import Reading
from service.moving.store import Moving
from service.moving.writing import position_ms
from service.settings import Settings
from tests.api.conftest import NO_POSTGRES
from tests.courses.cinema import cinema_on
from tests.courses.school import NOW, assign, put
from tests.moving.old_client import CREATE_PROGRESS, UPDATE_USER_LESSON
from tests.moving.old_process import AS_SERVER, as_person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.courses.cinema import Cinema
    from tests.moving.old_process import OldProcess


@dataclass(frozen=True)
class Ann:
    """Somebody whom no other test knows."""

    user: str

    @property
    def intro(self) -> str:
        return f"ul {self.user} intro"

    @property
    def rules(self) -> str:
        return f"ul {self.user} rules"

    @property
    def headers(self) -> dict[str, str]:
        return as_person(self.user)

    async def may_write(self, user: str) -> None:
        if user != self.user:
            raise Forbidden("foreign_user", "not yours")


@pytest.fixture
def ann() -> Ann:
    return Ann(f"ann {uuid.uuid4().hex[:8]}")


@pytest.fixture(scope="module")
async def cinema(redis_url: str, module_database_url: str) -> AsyncIterator[Cinema]:
    """One for all of these tests, which is quicker than one for each."""
    async with connect(redis_url, 5) as redis:
        await redis.flushall()
        async with cinema_on(redis, module_database_url) as made:
            await put(made.courses)
            yield made


def moving_of(cinema: Cinema, **settings: Any) -> Moving:
    database, watched = cinema.courses.database, cinema.watching.watched
    return Moving(Settings(**settings), database, watched, cinema.bench.writer)


@pytest.fixture
async def both(cinema: Cinema, old: OldProcess, ann: Ann) -> AsyncIterator[Moving]:
    """Ann has a course on both sides, under the same ids; Bob only in the old system."""
    await old.put_course("safety", intro=100, rules=60.5)
    for user in (ann.user, "bob"):
        await old.assign("safety", user, "2026-03-01T10:00:00Z")
    await assign(cinema.courses, ann.user)
    await cinema.level(user=ann.user)
    async with cinema.courses.database.transaction() as connection:
        course = f"uc {ann.user} safety"
        await connection.execute(
            "INSERT INTO user_courses VALUES ($1, 'safety', $2, NULL, $3)", course, ann.user, NOW
        )
        await connection.execute(
            "INSERT INTO user_lessons SELECT 'ul ' || $2 || ' ' || lesson, $1, lesson, $2 FROM lessons",
            course,
            ann.user,
        )
        await connection.execute("DELETE FROM moving")
    moving = moving_of(cinema, old_api_url=old.url, old_api_timeout_seconds=5)
    async with moving.kept():
        await moving.stage.look()
        yield moving


async def anybodys(_user: str) -> None:
    """The caller may write everybody's."""


async def counted(cinema: Cinema, user: str, slug: str = "intro-v1") -> tuple[int, int | None, int]:
    """Watch time, latest position and events."""
    [scopes] = await cinema.scopes.read([(user, slug)])
    latest = max(
        (scope for scope in scopes if scope.latest_us), key=lambda one: one.latest_us or 0, default=None
    )
    return (
        sum(scope.watch_ms for scope in scopes),
        latest.latest_ms if latest else None,
        sum(scope.events for scope in scopes),
    )


def unknown_points() -> float:
    return float(metrics.POINTS_UNKNOWN._value.get())


def asking(query: str, **given: object) -> Asked:
    return Asked(query, parse(query), {"input": given})


async def test_a_point_is_a_row_there_and_a_heartbeat_here(
    ann: Ann, both: Moving, cinema: Cinema, old: OldProcess
) -> None:
    for progress in (5.0, 10.0, 15.5):
        point = await both.writing.point(ann.intro, progress, headers=ann.headers, may_write=ann.may_write)
        assert (point.user, point.progress) == (ann.user, progress)
    assert await old.points(ann.intro) == [5, 10, 15.5]
    assert await counted(cinema, ann.user) == (15_500, 15_500, 3)
    await cinema.bench.settle()
    rows = await cinema.bench.connection.fetch(
        "SELECT session, event_id FROM events WHERE user_id = $1 AND kind <> 'cut'", ann.user
    )
    assert {row["session"] for row in rows} == {"old/" + ann.intro}
    known = await old.connection.fetch('SELECT id FROM "UserLessonProgress"')
    assert {row["event_id"] for row in rows} == {row["id"] for row in known}


async def test_a_repeated_point_succeeds_and_counts_once(
    ann: Ann, both: Moving, cinema: Cinema, old: OldProcess
) -> None:
    """Also where only the old system had it before: then it counts now."""
    for _ in range(2):
        await both.writing.point(ann.intro, 5, point="p1", headers=ann.headers, may_write=ann.may_write)
    assert (await old.points(ann.intro), await counted(cinema, ann.user)) == ([5], (5000, 5000, 1))
    await old.connection.execute(
        """INSERT INTO "UserLessonProgress" VALUES ('p2', $1, 10, 'ann', now(), now())""", ann.intro
    )
    await both.writing.point(ann.intro, 10, point="p2", headers=ann.headers, may_write=ann.may_write)
    assert (await old.points(ann.intro), await counted(cinema, ann.user)) == ([5, 10], (10_000, 10_000, 2))


async def test_a_point_that_was_imported_meanwhile_is_not_counted_again(
    ann: Ann, both: Moving, cinema: Cinema, old: OldProcess
) -> None:
    """It could not be counted when it was written, was imported, and is said again then."""
    await old.connection.execute(
        """INSERT INTO "UserLessonProgress" VALUES ('p1', $1, 10, 'ann', now(), now())""", ann.intro
    )
    known = b"eight by" + blake2b(b"p1", digest_size=8).digest()
    async with cinema.courses.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO imported_lessons VALUES ($1, 'safety', $2, 2, NULL, NULL, NULL, $3, 1, true)",
            ann.intro,
            ann.user,
            known,
        )
    for name, events in (("p1", 0), ("p2", 1)):
        await both.writing.point(ann.intro, 10, point=name, headers=ann.headers, may_write=ann.may_write)
        assert (await counted(cinema, ann.user))[2] == events


async def test_what_the_old_system_does_not_take_counts_nowhere(
    ann: Ann, both: Moving, cinema: Cinema, old: OldProcess
) -> None:
    with pytest.raises(OldApiRefused, match="You are not authorized"):
        await both.writing.point(ann.intro, 5, headers={}, may_write=anybodys)
    with pytest.raises(OldApiRefused, match="Not Authorized to access this"):
        await both.writing.point(ann.intro, 5, headers=as_person("bob"), may_write=anybodys)
    answer = await both.forwarded(
        asking(CREATE_PROGRESS, userLessonId=ann.intro, progress=5), as_person("bob"), anybodys
    )
    assert answer
    assert answer.errors[0]["errorType"] == "Unauthorized"
    old.kill()
    for write in (
        both.writing.point(ann.intro, 5, headers=ann.headers, may_write=ann.may_write),
        both.writing.update(ann.intro, {"progress": 5}, headers=ann.headers, may_write=ann.may_write),
        both.forwarded(
            asking(CREATE_PROGRESS, userLessonId=ann.intro, progress=5), ann.headers, ann.may_write
        ),
    ):
        with pytest.raises(OldApiUnavailable, match="the old system cannot be reached"):
            await write
    assert await counted(cinema, ann.user) == (0, None, 0)


async def test_what_is_no_place_in_the_lesson_goes_nowhere(
    ann: Ann, both: Moving, cinema: Cinema, old: OldProcess
) -> None:
    for given in (-1, 110.5, math.nan, math.inf, 10**400, "5", True, [5]):
        with pytest.raises(Invalid):
            await both.writing.point(ann.intro, given, headers=ann.headers, may_write=ann.may_write)  # type: ignore[arg-type]
        with pytest.raises(Invalid):
            await both.forwarded(
                asking(CREATE_PROGRESS, userLessonId=ann.intro, progress=given), ann.headers, ann.may_write
            )
    assert (await old.points(ann.intro), await counted(cinema, ann.user)) == ([], (0, None, 0))


async def test_a_little_past_the_end_is_the_end(
    ann: Ann, both: Moving, cinema: Cinema, old: OldProcess
) -> None:
    await both.writing.point(ann.intro, 109, headers=ann.headers, may_write=ann.may_write)
    assert (await old.points(ann.intro), await counted(cinema, ann.user)) == ([109], (10_000, 100_000, 1))


async def test_another_s_lesson_is_told_as_unknown(
    ann: Ann, both: Moving, cinema: Cinema, old: OldProcess
) -> None:
    """Before anything is forwarded; the old system would have taken it from a server."""

    async def bobs(user: str) -> None:
        raise Forbidden("foreign_user", "not yours") if user == ann.user else AssertionError

    said = set()
    alone = moving_of(cinema)
    for name, moving in (
        (ann.intro, both),
        ("nothing", alone),
        ("\0", both),
        (ids.id_of_lesson("intro", "eve"), alone),
    ):
        with pytest.raises(NotFound) as refused:
            await moving.writing.point(name, 5, headers=AS_SERVER, may_write=bobs)
        said.add(str(refused.value).replace(repr(name), "…"))
    for query, field in ((CREATE_PROGRESS, "userLessonId"), (UPDATE_USER_LESSON, "id")):
        with pytest.raises(NotFound):
            await both.forwarded(asking(query, progress=5, **{field: ann.intro}), AS_SERVER, bobs)
    assert len(said) == 1
    assert (await old.points(ann.intro), await counted(cinema, ann.user)) == ([], (0, None, 0))


async def test_what_only_the_old_system_knows_is_left_to_the_import(
    ann: Ann, both: Moving, cinema: Cinema, old: OldProcess
) -> None:
    before = unknown_points()
    point = await both.writing.point("ul bob intro", 5, headers=as_person("bob"), may_write=ann.may_write)
    assert (point.user, await old.points("ul bob intro")) == (None, [5])
    assert unknown_points() == before + 1
    assert await counted(cinema, "bob") == (0, None, 0)


async def test_what_was_assigned_here_alone_counts_here_alone(
    ann: Ann, both: Moving, cinema: Cinema, old: OldProcess
) -> None:
    """The old system would refuse it, whichever side is read."""
    eve = Ann(f"eve of {ann.user}")
    await assign(cinema.courses, eve.user)
    await cinema.level(user=eve.user)
    here = ids.id_of_lesson("intro", eve.user)
    await both.writing.point(here, 5, headers=eve.headers, may_write=eve.may_write)
    await both.writing.update(here, {"progress": 10}, headers=eve.headers, may_write=eve.may_write)
    assert await counted(cinema, eve.user) == (10_000, 10_000, 2)
    asked = asking(CREATE_PROGRESS, userLessonId=here, progress=15)
    assert await both.forwarded(asked, eve.headers, eve.may_write) is None
    nobodys = ids.id_of_lesson("intro", "nobody")
    with pytest.raises(NotFound):
        await both.writing.point(nobodys, 5, headers=AS_SERVER, may_write=anybodys)
    assert await old.connection.fetchval('SELECT count(*) FROM "UserLessonProgress"') == 0


async def test_an_update_counts_its_progress_and_nothing_else(
    ann: Ann, both: Moving, cinema: Cinema, old: OldProcess
) -> None:
    given = {"progress": 10, "status": "Completed", "maxProgress": 100}
    for _ in range(2):
        await both.writing.update(ann.intro, given, headers=ann.headers, may_write=ann.may_write)
    assert await counted(cinema, ann.user) == (10_000, 10_000, 2)  # the second time at the same place
    [lesson] = await both.reading.user_lessons([ann.intro])
    assert lesson
    assert (lesson.furthest_ms, lesson.status) == (10_000, "InProgress")
    progress = await old.connection.fetchval('SELECT progress FROM "UserLesson" WHERE id = $1', ann.intro)
    assert progress == 10
    await both.writing.update(
        ann.rules, {"status": "InProgress"}, headers=ann.headers, may_write=ann.may_write
    )
    assert await counted(cinema, ann.user, slug="rules-v1") == (0, None, 0)


async def test_a_whole_mutation_is_forwarded_and_its_points_count(
    ann: Ann, both: Moving, cinema: Cinema, old: OldProcess
) -> None:
    """Several at once, by fragments and literals; each gets an id that both sides know."""
    query = """
    mutation Several($input: CreateUserLessonProgressInput!, $at: Float! = 20) {
      one: createUserLessonProgress(input: $input) { id progress }
      two: createUserLessonProgress(input: {userLessonId: "ul ann rules", progress: $at}) { id userLesson { status } }
      ...More
    }
    fragment More on Mutation { updateUserLesson(input: {id: "ul ann intro", progress: 15}) { maxProgress } }
    """
    asked = asking(query.replace("ul ann", f"ul {ann.user}"), userLessonId=ann.intro, progress=10)
    answer = await both.forwarded(asked, ann.headers, ann.may_write)
    assert answer
    assert not answer.errors
    assert answer.data["two"]["userLesson"] == {"status": "InProgress"}
    assert answer.data["updateUserLesson"] == {"maxProgress": 15}
    assert await counted(cinema, ann.user) == (15_000, 15_000, 2)
    assert await counted(cinema, ann.user, slug="rules-v1") == (10_000, 20_000, 1)
    await cinema.bench.settle()
    rows = await cinema.bench.connection.fetch(
        "SELECT event_id FROM events WHERE user_id = $1 AND event_id IS NOT NULL", ann.user
    )
    assert {row["event_id"] for row in rows} == {answer.data["one"]["id"], answer.data["two"]["id"]}


async def test_of_a_mutation_what_failed_does_not_count(
    ann: Ann, both: Moving, cinema: Cinema, old: OldProcess
) -> None:
    query = """
    mutation Two($input: CreateUserLessonProgressInput!) {
      createUserLessonProgress(input: $input) { id }
      other: createUserLessonProgress(input: {userLessonId: "ul ann rules", progress: 5, id: "taken"}) { id }
    }
    """
    await old.connection.execute(
        """INSERT INTO "UserLessonProgress" VALUES ('taken', $1, 5, 'ann', now(), now())""", ann.rules
    )
    answer = await both.forwarded(
        asking(query.replace("ul ann", f"ul {ann.user}"), userLessonId="ul bob intro", progress=5),
        ann.headers,
        ann.may_write,
    )
    assert answer
    assert len(answer.errors) == 2
    assert await counted(cinema, ann.user, slug="rules-v1") == (0, None, 0)


async def test_a_repeated_mutation_is_for_playhead_to_answer(ann: Ann, both: Moving, old: OldProcess) -> None:
    """The old system has nothing but an error for it."""
    asked = asking(CREATE_PROGRESS, userLessonId=ann.intro, progress=10, id="p1")
    assert await both.forwarded(asked, ann.headers, ann.may_write)
    assert await both.forwarded(asked, ann.headers, ann.may_write) is None


async def test_reads_are_forwarded_until_they_are_switched(ann: Ann, both: Moving) -> None:
    asked = asking(f'query {{ getUserCourse(id: "uc {ann.user} safety") {{ id status }} }}')
    answer = await both.forwarded(asked, ann.headers, ann.may_write)
    assert answer
    assert answer.data == {"getUserCourse": {"id": f"uc {ann.user} safety", "status": "Assigned"}}
    foreign = await both.forwarded(asked, as_person("bob"), ann.may_write)
    assert foreign
    assert (foreign.status, foreign.data) == (200, {"getUserCourse": None})
    for own in (
        "{ __typename }",
        "{ movie(slug: 1) { slug } }",
        "subscription { onUpdateUserLesson { id } }",
    ):
        assert await both.forwarded(asking(own), ann.headers, ann.may_write) is None
    with pytest.raises(PlayheadError, match="in two requests"):
        await both.forwarded(
            asking("{ getUserLesson(id: 1) { id } movie(slug: 1) { slug } }"), ann.headers, ann.may_write
        )
    turn = await both.stage.switch(Side.NEW)
    await both.stage.look()
    assert both.reads is Side.OLD
    assert (turn.side_at(turn.at_us - 1), turn.side_at(turn.at_us)) == (Side.OLD, Side.NEW)
    with pytest.raises(PlayheadError, match="another switch is under way"):
        await both.stage.switch(Side.OLD)


async def test_the_old_system_is_held_to_its_time(
    ann: Ann, both: Moving, cinema: Cinema, old: OldProcess
) -> None:
    assert old.popen
    impatient = moving_of(cinema, old_api_url=old.url, old_api_timeout_seconds=0.2)
    async with impatient.kept():
        old.pause()
        with pytest.raises(OldApiUnavailable, match="did not answer in time"):
            await impatient.writing.point(ann.intro, 5, headers=ann.headers, may_write=ann.may_write)
        old.resume()
    assert await counted(cinema, ann.user) == (0, None, 0)


async def test_who_was_known_before_is_known_while_postgres_is_away(
    ann: Ann, both: Moving, cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    await both.writing.point(ann.intro, 5, headers=ann.headers, may_write=ann.may_write)
    away = await Database.connect(NO_POSTGRES)
    monkeypatch.setattr(both.writing, "_names", Reading(away, cinema.watching.watched))
    monkeypatch.setattr("service.moving.writing.NAMED_SECONDS", 0.0)
    await both.writing.point(ann.intro, 10, headers=ann.headers, may_write=ann.may_write)
    assert await counted(cinema, ann.user) == (10_000, 10_000, 2)
    with pytest.raises(PostgresUnavailable):
        await both.writing.point(ann.rules, 10, headers=ann.headers, may_write=ann.may_write)
    monkeypatch.setattr(both.stage, "_database", away)
    with pytest.raises(PostgresUnavailable):
        await both.stage.look()
    assert both.reads is Side.OLD
    monkeypatch.setattr(both.stage, "_turn", None)
    with pytest.raises(PostgresUnavailable, match="who answers reads"):
        assert both.reads
    await away.close()


def test_units_are_of_the_lesson() -> None:
    assert position_ms(12.3456, Unit.SECONDS, 100_000) == 12_346
    assert position_ms(0.5, Unit.FRACTION, 60_500) == 30_250
    assert position_ms(50, Unit.PERCENT, 60_500) == 30_250
    for wrong, unit in ((1.2, Unit.FRACTION), (120, Unit.PERCENT), (-0.1, Unit.FRACTION)):
        with pytest.raises(Invalid):
            position_ms(wrong, unit, 60_500)
