"""What a bearer token says once its signature is known to be good: who shows it, and until when that holds."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple

from service.access.people import Person, Role
from service.errors import Unauthorized
from service.limits import USER_CHARS_MAX

US = 1_000_000


@dataclass(frozen=True, slots=True)
class Policy:
    """What is expected of every token. Where no audience is expected, a token that is for one is not for playhead."""

    issuer: str | None = None
    audience: str | None = None
    leeway_seconds: int = 0
    """How far the clock of whoever signs may be off."""
    roles_claim: str = "roles"
    teams_claim: str = "teams"


class Passport(NamedTuple):
    person: Person
    until_us: int
    """From this moment on it is no good."""


def read_claims(claims: object, policy: Policy, now_us: int) -> Passport:
    """Raises Unauthorized, with what is wrong as its reason; its text repeats nothing of the token."""
    if not isinstance(claims, dict):
        raise Unauthorized("not_a_token", "the token's claims are no JSON object")
    leeway_us = policy.leeway_seconds * US
    until_us = _time_us(_needed(claims, "exp"), "exp") + leeway_us
    if now_us >= until_us:
        raise expired()
    if "nbf" in claims and now_us < _time_us(claims["nbf"], "nbf") - leeway_us:
        raise Unauthorized("token_not_valid_yet", "the token is not valid yet (nbf)")
    _check_issuer(claims, policy)
    _check_audience(claims, policy)
    return Passport(_person(claims, policy), until_us)


def expired() -> Unauthorized:
    return Unauthorized("token_expired", "the token has expired (exp)")


def _needed(claims: dict[str, Any], name: str) -> Any:
    if claims.get(name) is None:
        raise Unauthorized("missing_claim", f"the token has no {name}")
    return claims[name]


def _bad(name: str, expected: str) -> Unauthorized:
    return Unauthorized("bad_claim", f"the token's {name} cannot be used, expected {expected}")


def _time_us(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise _bad(name, "a number of seconds since 1970")
    return int(value * US)


def _check_issuer(claims: dict[str, Any], policy: Policy) -> None:
    if policy.issuer is not None and _needed(claims, "iss") != policy.issuer:
        raise Unauthorized("wrong_issuer", "the token is not from the issuer that is trusted here (iss)")


def _check_audience(claims: dict[str, Any], policy: Policy) -> None:
    given = claims.get("aud") if policy.audience is None else _needed(claims, "aud")
    audiences = given if isinstance(given, list) else [given]
    if policy.audience not in audiences:
        raise Unauthorized("wrong_audience", "the token is for others (aud)")


def _person(claims: dict[str, Any], policy: Policy) -> Person:
    user = _needed(claims, "sub")
    if not isinstance(user, str) or not 0 < len(user) <= USER_CHARS_MAX or "\0" in user:
        raise _bad("sub", f"the name of a user: a string of 1 to {USER_CHARS_MAX} characters")
    roles = _words(claims, policy.roles_claim)
    role = next((role for role in (Role.ADMIN, Role.MANAGER) if role in roles), Role.LEARNER)
    return Person(user, role, _words(claims, policy.teams_claim))


def _words(claims: dict[str, Any], name: str) -> frozenset[str]:
    """Those of a list, or one alone; none where the claim is absent."""
    given = claims.get(name)
    if given is None:
        return frozenset()
    words = given if isinstance(given, list) else [given]
    if not all(isinstance(word, str) for word in words):
        raise _bad(name, "a list of strings, or one string")
    return frozenset(words)
