"""Flushers that do it wrong, and die at the moment at which that matters: the canaries of the book-keeper.

`python -m tests.faults.broken_flushing NAME HOW` runs `workers.flushing` with one thing broken. The product has no
switch for this.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from itertools import count as counting
from typing import TYPE_CHECKING, Any

from service.db.copying import COLUMNS, EPOCH_US, NUMBERS, PIECES, Copied
from service.db.ledger import Ledger
from workers import flusher, flushing
from workers.entries import read_entries, trim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis.asyncio import Redis

    from service.db.records import EntryId, Flush
    from workers.entries import Entry

FLUSHES_BEFORE = 3
"""So many go well first."""

RECEIVED_AT = 2 * (COLUMNS.index("received_at") - COLUMNS.index("ordinal")) + 1
"""Among the numbers of a row, each behind its length."""

commit = Ledger.commit
flushes = counting(1)


async def checkpoint_before_rows(ledger: Ledger, flush: Flush) -> None:
    await commit(ledger, replace(flush, copied=Copied(), snapshots=None))
    die(flush)
    await commit(ledger, replace(flush, checkpoints=[]))


async def rows_before_checkpoint(ledger: Ledger, flush: Flush) -> None:
    """The primary key alone would refuse the rows when they come again, so they are stamped anew as well."""
    await commit(ledger, replace(flush, checkpoints=[], copied=stamp(flush.copied), snapshots=None))
    die(flush)
    await commit(ledger, replace(flush, copied=Copied()))


def stamp(copied: Copied) -> Copied:
    """The same rows with another time of receipt. The second piece of a row is its numbers."""
    pieces = [*copied.pieces]
    for place in range(1, len(pieces), PIECES):
        numbers = [*NUMBERS.unpack(pieces[place])]
        numbers[RECEIVED_AT] = time.time_ns() // 1000 - EPOCH_US
        pieces[place] = NUMBERS.pack(*numbers)
    return replace(copied, pieces=pieces)


async def trimmed_before_commit(
    redis: Redis, after: Mapping[int, EntryId], count: int
) -> dict[int, list[Entry]]:
    found = await read_entries(redis, after, count)
    await trim(redis, {partition: entries[-1].id for partition, entries in found.items()})
    die(found)
    return found


def die(work: Any) -> None:
    """As SIGKILL from outside, but when it hurts. An empty flush loses nothing."""
    is_empty = not (work if isinstance(work, dict) else work.copied.rows)
    if not is_empty and next(flushes) > FLUSHES_BEFORE:
        os.kill(os.getpid(), signal.SIGKILL)


def main(how: str) -> int:
    if how == "trimmed_before_commit":
        flusher.read_entries = trimmed_before_commit  # type: ignore[attr-defined]
    else:
        Ledger.commit = globals()[how]  # type: ignore[method-assign]
    return flushing.main()


if __name__ == "__main__":
    sys.exit(main(sys.argv[2]))
