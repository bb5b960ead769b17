"""Raw events become viewings, and attempts hear of them: once, in order, whatever fails in between."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from service.counters.coverage import seen_of
from service.counters.erasing import erase
from service.counters.partitions import partition_of
from service.courses.cells import spans_of
from service.courses.model import LessonDraft, Status
from service.courses.watching import following as following_module
from service.courses.watching.following import Following
from service.db.digests import digest
from service.settings import Settings
from tests.courses.school import DAY_US, NOW, assign, put
from tests.integration.bench import PARTITIONS, SLUGS, varied
from tests.integration.waiting import until
from workers.flushing import flush_until_stopped
from workers.parking import parked_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.courses.cinema import Cinema

MINUTE_US = 60_000_000


async def follow(cinema: Cinema) -> None:
    """All that is committed by now."""
    await cinema.bench.settle()
    for partition in range(PARTITIONS):
        while await cinema.watching.following.follow(partition):
            pass


async def table(cinema: Cinema, name: str) -> list[dict[str, Any]]:
    rows = await cinema.bench.connection.fetch(f"SELECT * FROM {name} ORDER BY 1, 2, 3, 4")
    return [dict(row) for row in rows]


async def viewings(cinema: Cinema) -> dict[tuple[str, int], tuple[int, Sequence[tuple[int, int]]]]:
    """Watch seconds and cells, by session and scope."""
    return {
        (row["session"], row["scope"]): (row["watch_ms"] // 1000, spans_of(seen_of(row["seen"])))
        for row in await table(cinema, "viewings")
    }


async def opened(cinema: Cinema) -> int:
    attempt = (await assign(cinema.courses)).attempt.attempt
    await cinema.level()
    return attempt


async def test_a_viewing_is_what_a_session_saw_in_a_scope(cinema: Cinema) -> None:
    await put(cinema.courses)
    await cinema.play("intro-v1", 0, 10, session="a")
    await cinema.play("intro-v1", 5, 20, session="b")
    await follow(cinema)
    await opened(cinema)
    await cinema.play("intro-v1", 20, 30, session="b")
    await cinema.play("intro-v1", 25, 40, session="b")
    await follow(cinema)
    assert await viewings(cinema) == {
        ("a", 0): (10, ((0, 10),)),
        ("b", 0): (15, ((5, 20),)),
        ("b", 1): (25, ((20, 40),)),
    }


async def test_movies_of_no_lesson_are_left_out_and_those_of_earlier_revisions_are_not(
    cinema: Cinema,
) -> None:
    await cinema.play("intro-v1", 0, 5)
    await follow(cinema)
    await put(cinema.courses)
    await put(cinema.courses, "safety", LessonDraft("intro", "intro-v2", "Introduction", duration_ms=90_000))
    await cinema.play("elsewhere", 0, 10)
    await cinema.play("intro-v1", 10, 20)
    await cinema.play("intro-v2", 0, 10)
    await follow(cinema)
    assert [(row["slug"], row["watch_ms"]) for row in await table(cinema, "viewings")] == [
        (slug, 10_000) for slug in sorted(("intro-v1", "intro-v2"), key=digest)
    ]


async def test_sections_are_kept_by_speed(cinema: Cinema) -> None:
    await put(cinema.courses)
    await cinema.play("intro-v1", 0, 30, session="a")
    await cinema.play("intro-v1", 30, 90, session="a", speed=2000, at_us=NOW + MINUTE_US)
    await follow(cinema)
    await cinema.play("intro-v1", 20, 40, session="a", speed=2000, at_us=NOW + 2 * MINUTE_US)
    await follow(cinema)
    assert [
        (row["speed"], row["watch_ms"], row["effective_ms"], spans_of(seen_of(row["seen"])))
        for row in await table(cinema, "viewing_speeds")
    ] == [(1000, 30_000, 30_000, ((0, 30),)), (2000, 80_000, 40_000, ((20, 90),))]


async def test_what_is_implausible_is_flagged_with_its_reason(cinema: Cinema) -> None:
    """A minute within ten seconds; and then two sessions at the same time."""
    await put(cinema.courses)
    at_us = NOW + 30 * MINUTE_US
    await cinema.play("intro-v1", 0, 1, session="a", at_us=at_us - 10_000_000)
    await cinema.play("intro-v1", 0, 60, session="a", at_us=at_us)
    await cinema.play("rules-v1", 0, 60, session="b", at_us=at_us)
    await follow(cinema)
    flags = [
        (row["reason"], row["implausible_ms"], spans_of(seen_of(row["seen"])))
        for row in await table(cinema, "viewing_flags")
    ]
    assert sorted(flags) == [
        ("faster_than_clock", 40_000, ((20, 60),)),
        ("parallel_playback", 50_000, ((10, 60),)),
    ]
    flagged = {
        row["session"]: (row["implausible_ms"], spans_of(seen_of(row["flagged"])))
        for row in await table(cinema, "viewings")
    }
    assert flagged == {"a": (40_000, ((20, 60),)), "b": (50_000, ((10, 60),))}


async def test_an_attempt_is_started_and_completed_by_what_is_watched(cinema: Cinema) -> None:
    await put(cinema.courses)
    attempt = await opened(cinema)
    assert (await cinema.courses.attempts.get(attempt))[0].status is Status.ASSIGNED
    await cinema.play("intro-v1", 0, 100, at_us=NOW + DAY_US)
    await follow(cinema)
    begun, records = await cinema.courses.attempts.get(attempt)
    assert (begun.status, begun.started_us, begun.last_viewed_us) == (
        Status.IN_PROGRESS,
        NOW + DAY_US,
        NOW + DAY_US,
    )
    assert [(record.lesson, record.seen_cells) for record in records] == [("intro", 100)]
    await cinema.play("rules-v1", 0, 60.5, at_us=NOW + 2 * DAY_US)
    await follow(cinema)
    done, _ = await cinema.courses.attempts.get(attempt)
    assert (done.status, done.completed_us) == (Status.COMPLETED, NOW + 2 * DAY_US)


async def test_what_was_watched_before_an_attempt_does_not_start_it(cinema: Cinema) -> None:
    await put(cinema.courses)
    await cinema.play("intro-v1", 0, 100)
    attempt = await opened(cinema)
    await follow(cinema)
    assert (await cinema.courses.attempts.get(attempt))[0].status is Status.ASSIGNED


async def test_opening_a_movie_starts_nothing(cinema: Cinema) -> None:
    await put(cinema.courses)
    attempt = await opened(cinema)
    await cinema.play("intro-v1", 10, 10)
    await follow(cinema)
    assert (await cinema.courses.attempts.get(attempt))[0].status is Status.ASSIGNED


async def test_what_was_watched_just_before_it_was_closed_still_counts(cinema: Cinema) -> None:
    """Also its first view, which levelling does not know."""
    await put(cinema.courses)
    attempt = await opened(cinema)
    await cinema.play("intro-v1", 0, 10, at_us=NOW + DAY_US)
    await cinema.play("intro-v1", 10, 20, at_us=NOW + 2 * DAY_US)
    await cinema.courses.assignments.unassign("safety", "ann", NOW + 3 * DAY_US)
    await cinema.level()
    await follow(cinema)
    closed, records = await cinema.courses.attempts.get(attempt)
    assert (closed.started_us, closed.last_viewed_us) == (NOW + DAY_US, NOW + 2 * DAY_US)
    assert [record.seen_cells for record in records] == [20]


@pytest.mark.parametrize("rows_max", [7, 1000])
async def test_viewings_add_up_to_the_scopes(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch, rows_max: int
) -> None:
    """Every kind of event, cuts, awkward names, in batches that end anywhere: to the millisecond and to the cell."""
    monkeypatch.setattr(following_module, "ROWS_MAX", rows_max)
    lessons = [
        LessonDraft(f"lesson {place}", slug, "Title", duration_ms=7_200_000)
        for place, slug in enumerate(SLUGS)
    ]
    await put(cinema.courses, "safety", *lessons)
    events = varied(3, 300)
    for start in range(0, len(events), 100):
        await cinema.bench.send(events[start : start + 100])
        await follow(cinema)
    totals: dict[tuple[str, str, int], list[int]] = {}
    for row in await table(cinema, "viewings"):
        mine = totals.setdefault((row["user_id"], row["slug"], row["scope"]), [0, 0, 0, 0])
        for place, column in enumerate(("watch_ms", "effective_ms", "events")):
            mine[place] += row[column]
        mine[3] |= seen_of(row["seen"])
    pairs = sorted(cinema.bench.model.pairs)
    assert totals == {
        (*pair, scope.number): [scope.watch_ms, scope.effective_ms, scope.events, scope.seen]
        for pair, scopes in zip(pairs, await cinema.scopes.read(pairs), strict=True)
        for scope in scopes
    }


async def test_two_who_follow_at_once_count_everything_once(cinema: Cinema) -> None:
    await put(cinema.courses)
    for number in range(40):
        await cinema.play("intro-v1", number, number + 1, user=f"user {number % 8}", session=str(number % 3))
    await cinema.bench.settle()
    others = [Following(cinema.courses.database, 10_000) for _ in range(3)]
    for _ in range(3):
        await asyncio.gather(*(one.follow(partition) for one in others for partition in range(PARTITIONS)))
    rows = await table(cinema, "viewings")
    assert (sum(row["events"] for row in rows), sum(row["watch_ms"] for row in rows)) == (40, 40_000)


@pytest.mark.parametrize("statement", ["upsert_viewings", "upsert_playing_hours", "move_followed"])
async def test_a_step_that_fails_is_done_again_whole(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    await put(cinema.courses)
    attempt = await opened(cinema)
    await cinema.play("intro-v1", 0, 10)
    await follow(cinema)
    await cinema.play("intro-v1", 10, 30)
    renamed = {
        "upsert_viewings": "viewings",
        "upsert_playing_hours": "playing_hours",
        "move_followed": "followed",
    }
    await cinema.bench.settle()
    await cinema.bench.connection.execute(
        f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''broken''; END';"
        f"CREATE TRIGGER broken BEFORE UPDATE ON {renamed[statement]} EXECUTE FUNCTION refuse()"
    )
    with pytest.raises(Exception, match="broken"):
        await follow(cinema)
    await cinema.bench.connection.execute("DROP FUNCTION refuse CASCADE")
    await follow(cinema)
    assert await viewings(cinema) == {("", 0): (30, ((0, 30),))}
    _, [record] = await cinema.courses.attempts.get(attempt)
    assert (record.seen_cells, record.watch_ms) == (30, 30_000)


KEPT = ("viewings", "viewing_speeds", "viewing_flags", "playing_hours", "attempt_scopes")


async def kept(cinema: Cinema) -> dict[str, int]:
    return {name: await cinema.bench.connection.fetchval(f"SELECT count(*) FROM {name}") for name in KEPT}


async def test_who_is_erased_is_not_brought_back_by_what_is_being_followed(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The erasure comes while a batch with the user's events is under way; it waits for that, and takes it all."""
    await put(cinema.courses)
    await opened(cinema)
    await cinema.play("intro-v1", 0, 10, session="a")
    await follow(cinema)
    await cinema.play("intro-v1", 0, 100, session="a")
    await cinema.play("rules-v1", 0, 60, session="b")
    await cinema.bench.settle()
    note, written, released = following_module._note, asyncio.Event(), asyncio.Event()

    async def note_slowly(*given: Any) -> None:
        await note(*given)
        written.set()
        await released.wait()

    monkeypatch.setattr(following_module, "_note", note_slowly)
    partition = partition_of("ann", PARTITIONS)
    batch = asyncio.create_task(cinema.watching.following.follow(partition))
    await written.wait()
    await erase(cinema.bench.redis, partition, "ann")
    erasing = asyncio.create_task(cinema.bench.settle())

    async def is_waiting() -> bool:
        waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return int(await cinema.bench.connection.fetchval(waits)) > 0

    await until(is_waiting, "the erasure waits")
    released.set()
    await asyncio.gather(batch, erasing)
    assert await kept(cinema) == dict.fromkeys(KEPT, 0)
    await follow(cinema)
    assert await kept(cinema) == dict.fromkeys(KEPT, 0)


async def test_who_comes_back_after_an_erasure_begins_anew(cinema: Cinema) -> None:
    await put(cinema.courses)
    await cinema.play("intro-v1", 0, 10, session="a")
    await cinema.bench.settle()
    await erase(cinema.bench.redis, partition_of("ann", PARTITIONS), "ann")
    await cinema.play("intro-v1", 20, 30, session="a")
    await follow(cinema)
    assert await viewings(cinema) == {("a", 0): (10, ((20, 30),))}


async def test_the_flushers_process_levels_and_follows(
    cinema: Cinema, redis_url: str, database_url: str
) -> None:
    await put(cinema.courses)
    attempt = (await assign(cinema.courses)).attempt.attempt
    settings = Settings(
        redis_url=redis_url,
        database_url=database_url,
        partitions=PARTITIONS,
        audit_users_per_minute=0,
        follow_interval_seconds=0.05,
    )
    stop = asyncio.Event()
    running = asyncio.create_task(flush_until_stopped(settings, stop, "process"))

    async def is_level() -> bool:
        return not await cinema.courses.database.rows("select_unlevelled_attempts", 1)

    async def is_begun() -> bool:
        return (await cinema.courses.attempts.get(attempt))[0].status is Status.IN_PROGRESS

    await until(is_level, "the attempt is level")
    await cinema.play("intro-v1", 0, 10)
    await until(is_begun, "the attempt is begun")
    stop.set()
    await running


async def test_when_sessions_played_is_kept_for_a_fortnight(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following_module, "FORGOTTEN_MAX", 2)
    await put(cinema.courses)
    for day in range(6):
        await cinema.play("intro-v1", 0, 10, at_us=NOW + day * DAY_US)
    await follow(cinema)
    now_us = NOW + 17 * DAY_US - 1
    assert await cinema.watching.following.forget_hours(now_us)
    assert not await cinema.watching.following.forget_hours(now_us)
    assert len(await table(cinema, "playing_hours")) == 3


async def test_what_was_parked_is_followed_once_it_is_stored(cinema: Cinema) -> None:
    """Its place was passed long ago."""
    await put(cinema.courses)
    attempt = await opened(cinema)
    connection = cinema.bench.connection
    day = datetime.fromtimestamp(NOW / 1_000_000, UTC).date()
    await cinema.bench.ledger.ensure_days(day, day)
    await connection.execute("ALTER TABLE events ADD CONSTRAINT refused CHECK (session <> 'refused')")
    await cinema.play("intro-v1", 0, 10, session="refused")
    await cinema.play("intro-v1", 20, 30, session="a")
    await follow(cinema)
    assert await viewings(cinema) == {("a", 0): (10, ((20, 30),))}
    await connection.execute("ALTER TABLE events DROP CONSTRAINT refused")
    [parked] = await cinema.bench.ledger.parking.entries()
    assert await cinema.bench.ledger.parking.unpark(parked, parked_rows(parked))
    for _ in range(2):
        await follow(cinema)
        assert await viewings(cinema) == {("a", 0): (10, ((20, 30),)), ("refused", 0): (10, ((0, 10),))}
    _, [record] = await cinema.courses.attempts.get(attempt)
    assert record.seen_cells == 20
