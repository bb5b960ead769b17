"""Who may make a call. Where no keys are set there is no guard, and calls cost nothing for it."""

from __future__ import annotations

import asyncio
from functools import wraps
from typing import TYPE_CHECKING

import structlog

from service.access.door import keyring_of
from service.access.files import state_of
from service.access.keyring import Scope
from service.api.problems import answering
from service.errors import Forbidden, SettingsError, Unauthorized

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

    from service.access.keyring import Key, Keyring
    from service.api.problems import Handler
    from service.settings import Settings

_log = structlog.get_logger()

RELOAD_SECONDS = 1.0
"""How often the file of keys is looked at: how long a revoked key may still be used."""

_BEARER = "bearer "
_BEARER_CHARS = len(_BEARER)


def guard_of(settings: Settings) -> Guard | None:
    """None where nobody has to show a key. Raises SettingsError where the keys cannot be read."""
    keyring = keyring_of(settings)
    return None if keyring is None else Guard(settings, keyring)


class Guard:
    """The keys of this process, kept as they are in their file."""

    def __init__(self, settings: Settings, keyring: Keyring) -> None:
        self._settings = settings
        self._keyring = keyring
        self._state = state_of(settings.keys_file) if settings.keys_file else None

    def guarded(self, handler: Handler, scope: Scope) -> Handler:
        """A handler that answers those only who may."""

        @answering
        @wraps(handler)
        async def answer(request: web.Request) -> web.StreamResponse:
            self.admit(request, scope)
            return await handler(request)

        return answer

    def admit(self, request: web.Request, scope: Scope) -> Key:
        """Raises Unauthorized, Forbidden."""
        token = _shown(request, scope)
        if not token:
            raise Unauthorized(
                "no_key", "this call needs an API key, as `Authorization: Bearer` or `X-Api-Key`"
            )
        key = self._keyring.find(token)
        if key is None:
            raise Unauthorized("unknown_key", "the API key is none of this playhead's, or was revoked")
        if not key.may(scope):
            raise Forbidden(
                scope, f"the API key {key.name!r} lacks the scope {str(scope)!r}, which this call needs"
            )
        return key

    async def kept(self, _app: web.Application) -> AsyncIterator[None]:
        """For as long as the application runs, keys are as they are in their file."""
        reloading = asyncio.create_task(self._run(), name="keys")
        yield
        reloading.cancel()
        await asyncio.gather(reloading, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            await asyncio.to_thread(self._reload)

    def _reload(self) -> None:
        """A file that cannot be read, or was left half edited, changes nothing; that is said once a change."""
        path = self._settings.keys_file
        if path is None or (state := state_of(path)) == self._state:
            return
        self._state = state
        try:
            self._keyring = keyring_of(self._settings) or self._keyring
        except SettingsError as unusable:
            _log.error("keys_not_reloaded", detail=f"{unusable}; the keys of before go on being used")
        else:
            _log.info("keys_reloaded", keys=[key.name for key in self._keyring.keys])


def _shown(request: web.Request, scope: Scope) -> str:
    """The key that came with a request; empty where none did.

    What cannot set headers (a beacon, an EventSource) may put it into the address, though not to erase anything.
    """
    headers = request.headers
    authorization = headers.get("Authorization", "")
    if authorization[:_BEARER_CHARS].lower() == _BEARER:
        return authorization[_BEARER_CHARS:].strip()
    if (key := headers.get("X-Api-Key")) is not None:
        return key.strip()
    if request.query_string and scope is not Scope.ADMIN:
        return request.query.get("key", "")
    return ""
