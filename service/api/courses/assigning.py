"""POST of assignments: one, an array, or a CSV that is done while it arrives."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pydantic_core
from pydantic import ValidationError

from service import clock
from service.api.body import Patience, read_whole
from service.api.context import COURSES, SETTINGS, STREAMS, WATCHING
from service.api.courses import shapes
from service.api.courses.bodies import AssignmentBody
from service.api.courses.lines import rows_of
from service.api.courses.messages import answer, not_json, rejection
from service.api.problems import answering, problem, unavailable
from service.courses.assigning.assigning import Effect, Wish
from service.courses.assigning.assignments import Refusal
from service.errors import BadRequest, Unavailable
from service.limits import ASSIGN_RUN_MAX, ASSIGNMENTS_PER_BODY_MAX, STREAM_REJECTIONS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aiohttp import web


CSV = "text/csv"


@dataclass(slots=True)
class Tally:
    """What became of the assignments of a request: each is in exactly one of the four.

    `counted_by` is how they are told apart: by the `index` in an array, or by the `line` of a file.
    """

    counted_by: Literal["index", "line"]
    effects: Counter[Effect] = field(default_factory=Counter)
    rejected: list[dict[str, object]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "assigned": self.effects[Effect.ASSIGNED],
            "changed": self.effects[Effect.CHANGED],
            "unchanged": self.effects[Effect.UNCHANGED],
            "rejected": self.rejected,
        }

    def refuse_flood(self) -> None:
        """A file of nothing but mistakes is cut off, since every one of them is listed."""
        if len(self.rejected) > STREAM_REJECTIONS_MAX:
            detail = "so many lines were refused that the rest was not read"
            raise BadRequest(413, "too_many_rejections", detail)

    async def add(self, wishes: Iterable[tuple[int, Wish | dict[str, object]]], app: web.Application) -> None:
        """Do these wishes, each with its place; one that cannot be read is what is wrong with it."""
        refused: list[tuple[int, dict[str, object]]] = []
        readable: list[tuple[int, Wish]] = []
        for place, wish in wishes:
            if isinstance(wish, Wish):
                readable.append((place, wish))
            else:
                refused.append((place, wish))
        outcomes = await _assign([wish for _, wish in readable], app) if readable else []
        for (place, _), outcome in zip(readable, outcomes, strict=True):
            if isinstance(outcome, Refusal):
                refused.append((place, outcome._asdict()))
            else:
                self.effects[outcome] += 1
        refused.sort(key=lambda one: one[0])
        self.rejected += [{self.counted_by: place, **wrong} for place, wrong in refused]


async def _assign(wishes: Sequence[Wish], app: web.Application) -> list[Effect | Refusal]:
    """When this returns, what is watched counts for what was assigned."""
    outcomes = await app[COURSES].assignments.assign(wishes, clock.now_us())
    await app[WATCHING].levelling.level_assignments({(wish.course, wish.user) for wish in wishes})
    return outcomes


@answering
async def post_assignments(request: web.Request) -> web.StreamResponse:
    if request.content_type == CSV:
        return await _post_csv(request)
    body = await read_whole(request, request.app[SETTINGS].body_timeout_seconds)
    try:
        document = pydantic_core.from_json(body)
    except ValueError as malformed:
        raise not_json(str(malformed)) from None
    if isinstance(document, list):
        return await _post_array(request, document)
    return await _post_one(request, document)


async def _post_one(request: web.Request, document: object) -> web.Response:
    wish = _wish(document)
    tally = Tally("index")
    await tally.add([(0, wish)], request.app)
    if tally.rejected or not isinstance(wish, Wish):
        return _answer(tally)
    made = await request.app[COURSES].assignments.get(wish.course, wish.user)
    return answer({**tally.as_json(), "assignment": shapes.assignment(made, clock.now_us())})


async def _post_array(request: web.Request, items: list[object]) -> web.Response:
    if len(items) > ASSIGNMENTS_PER_BODY_MAX:
        detail = (
            f"the array holds {len(items)} assignments, at most {ASSIGNMENTS_PER_BODY_MAX} are taken at once"
        )
        raise BadRequest(413, "too_many_assignments", detail)
    tally = Tally("index")
    try:
        for first in range(0, len(items), ASSIGN_RUN_MAX):
            await assign_run(items[first : first + ASSIGN_RUN_MAX], first, tally, request.app)
    except Unavailable as away:
        return _interrupted(away, tally)
    return _answer(tally)


async def _post_csv(request: web.Request) -> web.Response:
    """Lines are done some hundred at a time; the client is read no faster than that."""
    tally, patience = Tally("line"), Patience(request.app[SETTINGS].body_timeout_seconds)
    request.app[STREAMS].add(patience)
    try:
        async for rows in rows_of(request, patience):
            wishes = ((line, row if "reason" in row else _wish(row)) for line, row in rows)
            await tally.add(wishes, request.app)
            tally.refuse_flood()
    except BadRequest as error:
        return problem(error.status, error.reason, str(error), **tally.as_json())
    except Unavailable as away:
        return _interrupted(away, tally)
    finally:
        request.app[STREAMS].discard(patience)
    return _answer(tally)


async def assign_run(items: Sequence[object], first: int, tally: Tally, app: web.Application) -> None:
    """Some hundred at most; `first` is the place of the first one."""
    await tally.add(((index, _wish(item)) for index, item in enumerate(items, first)), app)


def _wish(document: Mapping[str, object] | object) -> Wish | dict[str, object]:
    try:
        return AssignmentBody.model_validate(document).wish()
    except ValidationError as invalid:
        return rejection(invalid.errors(include_url=False)[0])


def _interrupted(away: Unavailable, tally: Tally) -> web.Response:
    stopped = type(away)(f"{away}; send all of it again: what was done already stays as it is")
    return unavailable(stopped, **tally.as_json())


def _answer(tally: Tally) -> web.Response:
    if tally.rejected and not tally.effects.total():
        first = tally.rejected[0]
        detail = f"nothing was assigned; the first one: {first['detail']}"
        return problem(422, str(first["reason"]), detail, **tally.as_json())
    return answer(tally.as_json())
