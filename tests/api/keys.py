"""API keys for tests."""

from __future__ import annotations

from service.access.keyring import Key, Scope, digest_of, new_token

TOKENS = {scope: new_token() for scope in Scope}
"""One key a scope, named like it."""


def line_of(
    name: str, token: str, *scopes: Scope, events: int | None = None, requests: int | None = None
) -> str:
    return Key(name, frozenset(scopes), digest_of(token), events, requests).as_line()


LINES = ";".join(line_of(scope, token, scope) for scope, token in TOKENS.items())


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
