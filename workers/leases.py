"""The leases of one flusher: which partitions it flushes, shared evenly with all other flushers.

`renew` says once a second that the flusher lives, whatever else it is doing. `balance` takes what is free up to its
share, and gives back what exceeds it; the flusher calls it between two flushes. Whoever is silent for LEASE_SECONDS
loses its partitions to the others.
"""

from __future__ import annotations

import os
import socket
import time
from secrets import token_hex
from typing import TYPE_CHECKING

import structlog

from service import metrics

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from service.db.leasing import Leasing

_log = structlog.get_logger()

LEASE_SECONDS = 4.0
"""So long after a flusher was killed, at most, others go on with its partitions. A busy machine may be silent for a
second or two, and a lease that is lost for nothing costs another start."""

RENEW_SECONDS = 1.0

_HOST_CHARS_MAX = 32
"""Postgres cuts a session's name at 63 bytes."""


def new_name() -> str:
    """A flusher's name, which no other one has: where it runs, and something random."""
    return f"{socket.gethostname()[:_HOST_CHARS_MAX]}-{os.getpid()}-{token_hex(4)}"


class Leases:
    def __init__(self, leasing: Leasing, name: str, partitions: Sequence[int]) -> None:
        self._leasing = leasing
        self._name = name
        self._partitions = partitions
        self._balanced_at: float | None = None
        self.held: dict[int, int] = {}
        """The partitions to flush, each with the epoch under which it was taken."""

    @property
    def name(self) -> str:
        return self._name

    async def renew(self) -> bool:
        """Driven by `workers.loop.drive`."""
        await self._leasing.announce(self._name, LEASE_SECONDS)
        return False

    async def balance(self) -> None:
        """Bring `held` up to date; at most once in RENEW_SECONDS, but for `look_again`."""
        now = time.monotonic()
        if self._balanced_at is not None and now - self._balanced_at < RENEW_SECONDS:
            return
        await self.renew()
        stored = await self._leasing.held(self._name, self._partitions)
        held = {partition: epoch for partition, epoch in stored.items() if partition in self.held}
        self._say("lease_lost", self.held.keys() - held.keys())
        self.held = held
        await self._even_out(stored, await self._leasing.share(self._name, len(self._partitions)))
        self._balanced_at = now
        metrics.PARTITIONS_HELD.set(len(self.held))

    def look_again(self) -> None:
        """The next `balance` does not wait: something showed that `held` is out of date."""
        self._balanced_at = None

    async def leave(self) -> None:
        """Give everything back, so that others go on at once."""
        self._say("lease_given_back", await self._leasing.leave(self._name))
        self.held = {}
        metrics.PARTITIONS_HELD.set(0)

    async def _even_out(self, stored: dict[int, int], share: int) -> None:
        """Take what is missing to the share, or give back what is too much."""
        if len(self.held) < share:
            taken = await self._leasing.take(
                self._name, self._partitions, self.held.keys(), share - len(self.held)
            )
            self.held |= taken
            self._say("lease_taken", taken)
        kept = dict(sorted(self.held.items())[:share])
        if stored.keys() - kept.keys() or self.held.keys() - kept.keys():
            self._say("lease_given_back", await self._leasing.give_back(self._name, kept))
        self.held = kept

    def _say(self, what: str, partitions: Collection[int]) -> None:
        if partitions:
            _log.info(what, flusher=self._name, partitions=sorted(partitions))
