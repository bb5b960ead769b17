"""Who was given which course: assigning, one by one or many at once, unassigning, reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.courses.assigning.assigning import UNSAID, Effect, Standing, Unsaid, due_us_of, step_of
from service.courses.assigning.opening import close_attempts, columns, last_attempts, lock, open_attempts
from service.courses.model import Opening
from service.courses.queries import query
from service.courses.rows import assignment_of
from service.courses.zones import zone_of
from service.errors import NotFound, PostgresUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from service.courses.assigning.assigning import Step, Wish
    from service.courses.assigning.opening import Pair
    from service.courses.database import Database
    from service.courses.model import Assignment, Attempt
    from service.db.connections import Connection


class Refusal(NamedTuple):
    """Why a course cannot be assigned; `reason` is a short word for programs."""

    field: str
    reason: str
    detail: str


class Assignments:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def assign(self, wishes: Sequence[Wish], now_us: int) -> list[Effect | Refusal]:
        """What became of each wish, in one transaction. Wishing again what was wished changes nothing.

        Where the same course and user are wished twice, the last wish is done and those before are unchanged.
        """
        refused: dict[int, Refusal] = {}
        wanted: dict[Pair, int | Unsaid | None] = {}
        places: dict[Pair, int] = {}
        async with self._database.transaction() as connection:
            zones = await _zones(connection, {wish.course for wish in wishes})
            for place, wish in enumerate(wishes):
                zone = zones.get(wish.course)
                if zone is None or isinstance(zone, Refusal):
                    refused[place] = zone or _unknown(wish.course)
                    continue
                pair, due = (wish.course, wish.user), due_us_of(wish.due, zone)
                wanted[pair] = wanted.get(pair, due) if due is UNSAID else due
                places[pair] = place
            effects = await _assign(connection, wanted, now_us)
        done = {places[pair]: effect for pair, effect in effects.items()}
        return [refused.get(place) or done.get(place, Effect.UNCHANGED) for place in range(len(wishes))]

    async def unassign(self, course: str, user: str, now_us: int) -> Assignment:
        """The open attempt is closed as it is. Again, it changes nothing. Raises NotFound."""
        async with self._database.transaction() as connection:
            pair = (course, user)
            if (await lock(connection, [pair])).get(pair):
                attempt = (await last_attempts(connection, [pair]))[pair]
                await close_attempts(connection, [attempt.attempt], now_us)
                await connection.execute(query("unassign"), course, user, now_us)
            return await read_assignment(connection, course, user)

    async def get(self, course: str, user: str) -> Assignment:
        """Also one that was taken away again. Raises NotFound."""
        async with self._database.transaction() as connection:
            return await read_assignment(connection, course, user)

    async def of_course(
        self, course: str, limit: int, after: str = "", *, with_unassigned: bool = False
    ) -> list[Assignment]:
        """By user, from after this one on."""
        name = "select_assignments_of_course"
        rows = await self._database.rows(name, course, after, with_unassigned, limit)
        return [assignment_of(row) for row in rows]

    async def of_user(
        self, user: str, limit: int, after: str = "", *, with_unassigned: bool = False
    ) -> list[Assignment]:
        """By course, from after this one on."""
        name = "select_assignments_of_user"
        rows = await self._database.rows(name, user, after, with_unassigned, limit)
        return [assignment_of(row) for row in rows]

    async def of_team(
        self, team: str, limit: int, after: tuple[str, str] = ("", ""), *, with_unassigned: bool = False
    ) -> list[Assignment]:
        """Of those who belong to the team now, by user and course, from after these on."""
        name = "select_assignments_of_team"
        rows = await self._database.rows(name, team, *after, with_unassigned, limit)
        return [assignment_of(row) for row in rows]

    async def erase(self, user: str) -> int:
        """Nothing of the user is left: assignments, attempts, memberships. Gives how many assignments there were."""
        row = await self._database.row("erase_person", user)
        assert row is not None
        count: int = row["assignments"]
        return count


async def read_assignment(connection: Connection, course: str, user: str) -> Assignment:
    """Raises NotFound."""
    row = await connection.fetchrow(query("select_assignment"), course, user)
    if row is None:
        raise NotFound(f"course {course!r} was never assigned to user {user!r}")
    return assignment_of(row)


async def _zones(connection: Connection, courses: set[str]) -> dict[str, ZoneInfo | Refusal]:
    """The time zone of each course, or why it cannot be assigned."""
    rows = await connection.fetch(query("select_assigned_courses"), list(courses))
    return {
        row["course"]: zone_of(row["time_zone"]) if row["archived_at"] is None else _archived(row["course"])
        for row in rows
    }


def _unknown(course: str) -> Refusal:
    return Refusal("course", "unknown_course", f"course: there is no course {course!r}")


def _archived(course: str) -> Refusal:
    return Refusal("course", "archived_course", f"course: {course!r} is archived; putting it brings it back")


async def _assign(
    connection: Connection, wanted: Mapping[Pair, int | Unsaid | None], now_us: int
) -> dict[Pair, Effect]:
    await connection.execute(query("insert_assignments"), *columns(wanted), now_us)
    holds = await lock(connection, wanted)
    if len(holds) < len(wanted):
        raise PostgresUnavailable("a user among these is just being erased; try again")
    attempts = await last_attempts(connection, wanted)
    steps = {pair: step_of(_standing(holds[pair], attempts.get(pair)), due) for pair, due in wanted.items()}
    again = [pair for pair, is_assigned in holds.items() if not is_assigned]
    await connection.execute(query("assign_again"), *columns(again), now_us)
    await _open(connection, steps, attempts, now_us)
    await _move(
        connection, "reopen_attempts", [pair for pair in again if not steps[pair].opens], steps, attempts
    )
    changed = [pair for pair, step in steps.items() if step.effect is Effect.CHANGED]
    await _move(connection, "move_due_dates", changed, steps, attempts)
    return {pair: step.effect for pair, step in steps.items()}


def _standing(is_assigned: bool, attempt: Attempt | None) -> Standing:
    if attempt is None:
        return Standing()
    return Standing(
        is_assigned, attempt.attempt, attempt.number, attempt.due_us, attempt.completed_us is not None
    )


async def _open(
    connection: Connection, steps: Mapping[Pair, Step], attempts: Mapping[Pair, Attempt], now_us: int
) -> None:
    opened = {
        pair: (attempts[pair].number + 1 if pair in attempts else 1, step.due_us)
        for pair, step in steps.items()
        if step.opens
    }
    await open_attempts(connection, opened, Opening.ASSIGNMENT, now_us)


async def _move(
    connection: Connection,
    statement: str,
    pairs: Sequence[Pair],
    steps: Mapping[Pair, Step],
    attempts: Mapping[Pair, Attempt],
) -> None:
    numbers = [attempts[pair].attempt for pair in pairs]
    await connection.execute(query(statement), numbers, [steps[pair].due_us for pair in pairs])
