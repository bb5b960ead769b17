"""Who may make a call. Where neither keys nor tokens are taken there is no guard, and calls cost nothing for it."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext, suppress
from functools import wraps
from typing import TYPE_CHECKING

import structlog

from service.access.bucket import Bucket
from service.access.door import keyring_of
from service.access.files import state_of
from service.access.keyring import Keyring, Scope
from service.access.tokens import is_token, tokens_of
from service.api.context import BUCKET, PERSON, REDIS
from service.api.persons import permit
from service.api.problems import answering
from service.counters.rates import share
from service.errors import Forbidden, SettingsError, Unauthorized

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from aiohttp import web

    from service.access.keyring import Key
    from service.access.tokens import Tokens
    from service.api.calls import Call
    from service.api.problems import Handler
    from service.settings import Settings

_log = structlog.get_logger()

RELOAD_SECONDS = 1.0
"""How often the file of keys is looked at: how long a revoked key may still be used."""

SHARE_SECONDS = 0.25
"""How often processes tell each other what they let in: for so long they may let in too much."""

_BEARER = "bearer "
_BEARER_CHARS = len(_BEARER)


def guard_of(settings: Settings) -> Guard | None:
    """None where nobody has to show anything. Raises SettingsError where the keys cannot be read."""
    keyring, tokens = keyring_of(settings), tokens_of(settings)
    if keyring is None and tokens is None:
        return None
    return Guard(settings, keyring or Keyring(()), tokens)


class Guard:
    """The keys of this process, kept as they are in their file, and what its tokens are checked with."""

    def __init__(self, settings: Settings, keyring: Keyring, tokens: Tokens | None = None) -> None:
        self._settings, self._tokens = settings, tokens
        self._state = state_of(settings.keys_file) if settings.keys_file else None
        self._buckets: dict[str, Bucket] = {}
        self._use(keyring)

    @property
    def takes_tokens(self) -> bool:
        return self._tokens is not None

    def guarded(self, call: Call, scope: Scope) -> Handler:
        """The call's handler, which answers those only who may."""

        @answering
        @wraps(call.handler)
        async def answer(request: web.Request) -> web.StreamResponse:
            shown = _shown(request, scope)
            if self._tokens is not None and is_token(shown):
                request[PERSON] = person = await self._tokens.person(shown)
                await permit(person, call, request)
            else:
                self._admit(request, scope, shown)
            return await call.handler(request)

        return answer

    def _admit(self, request: web.Request, scope: Scope, shown: str) -> None:
        """Raises Unauthorized, Forbidden, RateExceeded."""
        key = self._key(shown, scope)
        if self._buckets:
            self._draw(request, scope, key)

    async def identify(self, request: web.Request, shown: str | None = None) -> None:
        """Whose request it is; what it may is asked by `demand`. `shown` in place of what came in its head or address.

        Raises Unauthorized, JwksUnavailable.
        """
        shown = _shown(request) if shown is None else shown
        if self._tokens is not None and is_token(shown):
            request[PERSON] = await self._tokens.person(shown)
        else:
            self._known(shown)

    def demand(self, request: web.Request, scope: Scope, shown: str | None = None) -> None:
        """Of one operation of a request that was identified. Raises as `_admit`; of persons that the token holds."""
        shown = _shown(request, scope) if shown is None else shown
        if self._tokens is not None and is_token(shown):
            self._tokens.known(shown)
        else:
            self._admit(request, scope, shown)

    def recheck(self, request: web.Request, shown: str | None = None) -> None:
        """Raises Unauthorized where what was shown is no good any more."""
        shown = _shown(request) if shown is None else shown
        if self._tokens is not None and is_token(shown):
            self._tokens.known(shown)
        else:
            self._known(shown)

    def readmit(self, request: web.Request) -> Bucket | None:
        """What the events of an open stream are drawn from now; None without a limit. Raises as `_admit`."""
        shown = _shown(request, Scope.INGEST)
        if self._tokens is not None and is_token(shown):
            self._tokens.known(shown)
            return None
        return self._buckets.get(_bucket_name("events", self._key(shown, Scope.INGEST)))

    def lets_pass(self, headers: Mapping[str, str], scope: Scope) -> bool:
        """Whether they show an API key that may do this as often as it likes. Of all others `guarded` tells."""
        shown = _shown_in(headers)
        if not shown or (self._tokens is not None and is_token(shown)):
            return False
        key = self._keyring.find(shown)
        return key is not None and key.may(scope) and not key.is_limited

    def _key(self, shown: str, scope: Scope) -> Key:
        key = self._known(shown)
        if not key.may(scope):
            detail = f"the API key {key.name!r} lacks the scope {str(scope)!r}, which this call needs"
            raise Forbidden("missing_scope", detail, scope)
        return key

    def _known(self, shown: str) -> Key:
        if not shown:
            needed = "an API key or a token" if self.takes_tokens else "an API key"
            raise Unauthorized(
                "no_key", f"this call needs {needed}, as `Authorization: Bearer` or `X-Api-Key`"
            )
        key = self._keyring.find(shown)
        if key is None:
            raise Unauthorized("unknown_key", "the API key is none of this playhead's, or was revoked")
        return key

    def _draw(self, request: web.Request, scope: Scope, key: Key) -> None:
        unit = "events" if scope is Scope.INGEST else "requests"
        if bucket := self._buckets.get(_bucket_name(unit, key)):
            bucket.check()
            bucket.draw(1)
            if scope is Scope.INGEST:
                request[BUCKET] = bucket  # the events after the first are drawn once they are counted

    async def kept(self, app: web.Application) -> AsyncIterator[None]:
        """For as long as the application runs, keys are as they are in their file, or published, and buckets shared."""

        async def keys() -> None:
            await asyncio.to_thread(self._reload)

        async def buckets() -> None:
            await share(app[REDIS], self._buckets)

        stop = asyncio.Event()
        repeating = asyncio.gather(_repeat(keys, RELOAD_SECONDS, stop), _repeat(buckets, SHARE_SECONDS, stop))
        async with self._tokens.kept() if self._tokens else nullcontext():
            yield
        stop.set()
        await repeating

    def _reload(self) -> None:
        """A file that cannot be read, or was left half edited, changes nothing; that is said once a change."""
        path = self._settings.keys_file
        if path is None or (state := state_of(path)) == self._state:
            return
        self._state = state
        try:
            self._use(keyring_of(self._settings) or self._keyring)
        except SettingsError as unusable:
            _log.error("keys_not_reloaded", detail=f"{unusable}; the keys of before go on being used")
        else:
            _log.info("keys_reloaded", keys=[key.name for key in self._keyring.keys])

    def _use(self, keyring: Keyring) -> None:
        """Buckets whose limit did not change stay as full as they are."""
        limits = {
            _bucket_name(unit, key): (unit, per_second)
            for key in keyring.keys
            for unit, per_second in (("events", key.events_per_second), ("requests", key.requests_per_second))
            if per_second is not None
        }
        known = self._buckets
        self._buckets = {
            name: known[name] if name in known and known[name].per_second == rate else Bucket(unit, rate)
            for name, (unit, rate) in limits.items()
        }
        self._keyring = keyring


async def _repeat(step: Callable[[], Awaitable[None]], seconds: float, stop: asyncio.Event) -> None:
    """Until told to stop, whatever a step fails with: a key must be revocable as long as playhead runs.

    It is not cancelled: the Redis client may take that for an end of its own wait, and it would go on for ever.
    """
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)
        try:
            await step()
        except Exception:
            _log.exception("guard_failed")


def credential_in(authorization: str) -> str | None:
    """The key or token after `Bearer`, or a token alone, as clients of AppSync send it; None where it is neither."""
    if authorization[:_BEARER_CHARS].lower() == _BEARER:
        return authorization[_BEARER_CHARS:].strip()
    alone = authorization.strip()
    return alone if is_token(alone) and " " not in alone else None


def _bucket_name(unit: str, key: Key) -> str:
    return f"{unit}:{key.name}"


def _shown(request: web.Request, scope: Scope | None = None) -> str:
    """The key or token that came with a request; empty where none did.

    What cannot set headers (a beacon, an EventSource) may put it into the address, though not to erase anything.
    """
    if (shown := _shown_in(request.headers)) is not None:
        return shown
    if request.query_string and scope is not Scope.ADMIN:
        return request.query.get("key", "")
    return ""


def _shown_in(headers: Mapping[str, str]) -> str | None:
    if (said := credential_in(headers.get("Authorization", ""))) is not None:
        return said
    key = headers.get("X-Api-Key")
    return None if key is None else key.strip()
