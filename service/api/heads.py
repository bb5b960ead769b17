"""Heads of requests that came before: a client spells all of its heads alike, and most clients spell them like others.

What aiohttp's parser makes of a head depends on nothing but its bytes, where no other request has begun before it. So
what was made of it once is kept, by those bytes, and the next request that begins with them is not parsed again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.api.shortcut import Way

HEAD_END = b"\r\n\r\n"

HEADS_MAX = 4096
"""Of one process. With names in paths and lengths of bodies there is no end of them."""

HEAD_BYTES_MAX = 1024


class Heads:
    """Of one process."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[Way, int]] = {}

    def find(self, data: bytes) -> tuple[Way, bytes] | None:
        """What a request asks for, and its body; None where its head is not known, or its body is not whole."""
        head, end, body = data.partition(HEAD_END)
        known = self._known.get(head)
        if known is None or known[1] != len(body) or not end:
            return None
        return known[0], body

    def learn(self, data: bytes, way: Way) -> None:
        """Of a request that is just these bytes: its head, and a body as long as that says."""
        head, _, body = data.partition(HEAD_END)
        if len(head) > HEAD_BYTES_MAX:
            return
        if len(self._known) >= HEADS_MAX:
            self._known.clear()  # those that are common are back at once
        self._known[head] = way, len(body)
