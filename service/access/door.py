"""Whether playhead may be started as it is told: open on loopback, wider only with keys, tokens or an explicit word."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

from service.access.files import read_file
from service.access.keyring import Keyring, read_keys
from service.access.tokens import tokens_of
from service.errors import CannotStart, SettingsError

if TYPE_CHECKING:
    from service.settings import Settings


def keyring_of(settings: Settings) -> Keyring | None:
    """The keys that are taken; None where none are spoken of. Raises SettingsError.

    A file that is named counts, also when it is empty: revoking the last key opens nothing.
    """
    if settings.keys is None and settings.keys_file is None:
        return None
    keys = read_keys(settings.keys, "PLAYHEAD_KEYS") if settings.keys else []
    if settings.keys_file is not None:
        keys += read_file(settings.keys_file)
        if len({key.name for key in keys}) < len(keys) or len({key.digest for key in keys}) < len(keys):
            raise SettingsError("PLAYHEAD_KEYS and PLAYHEAD_KEYS_FILE have a key in common")
    return Keyring(keys)


def refuse_open_door(settings: Settings) -> None:
    """Raises CannotStart where others could reach a playhead that asks nobody who they are, and SettingsError."""
    keyring, tokens = keyring_of(settings), tokens_of(settings)
    place = settings.published_host or settings.host
    if (keyring and keyring.keys) or tokens or settings.open or is_loopback(place):
        return
    name = "PLAYHEAD_PUBLISHED_HOST" if settings.published_host else "PLAYHEAD_HOST"
    raise CannotStart(
        f"{name} is {place}, where others can reach playhead, and there is no API key: make one with"
        " `playhead keys create` (PLAYHEAD_KEYS_FILE, PLAYHEAD_KEYS), take bearer tokens (PLAYHEAD_TOKENS_JWKS_URL),"
        " or let everybody in with PLAYHEAD_OPEN=true"
    )


def is_loopback(host: str) -> bool:
    """Whether all that a host or address stands for is this machine alone."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    addresses = [ipaddress.ip_address(str(address[0]).partition("%")[0]) for *_, address in found]
    return all((getattr(one, "ipv4_mapped", None) or one).is_loopback for one in addresses)
