"""What attempts have watched themselves, as their sessions' viewings have it: some seconds behind the live counters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.counters.coverage import seen_of
from service.courses.assigning.noting import Progress
from service.courses.queries import query

if TYPE_CHECKING:
    from collections.abc import Collection

    from service.courses.assigning.noting import Key
    from service.db.connections import Connection


async def progress_of(connection: Connection, attempts: Collection[int]) -> dict[Key, Progress]:
    """By attempt, lesson and revision; nothing of a video of which nothing was watched."""
    found: dict[Key, Progress] = {}
    for row in await connection.fetch(query("select_own_viewings"), list(attempts)):
        key = (row["attempt"], row["lesson"], row["revision"])
        known = found.get(key) or Progress(*key, 0, 0, 0, row["first_at"], row["last_at"])
        found[key] = known._replace(
            seen=known.seen | seen_of(row["seen"]),
            watch_ms=known.watch_ms + row["watch_ms"],
            effective_ms=known.effective_ms + row["effective_ms"],
            started_us=min(known.started_us, row["first_at"]),
            last_viewed_us=max(known.last_viewed_us or 0, row["last_at"]),
        )
    return found
