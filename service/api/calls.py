"""What a call of the interface is, in the terms of its description."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from service.api.schemas import Problem
from service.limits import PAGE_DEFAULT, PAGE_MAX

if TYPE_CHECKING:
    from service.access.keyring import Scope
    from service.api.problems import Handler

Json = dict[str, Any]
Model = type[BaseModel]


class Whose(StrEnum):
    """What a call is about. It settles which persons may make it; servers have scopes."""

    USERS_IN_PATH = "of the user that its path names"
    USERS_WITHIN = "of users who are named within, or not at all: whoever answers it asks for each of them"
    EVERYBODYS = "of nobody in particular"
    PLAYHEADS = "of whoever runs playhead"


@dataclass(frozen=True, slots=True)
class Parameter:
    """`where` is `path` or `query`; those in the path are always required, the others never."""

    name: str
    where: str
    description: str
    schema: Json
    example: object = None


@dataclass(frozen=True, slots=True)
class Body:
    """One media type of a request's body. `examples` are told by a summary each."""

    media_type: str
    schema: Json
    examples: dict[str, object]


@dataclass(frozen=True, slots=True)
class Answer:
    """`models` are the shapes that it may have, and `example` has one; `media_type` is that of what is no JSON."""

    status: int | str
    description: str
    models: tuple[Model, ...] = ()
    media_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    example: Json | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One method at one path.

    `path` is aiohttp's, with its patterns; `name` is unique, generated clients call it so; `prose` names a text in
    `service/web` that is longer than a `description`; `models` are the shapes of bodies. `scope` is what a key needs
    for it, None where it is answered without one; `whose` says which persons may make it, with a token. A call
    `with_own_guard` finds out on the way what it needs, and asks for that itself.
    """

    method: str
    path: str
    handler: Handler
    name: str
    tag: str
    summary: str
    answers: tuple[Answer, ...]
    scope: Scope | None = field(kw_only=True)
    whose: Whose = Whose.PLAYHEADS
    description: str = ""
    prose: str = ""
    parameters: tuple[Parameter, ...] = ()
    bodies: tuple[Body, ...] = ()
    models: tuple[Model, ...] = ()
    is_described: bool = True
    with_own_guard: bool = False

    @property
    def scope_at_door(self) -> Scope | None:
        """What is asked before its handler is."""
        return None if self.with_own_guard else self.scope


def reference(model: Model) -> Json:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def failure(
    status: int,
    description: str,
    reason: str,
    detail: str,
    *models: Model,
    headers: dict[str, str] | None = None,
    **members: object,
) -> Answer:
    """A problem document; `reason`, `detail` and `members` are its example's."""
    example = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "reason": reason,
        "detail": detail,
        **members,
    }
    return Answer(status, description, models or (Problem,), headers=headers or {}, example=example)


LIMIT = Parameter(
    "limit",
    "query",
    "how many on a page",
    {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_DEFAULT},
)
CURSOR = Parameter("cursor", "query", "`next_cursor` of the page before", {"type": "string", "minLength": 1})
LATER = {"Retry-After": "seconds until it is worth trying again"}
NEVER_SEEN = failure(404, "`not_found`: never seen.", "not_found", "no event of user 'ann' was ever received")
AWAY = failure(
    503,
    "`unavailable`: Redis does not answer now.",
    "unavailable",
    "Redis did not answer: Connection refused",
    headers=LATER,
)
KEYED = (
    failure(
        401,
        "`no_key`, `unknown_key`: a key or token is needed here, and none or none that is known was shown. What is"
        " wrong with a token: `not_a_token`, `token_too_long`, `unknown_algorithm`, `unknown_kid`, `bad_signature`,"
        " `token_expired`, `token_not_valid_yet`, `wrong_issuer`, `wrong_audience`, `missing_claim`, `bad_claim`.",
        "no_key",
        "this call needs an API key, as `Authorization: Bearer` or `X-Api-Key`",
        headers={"WWW-Authenticate": "`Bearer`"},
    ),
    failure(
        403,
        "`missing_scope`: the key may not do this; `detail` names the scope that it lacks. Of a token: `foreign_user`,"
        " this is another's; `missing_role`, only an admin may.",
        "missing_scope",
        "the API key 'web' lacks the scope 'read', which this call needs",
        headers={"WWW-Authenticate": "`Bearer`, with the scope"},
    ),
    failure(
        429,
        "`rate_exceeded`: the key was used faster than it may be. Of lines `detail` says from where to go on.",
        "rate_exceeded",
        "more than 500 events a second came with this key; try again in 1 s",
        headers=LATER
        | {
            "RateLimit": "what is left, of which policy",
            "RateLimit-Policy": "what may come, in how many seconds",
        },
    ),
)
FAILED = Answer(
    "default",
    "Any other failure: 405 `method_not_allowed` where the path takes other methods, 500 `internal_error`.",
    (Problem,),
    headers={"Allow": "with 405: the methods that the path takes"},
)
