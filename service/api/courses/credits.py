"""Calls about credits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service import clock
from service.api.context import COURSES, PERSON, SETTINGS, WATCHING
from service.api.courses import shapes
from service.api.courses.bodies import GivingBody
from service.api.courses.messages import answer, checked_name, read_body
from service.api.paging import bad_cursor, is_number, limit_of, names_after, spell_names
from service.api.persons import demand_user
from service.api.problems import answering
from service.counters.partitions import partition_of
from service.errors import BadRequest, Invalid, NotFound
from service.limits import USER_CHARS_MAX

if TYPE_CHECKING:
    from aiohttp import web

    from service.courses.credits.crediting import GivenCredit

NUMBER_DIGITS_MAX = 18
"""What fits into 64 bits, whatever its digits are."""

ABOVE_ALL = 2**63 - 1


@answering
async def post_credits(request: web.Request) -> web.StreamResponse:
    body, now_us = await read_body(request, GivingBody), clock.now_us()
    courses = request.app[COURSES]
    attempt, user = await _attempt_meant(request, body)
    await _catch_up(request, user)
    given = await courses.credits.give(attempt, now_us, _who(request), body.lessons, is_trial=body.dry_run)
    found, records = await courses.attempts.get(attempt)
    return answer(
        {
            "dry_run": body.dry_run,
            "unique_seconds": sum(credit.seen.bit_count() for credit in given),
            "credits": [shapes.credit_with_shares(credit) for credit in given],
            "attempt": shapes.attempt_with_lessons(found, records, now_us),
        }
    )


@answering
async def get_credits(request: web.Request) -> web.StreamResponse:
    """One more is read than shown, to know whether another page follows."""
    found = await _listed(request, limit_of(request) + 1, _below(request))
    limit = limit_of(request)
    following = spell_names([str(found[limit - 1].credit)]) if len(found) > limit else None
    return answer(shapes.page([shapes.credit(one) for one in found[:limit]], following))


@answering
async def get_credit(request: web.Request) -> web.StreamResponse:
    found = await request.app[COURSES].credits.get(_number(request.match_info["credit"], "credit"))
    await demand_user(request, found.user)
    return answer(shapes.credit_with_shares(found))


@answering
async def take_back(request: web.Request) -> web.StreamResponse:
    number = _number(request.match_info["credit"], "credit")
    await _catch_up(request, (await request.app[COURSES].credits.get(number)).user)
    found = await request.app[COURSES].credits.take_back(number, clock.now_us(), _who(request))
    return answer(shapes.credit_with_shares(found))


async def _catch_up(request: web.Request, user: str) -> None:
    """What the user watched counts now, and not only once it is followed by itself."""
    partition = partition_of(user, request.app[SETTINGS].partitions)
    await request.app[WATCHING].following.catch_up(partition)


async def _attempt_meant(request: web.Request, body: GivingBody) -> tuple[int, str]:
    """With whose it is."""
    courses = request.app[COURSES]
    if body.attempt is not None and body.course is None and body.user is None:
        found, _ = await courses.attempts.get(body.attempt)
        return body.attempt, found.user
    if body.attempt is None and body.course is not None and body.user is not None:
        assigned = await courses.assignments.get(body.course, body.user)
        return assigned.attempt.attempt, body.user
    detail = "attempt: expected either an attempt, or a course and a user"
    raise Invalid([{"field": "attempt", "reason": "missing_field", "detail": detail}])


async def _listed(request: web.Request, limit: int, below: int) -> list[GivenCredit]:
    """Of the attempt or of the user that the query names."""
    attempt, user = request.query.get("attempt"), request.query.get("user")
    credits_of = request.app[COURSES].credits
    if attempt is not None and user is None:
        found, _ = await request.app[COURSES].attempts.get(_number(attempt, "attempt"))
        await demand_user(request, found.user)
        return await credits_of.of_attempt(found.attempt, limit, below)
    if user is not None and attempt is None:
        await demand_user(request, checked_name("user", user, USER_CHARS_MAX))
        return await credits_of.of_user(user, limit, below)
    raise BadRequest(400, "bad_query", "expected exactly one of attempt and user, to say whose credits")


def _number(given: str, what: str) -> int:
    """Raises NotFound for what can be no number: there is nothing of that name."""
    if not is_number(given, NUMBER_DIGITS_MAX):
        raise NotFound(f"there is no {what} {given[:40]!r}")
    return int(given)


def _below(request: web.Request) -> int:
    (number,) = names_after(request, 1)
    if number and not is_number(number, NUMBER_DIGITS_MAX):
        raise bad_cursor(request.query["cursor"])
    return int(number or ABOVE_ALL)


def _who(request: web.Request) -> str | None:
    person = request.get(PERSON)
    return None if person is None else person.user
