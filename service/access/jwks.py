"""The public keys that an identity provider publishes as a JWKS (RFC 7517), kept as they are there.

They are fetched anew before they are old, and when a token names one that is not among them. While they cannot be
fetched, those of before go on being used.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from aiohttp import ClientSession, ClientTimeout
from jwt import PyJWK, PyJWTError

from service import clock, metrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_log = structlog.get_logger()

ALGORITHMS = ("RS256", "ES256")

LIFETIME_SECONDS = 300.0
"""How long a key that was withdrawn is taken."""

PAUSE_SECONDS = 10.0
"""From one fetch to the next, at least: whoever invents names of keys makes us ask no more often. Also how long a key
that was just published may be unknown."""

TIMEOUT_SECONDS = 5.0
"""Of a fetch: requests whose key is not known wait for it."""

BYTES_MAX = 256 * 1024
KEYS_MAX = 100
"""Providers publish two or three, of 1 to 3 KB with their certificates."""

Keys = dict[tuple[str | None, str], PyJWK]
"""By name (`kid`) and algorithm: a key is used with its own algorithm only, whatever a token says."""


class Jwks:
    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: Keys = {}
        self._document = b""
        self._tried_at = -PAUSE_SECONDS
        self._fetching = asyncio.Lock()
        self._http: ClientSession | None = None
        self.edition = 0
        """Rises whenever other keys are published."""
        self.is_away = False
        """Whether they could not be fetched the last time."""

    def find(self, kid: str | None, algorithm: str) -> PyJWK | None:
        """A token that names no key can mean only one that has no other beside it."""
        if kid is not None:
            return self._keys.get((kid, algorithm))
        fitting = [key for (_, known), key in self._keys.items() if known == algorithm]
        return fitting[0] if len(fitting) == 1 else None

    async def refresh(self) -> None:
        """Fetch them, unless that was tried just now; who comes meanwhile waits for the same fetch."""
        async with self._fetching:
            if clock.steady_seconds() - self._tried_at >= PAUSE_SECONDS:
                await self._fetch()

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """For so long they are fetched as often as they have to be."""
        deadline = ClientTimeout(total=TIMEOUT_SECONDS)
        # Nothing is unpacked, so that what is counted is all that there is.
        async with ClientSession(timeout=deadline, auto_decompress=False) as self._http:
            following = asyncio.create_task(self._follow(), name="jwks")
            try:
                yield
            finally:
                following.cancel()
                await asyncio.wait([following])

    async def _follow(self) -> None:
        while True:
            async with self._fetching:
                await self._fetch()
            await asyncio.sleep(PAUSE_SECONDS if self.is_away else LIFETIME_SECONDS)

    async def _fetch(self) -> None:
        try:
            document = await self._read()
            if document != self._document:
                self._keys = await asyncio.to_thread(read_jwks, document)
                self._document = document
                self.edition += 1
                _log.info("jwks_fetched", kids=[kid for kid, _ in self._keys])
        except Exception as failed:  # whatever it was, the next try may succeed
            self._note_failure(failed)
        else:
            self.is_away = False
            _count("fetched")
        finally:
            self._tried_at = clock.steady_seconds()

    async def _read(self) -> bytes:
        """Raises ValueError for what is no document. Redirects are not followed: they might lead away from TLS."""
        assert self._http is not None
        headers = {"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"}
        async with self._http.get(self._url, headers=headers, allow_redirects=False) as answer:
            if answer.status != 200:
                raise ValueError(f"the answer is {answer.status}")
            gathered = bytearray()
            async for chunk in answer.content.iter_any():
                gathered += chunk
                if len(gathered) > BYTES_MAX:
                    raise ValueError(f"the answer has more than {BYTES_MAX} bytes")
            return bytes(gathered)

    def _note_failure(self, failed: Exception) -> None:
        """Said when it begins; the metric goes on counting."""
        _count("failed")
        if not self.is_away:
            place, detail = self._url.partition("?")[0], f"{type(failed).__name__}: {failed}"
            _log.warning("jwks_unavailable", url=place, detail=detail, keys_of_before=len(self._keys))
        self.is_away = True


def _count(outcome: str) -> None:
    metrics.JWKS_FETCHES.labels(outcome).inc()
    metrics.JWKS_AT.labels(outcome).set(clock.now_us() // 1_000_000)


def read_jwks(document: bytes) -> Keys:
    """The keys of a document that tokens can be checked with; all others are passed over.

    Raises ValueError for what is no such document, and where there is no usable key in it.
    """
    try:
        listed = orjson.loads(document)["keys"]
    except (ValueError, KeyError, TypeError):
        listed = None
    if not isinstance(listed, list) or len(listed) > KEYS_MAX:
        raise ValueError(f"the answer is no JWKS of at most {KEYS_MAX} keys")
    keys = {name: key for jwk in listed for name, key in _usable(jwk)}
    if not keys:
        raise ValueError(f"the JWKS has no public key for {' or '.join(ALGORITHMS)}")
    return keys


def _usable(jwk: Any) -> Iterator[tuple[tuple[str | None, str], PyJWK]]:
    """At most one: a public key to verify with, of the kind and strength that its algorithm asks for."""
    if not isinstance(jwk, dict) or "d" in jwk or jwk.get("use", "sig") != "sig":
        return
    kid, operations = jwk.get("kid"), jwk.get("key_ops", ["verify"])
    if not isinstance(kid, str | None) or not isinstance(operations, list) or "verify" not in operations:
        return
    try:
        key = PyJWK(jwk)
        if key.algorithm_name in ALGORITHMS:
            public = key.Algorithm.prepare_key(key.key)  # refuses other curves
            if key.Algorithm.check_key_length(public) is None:
                yield (kid, key.algorithm_name), key
    except (PyJWTError, KeyError, TypeError, ValueError):
        return
