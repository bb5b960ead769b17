"""Writing the rows of entries: raw events, each into the day of its receipt."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from service.db import days
from service.db.connections import BATCH_SECONDS
from service.db.records import EVENT_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.db.connections import Connection

_RECEIVED_AT: Final = EVENT_COLUMNS.index("received_at")
_DAY_US: Final = 86_400_000_000
_EPOCH: Final = date(1970, 1, 1)


async def add_rows(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Inside a transaction of the caller's."""
    numbers = {row[_RECEIVED_AT] // _DAY_US for row in rows}
    await days.ensure_each(connection, [_EPOCH + timedelta(days=number) for number in numbers])
    await connection.copy_records_to_table(
        "events", records=rows, columns=EVENT_COLUMNS, timeout=BATCH_SECONDS
    )
