"""`playhead keys`: makes API keys, lists them, revokes them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from service import clock, settings
from service.access.files import add_key, read_file, remove_key
from service.access.keyring import RATE_MAX, Key, Scope, checked_name, digest_of, new_token, read_keys
from service.api.shapes import moment
from service.errors import SettingsError

keys = App(
    name="keys",
    help="Make, list and revoke API keys, in the file that PLAYHEAD_KEYS_FILE names.\n\n"
    "A running playhead reads that file again within a second or two of a change. Only digests of keys are stored.",
)

Rate = Annotated[int | None, Parameter(validator=Number(gte=1, lte=RATE_MAX))]


@keys.command
def create(
    *,
    name: str,
    scope: Annotated[list[Scope], Parameter(negative="")],
    events_per_second: Rate = None,
    requests_per_second: Rate = None,
) -> None:
    """Make a key and print it; it is shown this once.

    Without PLAYHEAD_KEYS_FILE nothing is stored: the line for such a file, or for PLAYHEAD_KEYS, is printed too.

    Parameters
    ----------
    name
        By which it is listed and revoked.
    scope
        `ingest` to post events, `read` to ask for counters, `admin` for everything; may be given more than once.
    events_per_second
        How fast it may post; without a limit by default.
    requests_per_second
        How fast it may read; without a limit by default.
    """
    token = new_token()
    key = Key(
        _checked(name),
        frozenset(scope),
        digest_of(token),
        events_per_second,
        requests_per_second,
        moment(clock.now_us()).partition("T")[0],
    )
    file = settings.load().keys_file
    if file is not None:
        add_key(file, key)
    print(token)
    if file is None:
        print(key.as_line())
    where = (
        f"its digest is in {file}"
        if file
        else "its line, for PLAYHEAD_KEYS or PLAYHEAD_KEYS_FILE, follows it"
    )
    print(f"playhead: this is the key {name!r}, shown this once; {where}", file=sys.stderr)


@keys.command(name="list")
def show() -> None:
    """List the keys that are stored: names, scopes, limits; the keys themselves nobody has."""
    configured = settings.load()
    found = read_keys(configured.keys, "PLAYHEAD_KEYS") if configured.keys else []
    if configured.keys_file is not None:
        found += read_file(configured.keys_file)
    for key in found:
        name, scopes, _, *options = key.as_line().split()
        print(f"{name:<20} {scopes:<12} {' '.join(options)}".rstrip())


@keys.command
def revoke(name: str, /) -> None:
    """Take a key out of the file: within a second or two it opens nothing any more."""
    remove_key(_file(), name)
    print(f"revoked {name}")


def _file() -> Path:
    file = settings.load().keys_file
    if file is None:
        raise SettingsError("PLAYHEAD_KEYS_FILE names no file; keys of PLAYHEAD_KEYS are revoked there")
    return file


def _checked(name: str) -> str:
    try:
        return checked_name(name)
    except ValueError as wrong:
        raise SettingsError(f"{name[:80]!r}: {wrong}") from None
