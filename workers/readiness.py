"""Whether the playhead that was just started takes events already, asked as anybody would: over HTTP."""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import structlog

_log = structlog.get_logger()

ASK_SECONDS = 2.0

SAY_SECONDS = 10.0
"""How often it is said why it is not ready yet: bringing Redis level with Postgres may take minutes."""


class Readiness:
    """Of one start. `url` is what answers 200 once it is ready, and a problem until then."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._say_at = time.monotonic() + SAY_SECONDS
        self.is_ready = False
        self.has_answered = False

    def look(self) -> None:
        """Ask once more."""
        status, told = _ask(self._url)
        self.is_ready = status == HTTPStatus.OK
        self.has_answered = self.has_answered or status > 0
        if self.has_answered and not self.is_ready and time.monotonic() > self._say_at:
            self._say_at = time.monotonic() + SAY_SECONDS
            _log.warning("not_ready", detail=told.get("detail", "playhead does not answer"))


def _ask(url: str) -> tuple[int, dict[str, Any]]:
    """The status of the answer, 0 for none, and the document that it brings."""
    try:
        try:
            with urlopen(url, timeout=ASK_SECONDS) as answer:  # noqa: S310 - our own http address
                return answer.status, {}
        except HTTPError as refused:
            with refused:
                return refused.code, json.loads(refused.read())
    except (OSError, ValueError):
        return 0, {}
