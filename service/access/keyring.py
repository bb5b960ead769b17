"""API keys: what one may do, how it is written down, and how the one that a client shows is found.

A key is 256 random bits, so what is written down is its plain SHA-256: there is nothing to guess, and a slow hash,
which protects what people make up, would only cost time at every request. Who reads the list learns no key.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING

from service.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TOKEN_PREFIX = "playhead_"  # noqa: S105 - by which scanners for secrets know one that was published
TOKEN_BYTES = 32
RATE_MAX = 1_000_000
"""Events or requests a second; more than any one client sends."""


class Scope(StrEnum):
    """What a call needs. `admin` includes the others."""

    INGEST = "ingest"
    READ = "read"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Key:
    """`digest` is SHA-256 of the token; no limit is None."""

    name: str
    scopes: frozenset[Scope]
    digest: bytes
    events_per_second: int | None = None
    requests_per_second: int | None = None
    created: str = ""

    @property
    def is_limited(self) -> bool:
        return self.events_per_second is not None or self.requests_per_second is not None

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def as_line(self) -> str:
        """As `read_keys` reads it."""
        scopes = ",".join(scope for scope in Scope if scope in self.scopes)
        words = [self.name, scopes, f"sha256:{self.digest.hex()}"]
        words += [f"{name}={value}" for name in _OPTIONS if (value := getattr(self, name))]
        return " ".join(words)


class Keyring:
    """The keys that open this playhead."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self.keys = tuple(keys)
        self._by_digest = {key.digest: key for key in self.keys}

    def find(self, token: str) -> Key | None:
        """The key that a client shows. What is compared are digests, in a time that does not depend on them."""
        digest = digest_of(token)
        key = self._by_digest.get(digest)
        return key if key is not None and compare_digest(key.digest, digest) else None


def new_token() -> str:
    return TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def digest_of(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


def read_keys(text: str, source: str) -> list[Key]:
    """The keys of a text, one a line (or separated by `;`): name, scopes, digest, limits. `#` begins a comment.

    Raises SettingsError naming the line of `source` that cannot be read, without repeating it.
    """
    keys: dict[str, Key] = {}
    digests: set[bytes] = set()
    for number, words in _entries(text):
        try:
            key = _key(words)
        except ValueError as wrong:
            raise SettingsError(f"{source}, line {number}: {wrong}") from None
        if key.name in keys or key.digest in digests:
            raise SettingsError(f"{source}, line {number}: {key.name!r} or its digest is there twice")
        keys[key.name] = key
        digests.add(key.digest)
    return list(keys.values())


def checked_name(name: str) -> str:
    """Raises ValueError for what could not be one word of a line, or of a metric."""
    if not _NAME.fullmatch(name):
        raise ValueError("a key's name is 1 to 64 letters, digits, dots, dashes and underscores")
    return name


_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_OPTIONS = ("events_per_second", "requests_per_second", "created")


def _entries(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        for entry in line.partition("#")[0].split(";"):
            if words := entry.split():
                yield number, words


def _key(words: list[str]) -> Key:
    if len(words) < 3:
        raise ValueError("expected a name, scopes and a digest")
    name, scopes, digest, *options = words
    if not (hashed := _DIGEST.fullmatch(digest)):
        raise ValueError("the third word is sha256: and 64 digits from 0 to f, not the key itself")
    given = dict(option.partition("=")[::2] for option in options)
    if unknown := given.keys() - set(_OPTIONS):
        raise ValueError(f"{min(unknown)[:40]!r} is no option, expected one of {', '.join(_OPTIONS)}")
    return Key(
        checked_name(name),
        read_scopes(scopes.split(",")),
        bytes.fromhex(hashed[1]),
        _rate(given, "events_per_second"),
        _rate(given, "requests_per_second"),
        given.get("created", ""),
    )


def read_scopes(words: Iterable[str]) -> frozenset[Scope]:
    try:
        return frozenset(Scope(word) for word in words)
    except ValueError:
        raise ValueError(f"scopes are {', '.join(Scope)}, with commas between them") from None


def _rate(given: dict[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not (
        text.isascii() and text.isdigit() and len(text) <= len(str(RATE_MAX)) and 0 < int(text) <= RATE_MAX
    ):
        raise ValueError(f"{name} is a whole number from 1 to {RATE_MAX}")
    return int(text)
