"""No statement of courses reads a whole table, however it is asked: every file of SQL is explained here."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from service.courses.queries import query
from service.db.days import ensure_days

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NAMES = sorted(
    path.name.removesuffix(".sql")
    for path in files("service.courses.queries").iterdir()
    if path.name.endswith(".sql")
)

WHOLE_INDEXES = {
    "select_renewed_courses": "ix_courses_renewed",
    "select_unlevelled_attempts": "ix_attempts_unlevelled",
}
"""What these ask for is all that their index holds."""

TODAY = datetime.now(UTC).date()

FILL = """
INSERT INTO events (
    partition, entry_ms, entry_seq, ordinal, user_id, slug, session, kind, at_ms, event_id, timed, happened_at,
    received_at, credited_ms, implausible_ms, scope
)
    SELECT 0, n, 0, 0, 'user ' || n % 400, 'slug ' || n % 2000, 'session ' || n % 3000, 'segment', 0, n::text, true,
        now(), now(), 0, 0, 0
    FROM generate_series(1, 6000) n;
ANALYZE events;
INSERT INTO courses SELECT 'course ' || n, 'title', 'UTC', 'flag', 12, 1000, false,
    CASE WHEN n % 100 = 0 THEN 12 END, CASE WHEN n % 100 = 0 THEN 30 END, now(), now() FROM generate_series(1, 2000) n;
INSERT INTO lessons SELECT 'lesson ' || n, 'course ' || n, 0, 'title', 950, 1, 'slug ' || n, 60000
    FROM generate_series(1, 2000) n;
INSERT INTO lesson_revisions SELECT lesson, 1, slug, 60000, now() FROM lessons;
INSERT INTO teams SELECT 'team ' || n, 'title', now() FROM generate_series(1, 2000) n;
INSERT INTO team_members SELECT 'team ' || n, 'user ' || n % 700 * 3 + m
    FROM generate_series(1, 2000) n, generate_series(1, 3) m;
INSERT INTO assignments SELECT 'course ' || n, 'user ' || n % 400 * 5 + m, now(), now()
    FROM generate_series(1, 1000) n, generate_series(1, 5) m;
INSERT INTO attempts (course, user_id, number, opened_at, opened_by, completed_at, closed_at)
    SELECT course, user_id, k, now(), 'assignment', now() - k * interval '1 day', CASE WHEN k = 1 THEN now() END
    FROM assignments, generate_series(1, 2) k;
UPDATE attempts SET is_levelled = attempt % 100 <> 0;
INSERT INTO attempt_lessons (
    attempt, lesson, revision, seen_cells, watch_ms, effective_ms, started_at, last_viewed_at
)
    SELECT attempt, 'lesson ' || split_part(course, ' ', 2), 1, 5, 5000, 5000, now(), now() FROM attempts;
INSERT INTO attempt_scopes
    SELECT attempt, 'lesson ' || split_part(course, ' ', 2), 1, 1, user_id, 'slug ' || split_part(course, ' ', 2),
        sha256(convert_to('slug ' || split_part(course, ' ', 2), 'UTF8')), 0, CASE WHEN number = 1 THEN 0 END
    FROM attempts;
INSERT INTO viewings
    SELECT user_id, slug_digest, number, sha256(convert_to(slug || ' ' || session, 'UTF8')), slug,
        'session ' || session,
        now(), now(), 1, 1, 1, 0, '', '', 1000
    FROM attempt_scopes, generate_series(0, 1) number, generate_series(1, 2) session WHERE scope_last IS NULL;
INSERT INTO viewing_speeds SELECT user_id, slug_digest, scope, name_digest, 1000, 1, 1, '' FROM viewings;
INSERT INTO viewing_flags SELECT user_id, slug_digest, scope, name_digest, 'faster_than_clock', 1, '' FROM viewings;
INSERT INTO playing_hours
    SELECT user_id, hour, name_digest, '' FROM viewings, generate_series(480000, 480001) hour WHERE scope = 0;
INSERT INTO watch_sessions SELECT 'session ' || n, 'user ' || n % 400, 'lesson ' || n % 1000 + 1, 1, 'slug', NULL, NULL,
    now(), now() + n * interval '1 s', CASE WHEN n % 10 = 0 THEN now() END, 'client'
    FROM generate_series(1, 3000) n;
INSERT INTO seeks SELECT session, m, user_id, lesson, 1, 'slug', NULL, 0, 9000, 0, 'flagged', true, true, NULL, now()
    FROM watch_sessions, generate_series(1, 3) m;
ANALYZE watch_sessions, seeks, attempt_scopes, viewings, viewing_speeds, viewing_flags, playing_hours;
INSERT INTO attempt_speeds SELECT attempt, lesson, 1, 1000, 5000, 5000 FROM attempt_lessons;
INSERT INTO credits (
    attempt, user_id, lesson, revision, created_at, window_months, cap_permille, includes_flagged, since_at, until_at,
    seen, seen_cells
)
    SELECT attempt, user_id, 'lesson ' || split_part(course, ' ', 2), 1, now(), 12, 1000, false, now(), now(), '', 0
    FROM attempts;
INSERT INTO credit_shares SELECT credit, 0, 'slug', 'session', 0, now(), now(), '' FROM credits;
ANALYZE courses, lessons, lesson_revisions, teams, team_members, assignments, attempts, attempt_lessons, attempt_speeds,
    credits, credit_shares
"""


@pytest.fixture(scope="module")
async def filled(module_database_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """Some thousand rows of each kind."""
    connection = await asyncpg.connect(module_database_url)
    await ensure_days(connection, TODAY, TODAY)
    for statement in FILL.split(";"):
        await connection.execute(statement)
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    yield connection
    await connection.close()


async def plan_of(connection: asyncpg.Connection[Any], statement: str) -> dict[str, Any]:
    """As it is made without looking at the parameters."""
    await connection.execute(f"PREPARE asked AS {statement}")
    try:
        types = await connection.fetchval(
            "SELECT parameter_types FROM pg_prepared_statements WHERE name = 'asked'"
        )
        given = f"({', '.join(['NULL'] * len(types))})" if types else ""
        [plan] = json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked{given}"))
    finally:
        await connection.execute("DEALLOCATE asked")
    found: dict[str, Any] = plan["Plan"]
    return found


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(deeper for child in plan.get("Plans", []) for deeper in nodes(child))]


def scanned(plan: dict[str, Any]) -> set[str]:
    """The tables that are read from end to end: also by way of an index, where nothing narrows it."""
    return {
        node["Relation Name"]
        for node in nodes(plan)
        if node["Node Type"] == "Seq Scan"
        or (node["Node Type"].startswith("Index") and "Relation Name" in node and "Index Cond" not in node)
    }


@pytest.mark.parametrize("name", NAMES)
async def test_a_statement_finds_its_rows_by_an_index(filled: asyncpg.Connection[Any], name: str) -> None:
    plan = await plan_of(filled, query(name))
    if name in WHOLE_INDEXES:
        assert {node["Index Name"] for node in nodes(plan) if "Index Name" in node} == {WHOLE_INDEXES[name]}
        return
    assert scanned(plan) == set()


async def test_a_scan_would_be_noticed(filled: asyncpg.Connection[Any]) -> None:
    assert scanned(await plan_of(filled, "SELECT * FROM attempts WHERE due_at < $1")) == {"attempts"}
    assert scanned(await plan_of(filled, "SELECT * FROM courses ORDER BY course")) == {"courses"}
