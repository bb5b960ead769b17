"""Bearer tokens (JWT, RFC 7519): who shows one, if its signature and its claims are good.

Which algorithms are taken, and with which key each, is settled by what is configured: HS256 with the secret, RS256 and
ES256 with published keys. What a token says of itself only chooses among these.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson
from jwt import InvalidSignatureError, PyJWK, PyJWS, PyJWTError
from jwt.algorithms import HMACAlgorithm

from service import clock
from service.access import jwks
from service.access.claims import Passport, Policy, expired, read_claims
from service.access.jwks import Jwks
from service.errors import JwksUnavailable, SettingsError, Unauthorized, UnknownKid
from service.limits import TOKEN_CHARS_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.access.people import Person
    from service.settings import Settings

PASSPORTS_MAX = 50_000
"""Tokens whose signature need not be checked again, some 20 MB; more viewers than one process serves at a time."""

HS256 = "HS256"


def tokens_of(settings: Settings) -> Tokens | None:
    """None where no tokens are taken. Raises SettingsError for a secret that is none."""
    if settings.tokens_secret is None and settings.tokens_jwks_url is None:
        return None
    policy = Policy(
        settings.tokens_issuer,
        settings.tokens_audience,
        settings.tokens_leeway_seconds,
        settings.tokens_roles_claim,
        settings.tokens_teams_claim,
    )
    secret = settings.tokens_secret
    return Tokens(
        policy,
        None if secret is None else secret_key(secret.get_secret_value().encode()),
        None if settings.tokens_jwks_url is None else Jwks(settings.tokens_jwks_url),
    )


def secret_key(secret: bytes) -> PyJWK:
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
    except PyJWTError:
        raise SettingsError(
            "PLAYHEAD_TOKENS_SECRET is a public key, a certificate or a JWK, which others may know; public keys"
            " are for PLAYHEAD_TOKENS_JWKS_URL"
        ) from None
    return PyJWK({"kty": "oct", "k": urlsafe_b64encode(secret).decode()}, HS256)


def is_token(shown: str) -> bool:
    """API keys have no dots."""
    return "." in shown


class Tokens:
    """Remembers the tokens it has found good, by their digests, until they expire or other keys are published."""

    def __init__(self, policy: Policy, secret: PyJWK | None, published: Jwks | None) -> None:
        self._policy, self._secret, self._published = policy, secret, published
        self._jws = PyJWS(algorithms=(HS256, *jwks.ALGORITHMS))
        self._passports: dict[bytes, Passport] = {}
        self._edition = 0

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """For so long published keys are as they are published."""
        if self._published is None:
            yield
        else:
            async with self._published.followed():
                yield

    async def person(self, token: str) -> Person:
        """Who shows it. Raises Unauthorized, JwksUnavailable."""
        try:
            return self.known(token)
        except UnknownKid:
            if self._published is None:
                raise
            await self._published.refresh()
        try:
            return self.known(token)
        except UnknownKid:
            if self._published.is_away:
                raise JwksUnavailable(
                    "the keys that tokens are checked with cannot be fetched now, and this one's is not known"
                ) from None
            raise

    def known(self, token: str) -> Person:
        """Who shows it, by the keys that are known now. Raises Unauthorized."""
        if len(token) > TOKEN_CHARS_MAX:
            raise Unauthorized("token_too_long", f"a token has at most {TOKEN_CHARS_MAX} characters")
        if not token.isascii() or "=" in token:  # PyJWT takes padding: the same token spelled anew
            raise _no_token()
        self._forget_withdrawn()
        digest, now_us = sha256(token.encode()).digest(), clock.now_us()
        passport = self._passports.get(digest)
        if passport is None:
            passport = self._checked(token, now_us)
            self._remember(digest, passport)
        elif now_us >= passport.until_us:
            del self._passports[digest]
            raise expired()
        return passport.person

    def _forget_withdrawn(self) -> None:
        if self._published is not None and self._published.edition != self._edition:
            self._edition = self._published.edition
            self._passports.clear()

    def _remember(self, digest: bytes, passport: Passport) -> None:
        """In place of the one that was found good the longest ago, where there are too many."""
        if len(self._passports) >= PASSPORTS_MAX:
            del self._passports[next(iter(self._passports))]
        self._passports[digest] = passport

    def _checked(self, token: str, now_us: int) -> Passport:
        try:
            claims = orjson.loads(self._jws.decode(token, self._key(_header(token))))
        except InvalidSignatureError:
            raise Unauthorized("bad_signature", "the token's signature is not right") from None
        except (PyJWTError, ValueError):
            raise _no_token() from None
        return read_claims(claims, self._policy, now_us)

    def _key(self, header: dict[str, Any]) -> PyJWK:
        """Raises Unauthorized."""
        algorithm = header.get("alg")
        if algorithm == HS256 and self._secret is not None:
            return self._secret
        if algorithm in jwks.ALGORITHMS and self._published is not None:
            kid = header.get("kid")
            if not isinstance(kid, str | None):
                raise _no_token()
            if (key := self._published.find(kid, str(algorithm))) is None:
                raise UnknownKid
            return key
        raise Unauthorized("unknown_algorithm", "the token is signed in a way that is not taken here (alg)")


def _header(token: str) -> dict[str, Any]:
    """What a token says of itself, by which its key is found; PyJWT reads it again, with the key. Raises ValueError."""
    spelled = token.partition(".")[0]
    header = orjson.loads(urlsafe_b64decode(spelled + "=" * (-len(spelled) % 4)))
    if not isinstance(header, dict):
        raise _no_token()
    return header


def _no_token() -> Unauthorized:
    return Unauthorized("not_a_token", "this is no signed JWT")
