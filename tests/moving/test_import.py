"""Imports: what comes of exports, and that it comes once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import asyncpg
import pytest

from service.courses.model import Opening
from service.db import locks
from service.errors import Conflict
from service.events.event import Event
from service.events.quantities import microseconds
from service.moving.books import Kind
from service.moving.counting import Counting
from service.moving.past_attempts import PastAttempts
from service.settings import Settings
from tests.courses.school import YEARLY, assign, at, put
from tests.integration.bench import InjectedError
from tests.moving.exporting import moment, moment_us, point, points, typed, user_course, user_lesson
from tests.moving.town import Town, of_model

PLAYED = points(5, 10, 15, 80, 85, 90, 90, 40, 45, 50)
"""Of `intro`, which has 100 seconds: [0, 15), [70, 90), [30, 50)."""


async def live(town: Town, slug: str = "intro-v1", scope: int = -1) -> tuple[Any, ...]:
    [scopes] = await town.cinema.scopes.read([("ann", slug)])
    one = scopes[scope]
    return one.watch_ms, one.seen, one.latest_ms, one.latest_us, one.furthest_ms


async def test_points_count_what_they_would_have_counted_as_heartbeats(town: Town) -> None:
    """In files of any order, and whatever order the rows have in them."""
    books = await town.bring(progress=reversed(PLAYED), lessons=[user_lesson()], courses=[user_course()])
    assert await live(town) == of_model(PLAYED)
    assert (books.progress.read, books.progress.written, books.progress.merged) == (10, 3, 7)
    assert (books.spans, books.seeks, books.marks, books.duplicates) == (3, 2, 0, 0)
    assert books.progress.mended == {"put_in_order": 9}
    await town.settle()
    [attempt] = await town.attempts()
    [intro] = [one for one in await town.cinema.lessons(attempt.attempt) if one.lesson == "intro"]
    assert intro.own == of_model(PLAYED)[1]
    assert (attempt.number, attempt.opened_us, attempt.closed_us) == (1, moment_us(0), None)
    assert attempt.last_viewed_us == moment_us(145)


async def test_dates_of_the_old_system_are_kept(town: Town) -> None:
    course = user_course(
        created=-500,
        status="Completed",
        dueDate=moment(9000),
        dateStarted=moment(50),
        dateCompleted=moment(300),
        dateLastViewed=moment(310),
        lastCompletedDate=moment(300),
    )
    lesson = user_lesson(
        status="Completed",
        progress=100.0,
        maxProgress=100.0,
        dateStarted=moment(50),
        dateCompleted=moment(200),
        dateLastViewed=moment(310),
    )
    await town.bring(courses=[course], lessons=[lesson], progress=PLAYED)
    await town.settle()
    [attempt] = await town.attempts()
    assert attempt.opened_us == moment_us(-500)
    assert attempt.opened_by is Opening.ASSIGNMENT
    assert attempt.due_us == moment_us(9000)
    assert attempt.started_us == moment_us(50)
    assert attempt.completed_us == moment_us(300)
    assert attempt.last_viewed_us == moment_us(310)
    _, [record] = await town.cinema.courses.attempts.get(attempt.attempt)
    assert (record.started_us, record.completed_us) == (moment_us(50), moment_us(200))
    assignment = await town.cinema.courses.assignments.get("safety", "ann")
    assert assignment.last_completed_us == moment_us(300)
    assert assignment.first_assigned_us == moment_us(-500)


async def test_what_a_lesson_says_beyond_its_points_is_a_mark(town: Town) -> None:
    """Those points have expired; where it stood is told, and nothing is counted for it."""
    lesson = user_lesson(progress=20.0, maxProgress=95.5, dateLastViewed=moment(1000))
    other = user_lesson("other", "rules", progress=12.0, maxProgress=12.0, dateLastViewed=moment(900))
    books = await town.bring(courses=[user_course()], lessons=[lesson, other], progress=PLAYED)
    watch_ms, seen, *_ = of_model(PLAYED)
    assert await live(town) == (watch_ms, seen, 20_000, moment_us(1000), 95_500)
    assert await live(town, "rules-v1") == (0, 0, 12_000, moment_us(900), 12_000)
    assert books.marks == 3
    assert (await town.bring(courses=[user_course()], lessons=[lesson, other])).marks == 0


async def test_importing_again_changes_nothing(town: Town) -> None:
    rows: dict[str, Any] = {
        "courses": [user_course(), user_course("bob's", user="bob")],
        "lessons": [user_lesson(progress=33.0, maxProgress=99.0), user_lesson("b", of="bob's", user="bob")],
        "progress": [
            *PLAYED,
            *(one | {"owner": "bob"} for one in points(1, 2, 3, of="b")),
            point(3, 1, of="gone"),
        ],
    }
    await town.bring(**rows)
    before = await town.everything()
    books = await town.bring(**rows)
    assert await town.everything() == before
    assert books.events == 0
    assert (books.courses.merged, books.lessons.merged) == (2, 2)
    assert books.progress.skipped == {"already_imported": 13, "no_such_lesson": 1}


async def test_later_points_go_on_where_the_earlier_ones_stopped(town: Town) -> None:
    more = points(20, 25, 90, start=120)
    first, second = PLAYED[:3], [*PLAYED[:3], *more, point(13.0, 106)]
    await town.bring(courses=[user_course()], lessons=[user_lesson()], progress=first)
    books = await town.bring(progress=second)
    assert await live(town) == of_model([*first, *more])
    assert books.progress.skipped == {"already_imported": 3, "older_than_imported": 1}
    assert books.spans == 2


async def test_a_course_that_was_set_back_is_two_attempts(town: Town) -> None:
    before, after = points(10, 15, 20), points(5, 10, start=5000)
    course = user_course(lastCompletedDate=moment(1000), dueDate=moment(9000), status="InProgress")
    await town.bring(courses=[course], lessons=[user_lesson(progress=10)], progress=[*after, *before])
    second, first = await town.attempts()
    assert (first.opened_us, first.completed_us, first.closed_us) == (
        moment_us(0),
        moment_us(1000),
        moment_us(1000),
    )
    assert (second.opened_us, second.completed_us, second.closed_us) == (moment_us(1000), None, None)
    assert (first.due_us, second.due_us) == (None, moment_us(9000))
    assert (await town.cinema.lesson(first.attempt)).own == of_model(before)[1]
    assert (await town.cinema.lesson(second.attempt)).own == of_model(after)[1]
    assert [
        tuple(row) for row in await town.connection.fetch("SELECT user_course, attempt FROM user_courses")
    ] == [("uc", None)]
    assignment = await town.cinema.courses.assignments.get("safety", "ann")
    assert assignment.last_completed_us == moment_us(1000)
    state = await town.everything()
    await town.bring(courses=[course], lessons=[user_lesson(progress=10)], progress=[*after, *before])
    assert await town.everything() == state


async def test_several_user_courses_are_attempts_in_their_order(town: Town) -> None:
    rows = [
        user_course(
            f"uc {year}", created=year * 1000, status="Completed", dateCompleted=moment(year * 1000 + 500)
        )
        for year in (2, 0, 1)
    ]
    lessons = [user_lesson(f"ul {year}", of=f"uc {year}") for year in range(3)]
    played = [points(10 + 20 * year, start=year * 1000 + 100, of=f"ul {year}") for year in range(3)]
    await town.bring(courses=rows, lessons=lessons, progress=[one for some in played for one in some])
    attempts = sorted(await town.attempts(), key=lambda one: one.number)
    assert [one.opened_us for one in attempts] == [moment_us(0), moment_us(1000), moment_us(2000)]
    assert [one.completed_us for one in attempts] == [moment_us(500), moment_us(1500), moment_us(2500)]
    assert [one.closed_us for one in attempts] == [moment_us(1000), moment_us(2000), None]
    for attempt, some in zip(attempts, played, strict=True):
        assert (await town.cinema.lesson(attempt.attempt)).own == of_model(some)[1]
    shown = {
        row[0]: row[1] for row in await town.connection.fetch("SELECT user_course, attempt FROM user_courses")
    }
    assert shown == {"uc 0": attempts[0].attempt, "uc 1": attempts[1].attempt, "uc 2": None}


async def test_what_playhead_assigned_meanwhile_goes_on(town: Town) -> None:
    """Its attempt is the one of the old system; no date becomes older."""
    cinema = town.cinema
    await assign(cinema.courses, "ann", moment_us(9000), now_us=moment_us(50))
    await cinema.level()
    await cinema.play("intro-v1", 60, 70, at_us=moment_us(2000))
    course = user_course(dueDate=moment(8000), dateStarted=moment(10), status="InProgress")
    books = await town.bring(courses=[course], lessons=[user_lesson()], progress=PLAYED)
    assert books.courses.merged == 1
    [attempt] = await town.attempts()
    assert (attempt.number, attempt.due_us) == (1, moment_us(9000))
    assert (await cinema.lesson(attempt.attempt)).own == of_model(PLAYED)[1] | (1 << 70) - (1 << 60)


async def test_points_of_an_attempt_that_is_closed_count_no_more(town: Town) -> None:
    rows = [user_course("old", dateCompleted=moment(500)), user_course("new", created=1000)]
    lessons = [user_lesson("ul", of="old"), user_lesson("ul 2", of="new")]
    await town.bring(courses=rows, lessons=lessons)
    books = await town.bring(progress=[*points(10), *points(50, start=2000, of="ul 2")])
    assert books.progress.skipped == {"closed_attempt": 1}
    assert books.spans == 1


async def test_what_came_by_dual_write_is_not_counted_again(town: Town) -> None:
    """What goes on from it does so from where it stood."""
    first, dual, last = points(10, 15), points(20, 25, start=110), points(30, 35, start=120)
    await town.bring(courses=[user_course()], lessons=[user_lesson()])
    for row in dual:
        time_us = microseconds(row["createdAt"])
        await town.cinema.bench.send(
            [
                Event(
                    "ann",
                    "intro-v1",
                    "heartbeat",
                    round(row["progress"] * 1000),
                    time_us,
                    time_us,
                    timed=True,
                    session="old/ul",
                    id=row["id"],
                )
            ]
        )
    await town.cinema.bench.settle()
    books = await town.bring(progress=[*first, *dual, *last])
    assert books.progress.skipped == {"dual_written": 2}
    watch_ms, seen, *_ = await live(town)
    assert watch_ms == of_model([*first, *dual, *last])[0]
    assert seen == of_model([*first, *dual, *last])[1]


async def test_malformed_rows_each_have_their_reason(town: Town) -> None:
    progress = [
        "{",
        "[]",
        {"id": "x"},
        point(1, 1) | {"createdAt": "yesterday"},
        point(2, 2) | {"progress": "2"},
        point(2, 2) | {"progress": 1e308},
        point(3, 3) | {"id": "zero \0"},
        point(4, 4, of="gone"),
        point(5, 5, owner="eve"),
        point(6, 6, owner="sub-of-ann::ann"),
        point(7, 7) | {"owner": None},
        point(-1, 8),
        point(105, 9),
        point(110.001, 10),
        point(9, 3),
        point(9, 3),
        point(10, 6e7),
        point(11, 2e8),
    ]
    courses = [
        user_course(),
        user_course("two", courseId="none"),
        user_course(updatedAt=moment(-5)),
        user_course("three", user="eve", status="Completed"),
    ]
    lessons = [
        user_lesson() | {"user": None},
        user_lesson("a", "none"),
        user_lesson("b", of="two"),
        user_lesson("c", "rules", user="eve"),
        user_lesson("d", "intro", created=5),
        user_lesson("e", "rules", progress=-3.0, maxProgress=999.0),
        user_lesson(updatedAt=moment(-5)),
    ]
    books = await town.bring(courses=courses, lessons=lessons, progress=progress)
    assert books.courses.skipped == {"unknown_course": 1, "duplicate_id": 1}
    assert books.courses.mended == {"completed_without_date": 1}
    assert books.lessons.skipped == {
        "unknown_lesson": 1,
        "no_such_course": 1,
        "foreign_owner": 1,
        "lesson_twice": 1,
        "duplicate_id": 1,
    }
    assert books.lessons.mended == {"owner_from_course": 1, "negative_position": 1, "past_the_end": 1}
    assert books.progress.skipped == Counter(
        not_json=2,
        missing_field=1,
        bad_value=4,
        no_such_lesson=1,
        foreign_owner=1,
        negative_position=1,
        past_the_end=1,
        duplicate_id=1,
        too_recent=2,
    )
    assert books.progress.mended == {"owner_from_lesson": 1, "cut_to_the_end": 1, "put_in_order": 3}
    assert "progress.jsonl, line 14" in books.progress.examples["past_the_end"]
    assert books.progress.written + books.progress.merged == 4
    for kind in Kind:
        assert books.of(kind).balances


async def test_rows_as_dynamodb_types_them_give_the_same(town: Town) -> None:
    """With and without `Item` around them, a line at a time."""
    nested = [one | {"userLesson": {"id": "ul"}} for one in PLAYED]
    for one in nested:
        del one["userLessonId"]
    lines = [
        {"Item": {name: typed(value) for name, value in row.items()}}
        if place % 2
        else {name: typed(value) for name, value in row.items()}
        for place, row in enumerate(nested)
    ]
    await town.bring(
        courses=[{"Item": {name: typed(value) for name, value in user_course().items()}}],
        lessons=[{"Item": {name: typed(value) for name, value in user_lesson().items()}}],
        progress=lines,
    )
    assert await live(town) == of_model(PLAYED)


async def test_fields_may_have_other_names(town: Town) -> None:
    renamed = [
        {("theirs" if name == "userLessonId" else name): value for name, value in row.items()}
        for row in PLAYED
    ]
    await town.bring(
        courses=[user_course()], lessons=[user_lesson()], progress=renamed, names={"userLessonId": "theirs"}
    )
    assert await live(town) == of_model(PLAYED)


async def test_percents_are_of_the_lesson(town: Town) -> None:
    """Which has 60.5 seconds."""
    rows = points(10, 20, 100, 120)
    settings = Settings(old_progress_unit="percent")
    books = await town.bring(
        courses=[user_course()], lessons=[user_lesson("ul", "rules")], progress=rows, settings=settings
    )
    assert (await live(town, "rules-v1"))[4] == 60_500
    assert books.progress.skipped == {"past_the_end": 1}


async def test_a_trial_changes_nothing(town: Town) -> None:
    before = await town.everything()
    books = await town.bring(courses=[user_course()], lessons=[user_lesson()], progress=PLAYED, is_trial=True)
    assert (books.progress.read, books.spans, books.seeks) == (10, 3, 2)
    assert await town.everything() == before
    assert await town.connection.fetchval("SELECT count(*) FROM staged_points") == 0


async def test_nothing_is_tried_while_an_import_is_not_through(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are staged, and would be judged along."""
    with monkeypatch.context() as broken:
        broken.setattr(PastAttempts, "begin", failed)
        with pytest.raises(InjectedError):
            await town.bring(courses=[user_course()], lessons=[user_lesson()], progress=PLAYED)
    with pytest.raises(Conflict, match="not through"):
        await town.bring(courses=[user_course("bob's", user="bob")], is_trial=True)
    await town.bring()
    assert await live(town) == of_model(PLAYED)


async def test_two_imports_at_once_are_refused(town: Town) -> None:
    other = await asyncpg.connect(town.database_url)
    await other.execute(locks.TRY.format(*locks.IMPORT))
    with pytest.raises(Conflict, match="another import"):
        await town.bring(courses=[user_course()])
    await other.close()


async def test_no_rule_renews_what_is_being_imported(town: Town) -> None:
    """Or points of the year before would count for the attempt that a rule has opened since."""
    await put(town.cinema.courses, renewal=YEARLY)
    await town.bring(courses=[user_course(dateCompleted=moment(10), lastCompletedDate=moment(10))])
    [attempt] = await town.attempts()
    await town.connection.execute(
        "INSERT INTO staged_stints (course, user_id, stint, is_opened, opened_us) VALUES ('safety', 'ann', 1, true, 0)"
    )
    assert await town.cinema.courses.attempts.renew_due(at("2028-01-01"), 10) == 0
    await town.connection.execute("TRUNCATE staged_stints")
    assert await town.cinema.courses.attempts.renew_due(at("2028-01-01"), 10) == 1
    assert attempt.completed_us == moment_us(10)


async def test_an_import_is_finished_by_the_settings_that_it_began_with(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its events were counted in part, perhaps: others under the same `seq` would be taken for them."""
    with monkeypatch.context() as broken:
        broken.setattr(Counting, "_keep", failed)
        with pytest.raises(InjectedError):
            await town.bring(courses=[user_course()], lessons=[user_lesson()], progress=PLAYED)
    other = Settings(old_progress_unit="fraction", heartbeat_interval_seconds=2, heartbeat_gap_seconds=2)
    await town.bring(settings=other)
    assert await live(town) == of_model(PLAYED)
    assert await town.connection.fetchval("SELECT position_ms FROM imported_lessons") == 50_000


async def failed(*_: object) -> None:
    raise InjectedError


async def test_the_erased_leave_nothing_of_their_import(town: Town) -> None:
    await town.bring(courses=[user_course()], lessons=[user_lesson()], progress=PLAYED)
    await town.cinema.courses.assignments.erase("ann")
    for table in ("user_courses", "user_lessons", "imported_lessons"):
        assert await town.connection.fetchval(f"SELECT count(*) FROM {table}") == 0
