"""Heads of requests that came before: a client spells all of its heads alike, and most clients spell them like others.

What aiohttp's parser makes of a head depends on nothing but its bytes, where no other request has begun before it. So
what was made of it once is kept, by those bytes, and the next request that begins with them is not parsed again. Of a
read the first line names what is read, which is seldom twice the same: it is kept by the lines behind that one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.api.shortcut import Way

LINE_END = b"\r\n"
HEAD_END = b"\r\n\r\n"

HEADS_MAX = 4096
"""Of one process. With lengths of bodies there is no end of them."""

HEAD_BYTES_MAX = 1024


class Heads:
    """Of one process."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[Way, int]] = {}
        self._known_reads: dict[bytes, Way] = {}

    def find(self, data: bytes) -> tuple[Way, bytes] | None:
        """What a request asks for, and its body; None where its head is not known, or its body is not whole."""
        head, end, body = data.partition(HEAD_END)
        if not end or len(head) > HEAD_BYTES_MAX:
            return None
        if head.startswith(b"GET "):
            line, _, fields = head.partition(LINE_END)
            alike = None if body else self._known_reads.get(fields)
            way = alike and alike.for_line(line)
            return (way, body) if way else None
        known = self._known.get(head)
        if known is None or known[1] != len(body):
            return None
        return known[0], body

    def learn(self, data: bytes, way: Way) -> None:
        """Of a request that is just these bytes: its head, and a body as long as that says."""
        head, _, body = data.partition(HEAD_END)
        if len(head) > HEAD_BYTES_MAX:
            return
        for known in (self._known, self._known_reads):
            if len(known) >= HEADS_MAX:
                known.clear()  # those that are common are back at once
        if way.read is None:
            self._known[head] = way, len(body)
        elif not body:
            self._known_reads[head.partition(LINE_END)[2]] = way
