"""Time zones by their names, as the machine knows them."""

from __future__ import annotations

import re
from functools import lru_cache
from zoneinfo import ZoneInfo

from service.limits import TIME_ZONE_CHARS_MAX

_NAME = re.compile(r"[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*")
"""Those in small letters (`localtime`, `posix/...`) mean something else on each machine."""


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """Raises ValueError for a name that is none."""
    if len(name) <= TIME_ZONE_CHARS_MAX and _NAME.fullmatch(name):
        try:
            return ZoneInfo(name)
        except (OSError, ValueError, LookupError):  # a folder of zones, a file that is none, nothing at all
            pass
    raise ValueError(f"{name[:40]!r} is no time zone, expected a name like UTC or Europe/Berlin")
